/* SPDX-License-Identifier: MIT */
#include "play.h"
#include <test/test.h>
#include <string.h>

/* A client and a server with an endpoint, which the client can call with a badge. */
static struct actor *client, *server;
static struct endpoint *ep;
static cap_t service, entrance; /* the server's, and the client's, capability */

static void meet(int client_priority, int server_priority)
{
	play_boot(1);
	client = actor_make(NULL, client_priority);
	server = actor_make(NULL, server_priority);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL & ~RIGHT_RECEIVE, 77);
	actor_resume(client);
	actor_resume(server);
}

static bool ep_ok(void)
{
	return endpoint_ok(ep) && play_ok();
}

static void fill(struct msg_block *b, uint8_t seed)
{
	memset(b, 0xee, sizeof(*b));
	for (unsigned i = 0; i < MSG_BYTES; i++)
		((uint8_t *)b->word)[i] = (uint8_t)(seed + i * 7);
}

/* The first `len` bytes are those that fill has made, and what lies behind the last whole word
 * is untouched. */
static bool holds(const struct msg_block *b, uint8_t seed, unsigned len)
{
	const uint8_t *bytes = (const uint8_t *)b->word;

	for (unsigned i = 0; i < len; i++) {
		if (bytes[i] != (uint8_t)(seed + i * 7))
			return false;
	}
	for (unsigned i = (len + 7) / 8 * 8; i < sizeof(*b); i++) {
		if (bytes[i] != 0x55)
			return false;
	}
	return true;
}

TEST(call_and_answer)
{
	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(ep_ok());
	CHECK(act_call(client, entrance, MSG_INFO(5, 0, 0)) == ST_BLOCKED);
	CHECK(ep_ok());
	status_t st;
	CHECK(actor_woke(server, &st) && st == ST_OK);
	CHECK(actor_info(server) == MSG_INFO(5, 0, 0) && actor_badge(server) == 77);
	CHECK(actor_number(server) != 0);
	CHECK(act_reply(server, MSG_INFO(6, 0, 0)) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == MSG_INFO(6, 0, 0));
	CHECK(actor_badge(client) == 0 && actor_number(client) == 0);
	CHECK(ep_ok());
}

/* Each length, whichever side comes first, arrives as it was sent. */
static void every_length(bool server_first)
{
	status_t st;

	meet(10, 10);
	for (unsigned len = 0; len <= MSG_BYTES; len++) {
		fill(client->block, (uint8_t)len);
		memset(server->block, 0x55, sizeof(*server->block));
		uint64_t info = MSG_INFO(len, len, 0);
		if (server_first)
			CHECK(act_receive(server, service) == ST_BLOCKED);
		CHECK(act_call(client, entrance, info) == ST_BLOCKED);
		if (!server_first)
			CHECK(act_receive(server, service) == ST_OK);
		else
			CHECK(actor_woke(server, &st) && st == ST_OK);
		CHECK(actor_info(server) == info && holds(server->block, (uint8_t)len, len));

		fill(server->block, (uint8_t)(len + 1));
		memset(client->block, 0x55, sizeof(*client->block));
		CHECK(act_reply(server, info) == ST_OK);
		CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == info);
		CHECK(holds(client->block, (uint8_t)(len + 1), len));
	}
	CHECK(ep_ok());
}

TEST(message_of_every_length_to_a_waiting_server)
{
	every_length(true);
}

TEST(message_of_every_length_to_a_busy_server)
{
	every_length(false);
}

TEST(message_too_long_is_refused)
{
	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	static const uint64_t bad[] = { MSG_INFO(0, MSG_BYTES + 1, 0),
					MSG_INFO(0, 0xffff, 0),
					MSG_INFO(0, 0, MSG_CAPS + 1),
					MSG_INFO(0, 0, 15),
					MSG_INFO(0, 0, 16),
					MSG_INFO(0, 0, 0x80) };
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(act_call(client, entrance, bad[i]) == ST_BAD_ARG);
		CHECK(thread_state(server->t) == THREAD_RECEIVING);
	}
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(act_reply(server, bad[i]) == ST_BAD_ARG);
		CHECK(thread_state(client->t) == THREAD_REPLY);
	}
	CHECK(act_reply(server, 0) == ST_OK);
}

