/* SPDX-License-Identifier: MIT */
/* Messages, signals and threads that come, stop and go, on four CPUs at once. */
#include "chance.h"
#include "play.h"
#include <core/assert.h>
#include <core/grace.h>
#include <test/test.h>
#include <stdlib.h>

#define CPUS     4
#define SERVICES 3
#define SERVERS  (SERVICES * 2)
#define CLIENTS  10
#define BOSSES   3
#define LATER    2 /* answers that a server has put off */

/* The program's own memory; the actor's `with`. */
struct role {
	struct chance chance;
	unsigned id;
	cap_t service; /* a server's; a client has `entrance` */
	cap_t reply[LATER];
	uint64_t number[LATER], token[LATER];
	uint64_t last; /* number of the last call made, SYS_... */
	uint64_t token_out;
	uint64_t call;   /* number of the call in hand */
	cap_t gift;      /* a capability to `item`, for the next call */
	uint64_t ticket; /* a boss's: of a destruction */
	struct actor *victim;
	unsigned victim_state;
};

static struct cspace *space;
static struct actor *servers[SERVERS], *clients[CLIENTS], *bosses[BOSSES];
static cap_t entrance[SERVICES][CLIENTS], service[SERVICES];
static struct endpoint *endpoint[SERVICES];
static cap_t bits, quota, item_cap, own_space;
static struct object *item; /* to which capabilities travel */
static _Atomic uint64_t copies, drops, gifts;
static struct notification *signals;
static _Atomic uint64_t steps, answered, wrong;
static _Atomic bool stopping;
static uint64_t rounds;

/* What bosses do to threads, and the states in which they have met them. */
enum deed { SUSPEND, RESUME, DESTROY, DEEDS };
static _Atomic uint32_t met[DEEDS];

static void note(enum deed deed, const struct actor *victim)
{
	atomic_fetch_or(&met[deed], 1u << thread_state(victim->t));
}

/* Every state but that of a moment. */
static bool met_all(void)
{
	for (unsigned i = 0; i < DEEDS; i++) {
		if ((met[i] | 1u << THREAD_MOVING) != (1u << THREAD_STATES) - 1)
			return false;
	}
	return true;
}

static void act(struct actor *a, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct role *r = a->with;
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a0, a1, a2 };

	r->last = number;
	play_enter(a, number, arg);
}

static void check(bool good)
{
	if (!good)
		wrong++;
}

static bool stops(struct actor *a)
{
	if (steps++ >= rounds && met_all())
		stopping = true;
	if (!stopping)
		return false;
	act(a, SYS_thread_suspend, a->thread, 0, 0);
	return true;
}

static uint64_t some_deadline(struct chance *c)
{
	switch (chance_below(c, 4)) {
	case 0:
		return 0;
	case 1:
		return time_now() + chance_below(c, 1000);
	default:
		return TIMER_NEVER;
	}
}

/* ---- clients: what comes back must be what was asked ---- */

static void client_looks(struct actor *a, struct role *r)
{
	status_t st = (status_t)a->t->arch.result[0];

	if (r->last != SYS_endpoint_call)
		return;
	r->last = 0;
	if (st == ST_OK) {
		check(MSG_METHOD(actor_info(a)) == (uint32_t)~r->token_out &&
		      MSG_LEN(actor_info(a)) == 64);
		for (unsigned i = 0; i < 8; i++)
			check(a->block->word[i] == ~r->token_out + i);
		answered++;
	} else {
		check(st == ST_DEADLINE || st == ST_PEER_GONE || st == ST_CANCELLED);
	}
}

static void copy_item(struct actor *a, struct role *r)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { own_space, own_space, item_cap, RIGHTS_ALL };

	if (r->gift != CAP_NONE)
		return;
	syscall_dispatch(a->t, SYS_cap_copy, arg);
	check(a->t->arch.result[0] == ST_OK);
	r->gift = actor_info(a);
	copies++;
}

