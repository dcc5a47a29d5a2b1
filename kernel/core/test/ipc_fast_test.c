/* SPDX-License-Identifier: MIT */
/* What the fast path must look at before it takes anybody. */
#include "play.h"
#include <test/test.h>

#define MS 1000000ull

static struct actor *client, *server;
static struct endpoint *ep;
static cap_t service, entrance;

static void meet(const struct sched_params *of_client)
{
	cap_t s;

	play_boot(1);
	client = actor_make(NULL, 50);
	server = actor_make(NULL, 40);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL, 7);
	actor_resume(client);
	actor_resume(server);
	if (of_client != NULL) {
		struct sched *lent = sched_make(&s, of_client);
		sched_set_home(client->t, lent);
	}
}

static uint64_t hits(enum cpu_fast kind)
{
	return cpu_boot.counters.fast[kind];
}

TEST(fast_path_is_gone)
{
	meet(NULL);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(1, 512, 0)) == ST_BLOCKED);
	CHECK(hits(FAST_CALL) == 1 && play_user() == server);
	CHECK(act_reply_receive(server, service, MSG_INFO(1, 512, 0)) == ST_BLOCKED);
	CHECK(hits(FAST_REPLY) == 1 && play_user() == client);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED && hits(FAST_CALL) == 2);
	CHECK(endpoint_ok(ep) && play_ok());
}

TEST(fast_path_looks_at_the_type)
{
	cap_t bits;

	meet(NULL);
	struct notification *n = notification_make(client, &bits);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	/* Bits that would be a server if this were an endpoint. */
	CHECK(act_signal(client, bits, (uint64_t)server->t) == ST_OK);
	CHECK(n->bits == (uint64_t)server->t);
	CHECK(act_call(client, bits, 0) == ST_BAD_TYPE && hits(FAST_CALL) == 0);
	CHECK(thread_state(server->t) == THREAD_RECEIVING);
}

TEST(fast_path_looks_at_the_right)
{
	meet(NULL);
	cap_t ear = give(server, service, client, RIGHT_RECEIVE, 0);
	cap_t mouth = give(server, service, server, RIGHT_CALL, 0);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, ear, 0) == ST_NO_RIGHT && hits(FAST_CALL) == 0);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_reply_receive(server, mouth, 0) == ST_NO_RIGHT && hits(FAST_REPLY) == 0);
	CHECK(thread_state(client->t) == THREAD_REPLY);
}

TEST(fast_path_looks_at_the_generation)
{
	meet(NULL);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance + (1ull << 32), 0) == ST_BAD_CAP);
	CHECK(act_call(client, entrance - (1ull << 32), 0) == ST_BAD_CAP);
	CHECK(thread_state(server->t) == THREAD_RECEIVING);
}

/* The server is bound to the notification of this handle, which is its own. */
static struct notification *bind(cap_t *bits)
{
	struct notification *n = notification_make(server, bits);
	uint64_t arg[ARCH_SYSCALL_ARGS] = { server->thread, CAP_NONE, CAP_NONE, *bits, CAP_NONE };

	return play_act_all(server, SYS_thread_configure, arg) == ST_OK ? n : NULL;
}

TEST(fast_path_answers_only_once)
{
	cap_t bits;

	meet(NULL);
	CHECK(bind(&bits) != NULL);
	cap_t bell = give(server, bits, client, RIGHT_SIGNAL, 0);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED && hits(FAST_REPLY) == 1);
	CHECK(act_signal(client, bell, 4) == ST_OK);
	CHECK(act_reply(server, 0) == ST_PEER_GONE);
}

TEST(fast_path_finds_bits)
{
	cap_t bits;

	meet(NULL);
	CHECK(bind(&bits) != NULL);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_signal(server, bits, 4) == ST_OK);
	CHECK(act_reply_receive(server, service, 0) == ST_OK);
	CHECK(actor_info(server) == MSG_NOTIFICATION && actor_badge(server) == 4);
	status_t st;
	CHECK(actor_woke(client, &st) && st == ST_OK && endpoint_ok(ep));
}

TEST(fast_path_finds_the_next_caller)
{
	meet(NULL);
	struct actor *other = actor_make(NULL, 30);
	cap_t second = give(server, service, other, RIGHTS_ALL, 8);
	actor_resume(other);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_call(other, second, 0) == ST_BLOCKED);
	CHECK(act_reply_receive(server, service, 0) == ST_OK && actor_badge(server) == 8);
	CHECK(endpoint_ok(ep) && play_ok());
}

/* The caller's budget is used up, and the server has gone on by its own: the answer lets nobody
 * run who has nothing to run on. */
TEST(fast_path_pays_no_debts)
{
	const struct sched_params poor = { .priority = 50,
					   .weight = SCHED_WEIGHT_DEFAULT,
					   .budget = 2 * MS,
					   .period = 100 * MS,
					   .cpus = 1 };

	meet(&poor);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED && play_user() == server);
	play_time(10 * MS);
	CHECK(play_user() == server);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(play_user() == NULL && play_ok());
}