TEST(messages_touch_nobody_else)
{
	meet(10, 10);
	struct actor *third = actor_make(NULL, 10);
	fill(third->block, 3);
	memset(third->t->arch.result, 0x5a, sizeof(third->t->arch.result));
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(1, 512, 0)) == ST_BLOCKED);
	CHECK(act_reply(server, MSG_INFO(1, 512, 0)) == ST_OK);
	for (unsigned i = 0; i < 4; i++)
		CHECK(third->t->arch.result[i] == 0x5a5a5a5a5a5a5a5a);
	CHECK(third->t->arch.results == 0);
	for (unsigned i = 0; i < MSG_BYTES; i++)
		CHECK(((uint8_t *)third->block->word)[i] == (uint8_t)(3 + i * 7));
}

TEST(flags_of_a_message_are_the_kernels)
{
	status_t st;

	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(1, 8, 0) | 0xff000000) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && actor_info(server) == MSG_INFO(1, 8, 0));
	CHECK(act_reply(server, MSG_INFO(2, 8, 0) | MSG_FAULT | MSG_NOTIFICATION) == ST_OK);
	CHECK(actor_woke(client, &st) && actor_info(client) == MSG_INFO(2, 8, 0));
}

TEST(message_needs_a_block)
{
	status_t st;

	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	struct msg_block *block = client->t->block;
	client->t->block = NULL;
	CHECK(act_call(client, entrance, MSG_INFO(1, 1, 0)) == ST_BAD_STATE);
	CHECK(act_call(client, entrance, MSG_INFO(1, 0, 1)) == ST_BAD_STATE);
	CHECK(act_call(client, entrance, MSG_INFO(1, 0, 0)) == ST_BLOCKED);
	/* Who can't take the payload gets none, and is told so. */
	CHECK(act_reply(server, MSG_INFO(9, 100, 0)) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == MSG_INFO(9, 0, 0));
	client->t->block = block;
}

/* ---- order ---- */

#define CROWD 12

static struct actor *crowd[100];
static cap_t crowd_entrance;

static void crowd_make(unsigned n, int (*priority)(unsigned i))
{
	struct cspace *cs = test_space(NULL);

	for (unsigned i = 0; i < n; i++) {
		crowd[i] = actor_make(cs, priority(i));
		if (i == 0)
			crowd_entrance = give(server, service, crowd[0], RIGHTS_ALL, 5);
		actor_resume(crowd[i]);
	}
}

static int three_levels(unsigned i)
{
	return 50 + (int)(i % 3) * 10;
}

TEST(callers_are_served_by_priority_then_in_order)
{
	status_t st;

	meet(10, 100);
	crowd_make(CROWD, three_levels);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(act_call(crowd[i], crowd_entrance, MSG_INFO(i, 0, 0)) == ST_BLOCKED);
	CHECK(ep_ok());
	for (unsigned k = 0; k < CROWD; k++) {
		unsigned level = 2 - k / (CROWD / 3);
		unsigned expected = k % (CROWD / 3) * 3 + level;
		st = k == 0 ? act_receive(server, service) : act_reply_receive(server, service, 0);
		CHECK(st == ST_OK && MSG_METHOD(actor_info(server)) == expected && ep_ok());
	}
	CHECK(act_reply(server, 0) == ST_OK);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(actor_woke(crowd[i], &st) && st == ST_OK);
}

static status_t set_priority(struct actor *by, cap_t sched, unsigned priority)
{
	return play_act_all(
		by, SYS_sched_configure,
		(uint64_t[ARCH_SYSCALL_ARGS]){ sched, priority | 1024ull << 32, 0, 0, 1 });
}

static int one_level(unsigned i)
{
	(void)i;
	return 50;
}