static void client(struct actor *a)
{
	struct role *r = a->with;
	uint64_t s = chance_below(&r->chance, SERVICES);

	client_looks(a, r);
	if (stops(a))
		return;
	switch (chance_below(&r->chance, 8)) {
	case 0:
		act(a, SYS_notification_signal, bits, 1ull << r->id, 0);
		break;
	case 1:
		act(a, SYS_notification_wait, bits, some_deadline(&r->chance) & ~(1ull << 63), 0);
		break;
	case 2:
		act(a, SYS_thread_park, a->thread, time_now() + 100, 0);
		break;
	case 3:
		copy_item(a, r);
		break;
	default:
		a->block->cap[0] = (struct msg_cap){ r->gift, RIGHTS_ALL, MSG_CAP_MOVE, 0 };
		r->token_out = chance_next(&r->chance) << 8 | r->id;
		for (unsigned i = 0; i < 8; i++)
			a->block->word[i] = r->token_out + i;
		uint64_t info = MSG_INFO((uint32_t)r->token_out, 64, r->gift != CAP_NONE);
		r->gift = CAP_NONE; /* delivered or not */
		act(a, SYS_endpoint_call, entrance[s][r->id], info, some_deadline(&r->chance));
	}
}

/* ---- servers ---- */

static uint64_t answer_to(struct actor *a, uint64_t token)
{
	for (unsigned i = 0; i < 8; i++)
		a->block->word[i] = ~token + i;
	return MSG_INFO((uint32_t)~token, 64, 0);
}

/* The call in hand is put off, or one that was is answered. */
static void put_off(struct actor *a, struct role *r, uint64_t token)
{
	unsigned i = (unsigned)chance_below(&r->chance, LATER);

	if (r->number[i] != 0) {
		uint64_t number = r->number[i];
		r->number[i] = 0;
		act(a, SYS_reply_send, r->reply[i], answer_to(a, r->token[i]), number);
		return;
	}
	r->number[i] = r->call;
	r->token[i] = token;
	act(a, SYS_reply_save, r->reply[i], 0, 0);
}

static void take_gift(struct actor *a)
{
	struct msg_cap got = a->block->cap[0];
	uint64_t arg[ARCH_SYSCALL_ARGS] = { own_space, got.handle };

	check(got.type == OBJ_NONE && got.rights == RIGHTS_ALL);
	syscall_dispatch(a->t, SYS_cap_drop, arg);
	check(a->t->arch.result[0] == ST_OK);
	drops++;
	gifts++;
}

static void server(struct actor *a)
{
	struct role *r = a->with;
	bool received = r->last == SYS_endpoint_receive || r->last == SYS_endpoint_reply_receive;
	bool call =
		received && a->t->arch.result[0] == ST_OK && !(actor_info(a) & MSG_NOTIFICATION);
	uint64_t token = a->block->word[0];

	if (call) {
		r->call = actor_number(a);
		check(MSG_METHOD(actor_info(a)) == (uint32_t)token && MSG_LEN(actor_info(a)) == 64);
		check(actor_badge(a) == (token & 0xff) + 1);
		for (unsigned i = 0; i < 8; i++)
			check(a->block->word[i] == token + i);
		if (MSG_NCAPS(actor_info(a)) == 1)
			take_gift(a);
	}
	if (stops(a))
		return;
	uint64_t what = chance_below(&r->chance, 10);
	if (!call)
		act(a, SYS_endpoint_receive, r->service, some_deadline(&r->chance), 0);
	else if (what == 0)
		put_off(a, r, token);
	else if (what == 1)
		act(a, SYS_endpoint_reply, a->thread, answer_to(a, token), 0);
	else if (what == 2)
		act(a, SYS_endpoint_receive, r->service, TIMER_NEVER, 0);
	else
		act(a, SYS_endpoint_reply_receive, r->service, answer_to(a, token),
		    some_deadline(&r->chance));
}

/* ---- bosses: each has victims of his own ---- */

static struct actor *some_victim(struct role *r)
{
	unsigned n = (unsigned)chance_below(&r->chance, SERVERS + CLIENTS);

	n = n / BOSSES * BOSSES + r->id;
	if (n >= SERVERS + CLIENTS)
		n = r->id;
	return n < SERVERS ? servers[n] : clients[n - SERVERS];
}

/* True while it has a destruction to go on with. */
static bool goes_on(struct role *r)
{
	if (r->victim == NULL)
		return false;
	if (!object_destroy_some(r->ticket))
		return true;
	struct role *v = r->victim->with;
	v->last = 0;
	for (unsigned i = 0; i < LATER; i++)
		v->number[i] = 0;
	actor_again(r->victim);
	actor_resume(r->victim);
	r->victim = NULL;
	return false;
}