TEST(fast_path_keeps_to_the_badge)
{
	cap_t bits;

	meet(NULL);
	struct notification *n = notification_make(server, &bits);
	cap_t few = give(server, bits, client, RIGHT_SIGNAL, 6);
	CHECK(act_signal(client, few, 12) == ST_OK && n->bits == 4);
	CHECK(act_signal(client, few, 8) == ST_BAD_ARG && n->bits == 4);
}

/* ---- waits ---- */

static struct notification *alarm;
static cap_t bits, bell;

/* The client, who is more urgent, waits for signals of the server. */
static void listen(void)
{
	meet(NULL);
	alarm = notification_make(client, &bits);
	bell = give(client, bits, server, RIGHT_SIGNAL, 0);
	CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED && play_user() == server);
	CHECK(hits(FAST_WAIT) == 0);
}

static cap_t his_bits, his_bell;

/* Somebody of `priority` who waits; the client may ring for him. NULL: he doesn't wait. */
static struct actor *third(int priority)
{
	struct actor *a = actor_make(NULL, priority);

	notification_make(a, &his_bits);
	his_bell = give(a, his_bits, client, RIGHT_SIGNAL, 0);
	actor_resume(a);
	return act_wait(a, his_bits, TIMER_NEVER) == ST_BLOCKED ? a : NULL;
}

TEST(fast_path_gives_the_cpu_back)
{
	listen();
	for (uint64_t i = 1; i <= 4; i++) {
		CHECK(act_signal(server, bell, i) == ST_OK && play_user() == client);
		CHECK(actor_info(client) == MSG_NOTIFICATION && actor_badge(client) == i);
		CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED);
		CHECK(hits(FAST_WAIT) == i && play_user() == server);
		CHECK(thread_state(client->t) == THREAD_WAITING);
		CHECK(notification_ok(alarm) && play_ok());
	}
	/* A deadline is the other way's. */
	CHECK(act_signal(server, bell, 1) == ST_OK && play_user() == client);
	CHECK(act_wait(client, bits, MS) == ST_BLOCKED && hits(FAST_WAIT) == 4);
}

TEST(fast_path_polls)
{
	listen();
	cap_t ear = give(client, bits, server, RIGHT_WAIT, 0);
	uint64_t refused = cpu_boot.counters.refused;
	CHECK(act_wait(server, ear, 0) == ST_WOULD_BLOCK && hits(FAST_WAIT) == 1);
	CHECK(cpu_boot.counters.refused == refused + 1);
	CHECK(act_wait(server, bell, 0) == ST_NO_RIGHT && hits(FAST_WAIT) == 1);
	CHECK(act_wait(server, service, 0) == ST_BAD_TYPE && hits(FAST_WAIT) == 1);
	CHECK(act_signal(server, bell, 1) == ST_OK && play_user() == client);
	CHECK(act_signal(client, bits, 6) == ST_OK);
	CHECK(act_wait(client, bits, TIMER_NEVER) == ST_OK && actor_badge(client) == 6);
	CHECK(alarm->bits == 0 && play_user() == client);
}

TEST(fast_path_gives_the_cpu_to_who_is_next)
{
	listen();
	struct actor *other = third(45);
	CHECK(act_signal(server, bell, 1) == ST_OK && act_signal(client, his_bell, 1) == ST_OK);
	uint64_t before = hits(FAST_WAIT);
	CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED);
	CHECK(hits(FAST_WAIT) == before && play_user() == other && play_ok());
}

TEST(fast_path_leaves_nobody_behind)
{
	listen();
	struct actor *other = third(50);
	sched_set_home(other->t, client->t->home);
	uint64_t before = hits(FAST_WAIT);
	/* When the end of a turn is set, as it is in the second round, he comes quietly. */
	for (unsigned i = 0; i < 2; i++) {
		CHECK(act_signal(server, bell, 1) == ST_OK);
		CHECK(act_signal(client, his_bell, 1) == ST_OK && play_user() == client);
		CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED);
		CHECK(hits(FAST_WAIT) == before && play_user() == other && play_ok());
		CHECK(act_wait(other, his_bits, MS) == ST_BLOCKED && play_user() == server);
	}
}

TEST(fast_path_gives_back_no_more_than_the_budget)
{
	const struct sched_params poor = { .priority = 40,
					   .weight = SCHED_WEIGHT_DEFAULT,
					   .budget = 2 * MS,
					   .period = 100 * MS,
					   .cpus = 1 };
	cap_t s;

	listen();
	struct sched *lent = sched_make(&s, &poor);
	sched_set_home(server->t, lent);
	CHECK(play_user() == server);
	CHECK(act_signal(server, bell, 1) == ST_OK && play_user() == client);
	/* A piece of the budget has to be drawn for it, and a timer to be set. */
	CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED && play_user() == server);
	CHECK(hits(FAST_WAIT) == 0);
	/* It is stopped when that is used up, and not whenever the CPU looks again. */
	play_time(10 * MS);
	CHECK(sched_spent(lent) < 3 * MS && play_user() == NULL && play_ok());
}