TEST(callers_are_sorted_anew_when_priorities_change)
{
	meet(200, 250);
	crowd_make(CROWD, one_level);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(act_call(crowd[i], crowd_entrance, MSG_INFO(i, 0, 0)) == ST_BLOCKED);
	cap_t up, down;
	CHECK(do_derive(client->cspace, home, crowd[7]->sched, RIGHTS_ALL, 0, &up) == ST_OK);
	CHECK(do_derive(client->cspace, home, crowd[0]->sched, RIGHTS_ALL, 0, &down) == ST_OK);
	CHECK(set_priority(client, up, 60) == ST_OK && ep_ok());
	CHECK(set_priority(client, down, 40) == ST_OK && ep_ok());
	static const unsigned order[CROWD] = { 7, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 0 };
	for (unsigned k = 0; k < CROWD; k++) {
		CHECK(act_receive(server, service) == ST_OK);
		CHECK(MSG_METHOD(actor_info(server)) == order[k]);
	}
}

TEST(priority_of_a_whole_group_changes_in_pieces)
{
	struct thread_config config = { 0 };

	meet(200, 250);
	crowd_make(100, one_level);
	config.sched = ref_of(&(struct actor){ .cspace = home }, crowd[0]->sched);
	for (unsigned i = 0; i < 100; i++) {
		struct cap_ref ref = ref_of(crowd[i], crowd[i]->thread);
		spin_lock(&crowd[i]->t->obj.lock);
		CHECK(thread_suspend(crowd[i]->t) == ST_OK);
		CHECK(thread_configure(&ref, &config) == ST_OK);
		actor_resume(crowd[i]);
	}
	struct actor *other = actor_ready(crowd[0]->cspace, 55);
	for (unsigned i = 0; i < 100; i++)
		CHECK(act_call(crowd[i], crowd_entrance, MSG_INFO(i, 0, 0)) == ST_BLOCKED);
	CHECK(act_call(other, crowd_entrance, MSG_INFO(1000, 0, 0)) == ST_BLOCKED);
	cap_t up;
	CHECK(do_derive(client->cspace, home, crowd[0]->sched, RIGHTS_ALL, 0, &up) == ST_OK);
	CHECK(set_priority(client, up, 60) == ST_OK && ep_ok());
	for (unsigned i = 0; i < 101; i++) {
		CHECK(act_receive(server, service) == ST_OK);
		CHECK(MSG_METHOD(actor_info(server)) == (i < 100 ? i : 1000));
	}
}

TEST(server_that_came_last_is_taken_first)
{
	status_t st;

	meet(10, 10);
	struct actor *second = actor_ready(server->cspace, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_receive(second, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(second, &st) && !actor_woke(server, &st));
	CHECK(act_reply(second, 0) == ST_OK);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && ep_ok());
}

/* ---- answers ---- */

TEST(call_is_answered_once)
{
	status_t st;

	meet(10, 10);
	CHECK(act_reply(server, 0) == ST_PEER_GONE);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_reply(server, MSG_INFO(1, 0, 0)) == ST_OK);
	CHECK(act_reply(server, MSG_INFO(2, 0, 0)) == ST_PEER_GONE);
	CHECK(actor_woke(client, &st) && actor_info(client) == MSG_INFO(1, 0, 0));
	CHECK(!actor_woke(client, &st));
}

TEST(receiving_again_gives_up_the_call_in_hand)
{
	status_t st;

	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(actor_woke(client, &st) && st == ST_PEER_GONE);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && st == ST_OK && ep_ok());
}

TEST(answer_and_receive)
{
	status_t st;
	uint64_t last = 0;

	meet(10, 10);
	/* With nobody to answer to, it just receives. */
	CHECK(act_reply_receive(server, service, MSG_INFO(1, 0, 0)) == ST_BLOCKED);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(act_call(client, entrance, MSG_INFO(i, 0, 0)) == ST_BLOCKED);
		CHECK(actor_woke(server, &st) && st == ST_OK &&
		      actor_info(server) == MSG_INFO(i, 0, 0));
		CHECK(actor_number(server) > last);
		last = actor_number(server);
		CHECK(act_reply_receive(server, service, MSG_INFO(i + 100, 0, 0)) == ST_BLOCKED);
		CHECK(actor_woke(client, &st) && st == ST_OK);
		CHECK(actor_info(client) == MSG_INFO(i + 100, 0, 0) && ep_ok());
	}
	/* What is refused leaves the call in hand. */
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_reply_receive(server, service, MSG_INFO(1, 513, 0)) == ST_BAD_ARG);
	CHECK(thread_state(client->t) == THREAD_REPLY);
	CHECK(act_reply(server, 0) == ST_OK);
}