static void boss(struct actor *a)
{
	struct role *r = a->with;

	if (goes_on(r)) {
		act(a, SYS_thread_yield, a->thread, 0, 0);
		return;
	}
	if (stops(a))
		return;
	struct actor *v = some_victim(r);
	host_time_advance(20);
	switch (chance_below(&r->chance, 12)) {
	case 0:
		note(DESTROY, v);
		r->victim = v;
		r->ticket = do_kill(&v->t->obj);
		break;
	case 1:
	case 2:
		note(SUSPEND, v);
		act(a, SYS_thread_suspend, v->thread, 0, 0);
		break;
	case 3:
		act(a, SYS_thread_unpark, v->thread, 0, 0);
		break;
	case 4:
		act(a, SYS_notification_signal, bits, 1ull << 40, 0);
		break;
	default:
		note(RESUME, v);
		act(a, SYS_thread_resume, v->thread, 0, 0);
	}
}

/* ---- the whole ---- */

static struct actor *role_make(unsigned id, program_fn *program, int priority)
{
	struct actor *a = actor_make(space, priority);
	struct role *r = calloc(1, sizeof(*r));

	r->id = id;
	r->chance.state = test_seed() * 1000 + (uintptr_t)a->block;
	a->program = program;
	a->with = r;
	return a;
}

static void cast(void)
{
	space = test_space(NULL);
	for (unsigned i = 0; i < SERVERS; i++) {
		servers[i] = role_make(i, server, 40 + (int)i % 3 * 10);
		struct role *r = servers[i]->with;
		if (i < SERVICES)
			endpoint[i] = endpoint_make(servers[i], &service[i]);
		r->service = service[i % SERVICES];
		for (unsigned k = 0; k < LATER; k++)
			(void)reply_make(servers[i], &r->reply[k]);
	}
	signals = notification_make(servers[0], &bits);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = role_make(i, client, 40 + (int)i % 4 * 5);
		for (unsigned s = 0; s < SERVICES; s++)
			entrance[s][i] =
				give(servers[0], service[s], clients[i], RIGHTS_ALL, i + 1);
	}
	for (unsigned i = 0; i < BOSSES; i++)
		bosses[i] = role_make(i, boss, 45);
	/* One server is bound to the notification. */
	ASSERT(cap_insert(space, &quota_root->obj, RIGHTS_ALL, 0, &quota) == ST_OK);
	ASSERT(cap_insert(space, &space->obj, RIGHTS_ALL, 0, &own_space) == ST_OK);
	item = test_object_make(quota_root, space, RIGHTS_ALL, &item_cap);
	ASSERT(item != NULL);
	struct thread_config c = { .notification = ref_of(servers[1], bits) };
	struct cap_ref self = ref_of(servers[1], servers[1]->thread);
	ASSERT(thread_configure(&self, &c) == ST_OK);
}

static bool finished(void)
{
	if (!stopping)
		return false;
	for (unsigned i = 0; i < BOSSES; i++) { /* then nobody makes new threads */
		if (thread_state(bosses[i]->t) != THREAD_STOPPED)
			return false;
	}
	return play_is_quiet();
}

static void destroy(struct object *o)
{
	uint64_t ticket = do_kill(o);

	while (!object_destroy_some(ticket)) {
		(void)play_user();
		host_user_mode();
	}
}

static void all_go(struct actor *a[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		destroy(&a[i]->t->obj);
}

TEST(messages_race_on_four_cpus)
{
	play_boot_threads(CPUS);
	rounds = test_rounds(20000);
	cast();
	for (unsigned i = 0; i < SERVERS; i++)
		actor_resume(servers[i]);
	for (unsigned i = 0; i < CLIENTS; i++)
		actor_resume(clients[i]);
	for (unsigned i = 0; i < BOSSES; i++)
		actor_resume(bosses[i]);
	play_free(CPUS, finished);
	CHECK(wrong == 0 && answered > 100 && play_ok());
	/* Capabilities were neither lost nor doubled, whoever died on the way. */
	CHECK(gifts > 10 && item->caps == 1 + copies - drops);
	CHECK(cap_tree_ok(item) && cspace_ok(space));
	for (unsigned s = 0; s < SERVICES; s++)
		CHECK(endpoint_ok(endpoint[s]));
	/* Everything can be destroyed, and nothing is left. */
	all_go(servers, SERVERS);
	all_go(clients, CLIENTS);
	all_go(bosses, BOSSES);
	CHECK(signals->bound == NULL && signals->waiters.head == NULL && play_ok());
	for (unsigned s = 0; s < SERVICES; s++)
		destroy(&endpoint[s]->obj);
	settle();
	for (unsigned i = 0; i < 4; i++) {
		quota_trim(quota_root);
		host_user_mode();
	}
	struct slab_stats threads;
	slab_stats(&quota_root->slab[OBJ_THREAD], &threads);
	CHECK(threads.slots_used == 0);
}