TEST(nested_calls_unwind)
{
	status_t st;

	meet(10, 10);
	struct actor *inner = actor_make(NULL, -1);
	cap_t inner_service;
	(void)endpoint_make(inner, &inner_service);
	cap_t way_in = give(inner, inner_service, server, RIGHTS_ALL, 9);
	/* The passive one gets to its receive on a sched that it is lent for that. */
	struct thread_config config = { .sched = ref_of(&(struct actor){ .cspace = home },
							server->sched) };
	struct cap_ref ref = ref_of(inner, inner->thread);
	CHECK(thread_configure(&ref, &config) == ST_OK);
	actor_resume(inner);
	CHECK(act_receive(inner, inner_service) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(act_call(client, entrance, MSG_INFO(1, 0, 0)) == ST_BLOCKED);
		CHECK(act_call(server, way_in, MSG_INFO(2, 0, 0)) == ST_BLOCKED);
		CHECK(actor_woke(inner, &st) && actor_badge(inner) == 9);
		CHECK(play_user() == inner && sched_of(inner->t, NULL) == client->t->home);
		CHECK(act_reply_receive(inner, inner_service, MSG_INFO(3, 0, 0)) == ST_BLOCKED);
		CHECK(actor_woke(server, &st) && actor_info(server) == MSG_INFO(3, 0, 0));
		CHECK(!actor_woke(client, &st) && play_user() == server);
		CHECK(act_reply_receive(server, service, MSG_INFO(4, 0, 0)) == ST_BLOCKED);
		CHECK(actor_woke(client, &st) && actor_info(client) == MSG_INFO(4, 0, 0));
	}
	CHECK(ep_ok());
}

/* A second server of the client's service waits for the one that is answered, and was helped by
 * the call that is taken next. */
TEST(answered_thread_is_in_a_chain_of_help)
{
	cap_t middle_service;

	meet(10, 10);
	struct actor *second = actor_make(NULL, 10), *middle = actor_make(NULL, 10);
	struct actor *first = actor_make(NULL, 10), *urgent = actor_make(NULL, 50);
	struct endpoint *middle_ep = endpoint_make(middle, &middle_service);
	cap_t second_service = give(server, service, second, RIGHTS_ALL, 0);
	cap_t to_middle = give(middle, middle_service, first, RIGHTS_ALL, 1);
	cap_t second_to_middle = give(middle, middle_service, second, RIGHTS_ALL, 2);
	cap_t middle_entrance = give(server, service, middle, RIGHTS_ALL, 3);
	cap_t urgent_entrance = give(server, service, urgent, RIGHTS_ALL, 4);
	actor_resume(second);
	actor_resume(middle);
	actor_resume(first);
	actor_resume(urgent);

	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_receive(middle, middle_service) == ST_BLOCKED);
	CHECK(act_call(first, to_middle, 0) == ST_BLOCKED);
	CHECK(act_call(middle, middle_entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(second, second_service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED && ep->holder == second->t);
	CHECK(act_call(second, second_to_middle, 0) == ST_BLOCKED);
	CHECK(act_call(urgent, urgent_entrance, 0) == ST_BLOCKED);
	CHECK(second->t->helper == urgent->t && middle_ep->holder == middle->t);

	CHECK(play_act(server, SYS_endpoint_reply_receive, service, 0, time_now() + 1000000000,
		       0) == ST_OK);
	status_t st;
	CHECK(actor_woke(middle, &st) && st == ST_OK && actor_badge(server) == 4);
	CHECK(ep->holder == server->t && second->t->helper == NULL);
	CHECK(endpoint_ok(middle_ep) && ep_ok());
}

TEST(call_to_oneself_waits_in_vain)
{
	meet(10, 10);
	uint64_t soon = time_now() + 1000;
	CHECK(play_act(server, SYS_endpoint_call, service, 0, soon, 0) == ST_BLOCKED);
	CHECK(ep_ok());
	play_time(2000);
	status_t st;
	CHECK(actor_woke(server, &st) && st == ST_DEADLINE && ep_ok());
	/* With its own call in hand it can even answer itself no more than once. */
	CHECK(play_act(server, SYS_endpoint_call, service, 0, TIMER_NEVER, 0) == ST_BLOCKED);
	CHECK(act_destroy(client, give(server, server->thread, client, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(ep_ok());
}

/* ---- deadlines ---- */

TEST(deadline_of_a_call)
{
	status_t st;

	meet(10, 10);
	/* Nobody receives: polls don't wait, others wait until then. */
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, 0, 0) == ST_DEADLINE);
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, time_now(), 0) == ST_DEADLINE);
	uint64_t until = time_now() + 1000;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	play_time(999);
	CHECK(!actor_woke(client, &st));
	play_time(1);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE && ep_ok());

	/* Taken from the queue, it goes on to count. */
	until = time_now() + 1000;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_OK);
	play_time(999);
	CHECK(!actor_woke(client, &st));
	play_time(1);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE);
	CHECK(act_reply(server, 0) == ST_PEER_GONE);

	/* To a waiting server just so. */
	CHECK(act_receive(server, service) == ST_BLOCKED);
	until = time_now() + 1000;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	play_time(1000);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED && ep_ok());
	/* An answer in time ends it. */
	until = time_now() + 1000;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(actor_woke(client, &st) && st == ST_OK);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	play_time(5000);
	CHECK(!actor_woke(client, &st) && thread_state(client->t) == THREAD_REPLY);
}

TEST(deadline_of_a_receive)
{
	status_t st;

	meet(10, 10);
	CHECK(play_act(server, SYS_endpoint_receive, service, 0, 0, 0) == ST_DEADLINE);
	uint64_t until = time_now() + 1000;
	CHECK(play_act(server, SYS_endpoint_receive, service, until, 0, 0) == ST_BLOCKED);
	play_time(1000);
	CHECK(actor_woke(server, &st) && st == ST_DEADLINE && ep_ok());
	/* A call in time ends it. */
	until = time_now() + 1000;
	CHECK(play_act(server, SYS_endpoint_receive, service, until, 0, 0) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && st == ST_OK);
	play_time(2000);
	CHECK(!actor_woke(server, &st) && play_user() == server);
}

/* ---- death ---- */

static cap_t all_of(struct actor *whose, cap_t handle)
{
	return give(whose, handle, client, RIGHTS_ALL, 0);
}

TEST(endpoint_dies_with_a_hundred_callers)
{
	status_t st;

	meet(200, 10);
	crowd_make(100, three_levels);
	for (unsigned i = 0; i < 100; i++)
		CHECK(act_call(crowd[i], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_destroy(client, entrance) == ST_OK);
	for (unsigned i = 0; i < 100; i++) {
		CHECK(actor_woke(crowd[i], &st) && st == ST_PEER_GONE);
	}
	CHECK(act_call(client, entrance, 0) == ST_BAD_CAP && play_ok());
}

TEST(endpoint_dies_with_servers)
{
	status_t st;

	meet(10, 10);
	struct actor *busy = actor_ready(server->cspace, 10);
	CHECK(act_receive(busy, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	struct actor *other = actor_ready(NULL, 10);
	CHECK(act_destroy(other, give(server, service, other, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(actor_woke(server, &st) && st == ST_PEER_GONE);
	/* Who was taken is answered all the same. */
	CHECK(act_reply(busy, MSG_INFO(1, 0, 0)) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_OK && play_ok());
	CHECK(act_receive(busy, service) == ST_BAD_CAP);
}

TEST(server_dies)
{
	status_t st;

	meet(10, 10);
	crowd_make(3, three_levels);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	for (unsigned i = 0; i < 3; i++)
		CHECK(act_call(crowd[i], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(server, &st));
	CHECK(act_destroy(client, all_of(server, server->thread)) == ST_OK);
	/* The call in its hand fails; the others wait for another server. */
	CHECK(actor_woke(crowd[0], &st) && st == ST_PEER_GONE);
	CHECK(!actor_woke(crowd[1], &st) && !actor_woke(crowd[2], &st) && ep_ok());
	struct actor *second = actor_ready(server->cspace, 10);
	CHECK(act_receive(second, service) == ST_OK);
	CHECK(act_reply_receive(second, service, 0) == ST_OK && ep_ok());
	/* A server that waits can die as well. */
	CHECK(act_reply_receive(second, service, 0) == ST_BLOCKED);
	CHECK(act_destroy(client, all_of(second, second->thread)) == ST_OK && ep_ok());
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
}

TEST(caller_dies)
{
	status_t st;

	meet(10, 10);
	crowd_make(2, three_levels);
	cap_t first = all_of(crowd[0], crowd[0]->thread);
	cap_t second = all_of(crowd[1], crowd[1]->thread);
	CHECK(act_call(crowd[1], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_call(crowd[0], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_destroy(client, first) == ST_OK && ep_ok()); /* in the queue */
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(act_destroy(client, second) == ST_OK && ep_ok()); /* in the server's hand */
	CHECK(act_reply(server, 0) == ST_PEER_GONE);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && st == ST_OK);
	settle();
	CHECK(ep_ok());
}

TEST(caller_is_suspended_in_its_call)
{
	status_t st;

	meet(10, 10);
	struct actor *boss = actor_ready(NULL, 10);
	cap_t control = give(client, client->thread, boss, RIGHTS_ALL, 0);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(play_act(boss, SYS_thread_suspend, control, 0, 0, 0) == ST_OK);
	CHECK(act_reply(server, MSG_INFO(3, 0, 0)) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == MSG_INFO(3, 0, 0));
	CHECK(thread_state(client->t) == THREAD_STOPPED);
	CHECK(play_act(boss, SYS_thread_resume, control, 0, 0, 0) == ST_OK);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED && ep_ok());
}

/* ---- answers later ---- */

TEST(answers_can_be_put_off)
{
	cap_t later[3];
	uint64_t number[3];
	status_t st;

	meet(10, 10);
	crowd_make(3, one_level);
	for (unsigned i = 0; i < 3; i++) {
		(void)reply_make(server, &later[i]);
		CHECK(act_call(crowd[i], crowd_entrance, MSG_INFO(i, 0, 0)) == ST_BLOCKED);
		CHECK(act_receive(server, service) == ST_OK);
		number[i] = actor_number(server);
		CHECK(play_act(server, SYS_reply_save, later[i], 0, 0, 0) == ST_OK);
		CHECK(actor_info(server) == number[i]);
		CHECK(act_reply(server, 0) == ST_PEER_GONE);
	}
	CHECK(number[0] != number[1] && number[1] != number[2]);
	CHECK(play_act(server, SYS_reply_send, later[1], 0, number[0], 0) == ST_PEER_GONE);
	CHECK(play_act(server, SYS_reply_send, later[1], 0, 0, 0) == ST_BAD_ARG);
	static const unsigned order[] = { 2, 0, 1 };
	for (unsigned k = 0; k < 3; k++) {
		unsigned i = order[k];
		uint64_t info = MSG_INFO(50 + i, 0, 0);
		CHECK(play_act(server, SYS_reply_send, later[i], info, number[i], 0) == ST_OK);
		CHECK(actor_woke(crowd[i], &st) && st == ST_OK && actor_info(crowd[i]) == info);
		CHECK(play_act(server, SYS_reply_send, later[i], info, number[i], 0) ==
		      ST_PEER_GONE);
	}
	CHECK(ep_ok());
}

TEST(putting_off_is_refused)
{
	cap_t later;

	meet(10, 10);
	(void)reply_make(server, &later);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_BAD_STATE);
	crowd_make(2, one_level);
	CHECK(act_call(crowd[0], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_call(crowd[1], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_OK);
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_EXISTS);
	CHECK(act_reply(server, 0) == ST_OK); /* it is still in the hand */
}

TEST(reply_object_dies_with_a_call)
{
	cap_t later;
	status_t st;

	meet(10, 10);
	(void)reply_make(server, &later);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	uint64_t number = actor_number(server);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_OK);
	CHECK(act_destroy(server, later) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_PEER_GONE);
	CHECK(play_act(server, SYS_reply_send, later, 0, number, 0) == ST_BAD_CAP);
}

TEST(caller_leaves_a_reply_object)
{
	cap_t later;
	status_t st;

	meet(10, 10);
	(void)reply_make(server, &later);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	uint64_t until = time_now() + 100;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	uint64_t number = actor_number(server);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_OK);
	play_time(100);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE);
	CHECK(play_act(server, SYS_reply_send, later, 0, number, 0) == ST_PEER_GONE);
	/* It can be used for the next one. */
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	uint64_t next = actor_number(server);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_OK);
	CHECK(play_act(server, SYS_reply_send, later, 0, number, 0) == ST_PEER_GONE);
	CHECK(play_act(server, SYS_reply_send, later, 0, next, 0) == ST_OK);
}

/* The client's call is in a reply object, and its answer on the way. */
static struct reply *carry_answer(cap_t *later)
{
	meet(10, 10);
	crowd_make(1, one_level);
	struct reply *r = reply_make(server, later);
	if (act_receive(server, service) != ST_BLOCKED ||
	    act_call(client, entrance, 0) != ST_BLOCKED ||
	    play_act(server, SYS_reply_save, *later, 0, 0, 0) != ST_OK)
		test_fail(__FILE__, __LINE__, "a call is kept");
	r->slot.caller = NULL;
	thread_put(client->t, THREAD_MOVING, NULL);
	return r;
}

/* An answer is being carried when the reply object dies, and another takes its place in memory;
 * then the answer turns out not to fit. */
TEST(reply_object_is_replaced_under_an_answer)
{
	cap_t later, then;
	status_t st;

	struct reply *r = carry_answer(&later);
	const struct cap_ref by = ref_of(server, later);

	CHECK(act_destroy(server, later) == ST_OK && reply_make(server, &then) == r);
	reply_put_again(&r->obj, &by, client->t);
	CHECK(actor_woke(client, &st) && st == ST_PEER_GONE);

	CHECK(act_call(crowd[0], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(play_act(server, SYS_reply_save, then, 0, 0, 0) == ST_OK);
	CHECK(r->slot.caller == crowd[0]->t && ep_ok());
	CHECK(play_act(server, SYS_reply_send, then, 0, actor_info(server), 0) == ST_OK);
	CHECK(actor_woke(crowd[0], &st) && st == ST_OK);
}

/* An answer is being carried when another thread saves a call over it; then the answer turns out
 * not to fit. */
TEST(reply_object_is_taken_under_an_answer)
{
	cap_t later;
	status_t st;

	struct reply *r = carry_answer(&later);
	const struct cap_ref by = ref_of(server, later);

	CHECK(act_call(crowd[0], crowd_entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(play_act(server, SYS_reply_save, later, 0, 0, 0) == ST_OK);

	reply_put_again(&r->obj, &by, client->t);
	CHECK(actor_woke(client, &st) && st == ST_PEER_GONE);
	CHECK(r->slot.caller == crowd[0]->t && ep_ok());
	CHECK(play_act(server, SYS_reply_send, later, 0, actor_info(server), 0) == ST_OK);
	CHECK(actor_woke(crowd[0], &st) && st == ST_OK);
}

/* The number of a call says where it was taken; a server that has moved since has not run on this
 * CPU without a break. */
TEST(call_that_moves_with_its_server_is_not_new_here)
{
	struct sched_params p = { .priority = 10, .weight = 1, .cpus = 1 };

	play_boot(2);
	client = actor_make(NULL, 10);
	server = actor_make(NULL, 10);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL, 77);
	CHECK(sched_configure(server->t->home, &p, NULL) == ST_OK);
	p.cpus = 2;
	CHECK(sched_configure(client->t->home, &p, NULL) == ST_OK);
	cpu_by_id[0]->call_number += 100 * CPU_MAX;
	actor_resume(server);
	actor_resume(client);
	host_act_as(1);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	host_act_as(0);
	CHECK(act_receive(server, service) == ST_OK && play_user() == NULL);
	host_act_as(1);
	CHECK(play_user() == server && server->t->reply.caller == client->t);
	CHECK(server->t->reply.number % CPU_MAX == 0);
	CHECK(server->t->reply.number < cpu_by_id[1]->epoch);
	CHECK(cpu_by_id[1]->call_number % CPU_MAX == 1);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED && ep_ok());
}
