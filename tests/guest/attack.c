/* SPDX-License-Identifier: MIT */
/* Programs that want more than they were given, or nobody else to get on. */
#include "job.h"
#include <stdatomic.h>

static uint64_t stir(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t used(cap_t q)
{
	return SYS(quota_read, q).out[0];
}

static status_t reply(uint64_t info)
{
	return STATUS(endpoint_reply, start->thread, info);
}

/* Puts `a` on a sched of its own. */
static void give_priority(struct actor *a, unsigned priority, uint64_t cpus)
{
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
	status_t st = STATUS(sched_configure, sched, priority | 1024ull << 32, 0, 0, cpus);

	if (st != ST_OK)
		give_up("a priority", st);
	actor_configure(a, sched, CAP_NONE, CAP_NONE);
}

/* ---- names that nobody gave ---- */

/* Calls everything by handles that it was not given; `seen`: those that did something. */
static void guess(struct actor *a)
{
	uint64_t state = a->arg[1];

	for (uint64_t n = 0; n < a->arg[0]; n++) {
		uint64_t number = stir(&state) % 80, handle = stir(&state);
		if (n % 4 != 0) /* small ones, as there may be */
			handle = (handle >> 32 & 7) << 32 | (handle & 127);
		if (handle == a->self)
			continue;
		struct sys_result r =
			sys_call6(number, handle, stir(&state), handle, handle, handle, 0);
		if (r.status != ST_BAD_CAP && r.status != ST_BAD_SYSCALL)
			a->seen++;
		if (r.out[0] != 0 || r.out[1] != 0 || r.out[2] != 0)
			a->seen++;
	}
}

TEST(attack_endpoint_guesser)
{
	struct actor *a = process_new(guess), *waiting = job_new();
	cap_t ep = new_endpoint();

	JOB(waiting, endpoint_receive, ep, NEVER);
	CHECK(job_waits(waiting));
	a->arg[0] = test_rounds(20000);
	a->arg[1] = test_seed();
	actor_start(a);
	actor_await(a);
	CHECK(a->seen == 0 && job_waits(waiting));
}

/* With a badged capability and a space of its own it tries to get another badge. */
TEST(attack_badge_forger)
{
	struct actor *a = job_process();
	cap_t ep = new_endpoint(), n = new_notification();
	cap_t own = actor_give(a, a->cspace, RIGHT_MANAGE, 0);
	cap_t entrance = actor_give(a, ep, 0xffff, 7), bit = actor_give(a, n, 0xffff, 2);

	for (uint64_t badge = 1; badge < 70; badge++) {
		JOB(a, cap_copy, own, own, badge & 1 ? entrance : bit, 0xffff, badge);
		CHECK(job_end(a).status == ST_BAD_STATE && job_of(a)->result.out[0] == 0);
		JOB(a, cap_copy, own, own, badge & 1 ? entrance : bit, 0xffff, 0);
		cap_t handle = job_end(a).out[0];
		CHECK(STATUS(cap_copy, a->cspace, a->cspace, entrance, 0xffff, badge) ==
		      ST_BAD_STATE);
		CHECK(STATUS(cap_copy, a->cspace, a->cspace, bit, 0xffff, badge) == ST_BAD_STATE);
		if (badge & 1) {
			JOB(a, endpoint_call, handle, 0, NEVER, badge);
			CHECK(SYS(endpoint_receive, ep, NEVER).out[1] == 7 && reply(0) == ST_OK);
		} else {
			JOB(a, notification_signal, handle, UINT64_MAX);
			CHECK(SYS(notification_wait, n, NEVER).out[1] == 2);
		}
		(void)job_end(a);
	}
}

/* ---- handles that were good once ---- */

struct relay {
	_Atomic cap_t handle; /* of the moment */
	_Atomic bool over;
	_Atomic uint64_t calls;
	cap_t first; /* what it stood for at first */
};

/* Calls by the handle over and over: it is that of the first endpoint, or none. */
static void use_stale(struct actor *a)
{
	struct relay *r = (struct relay *)a->arg[0];

	while (!atomic_load(&r->over)) {
		status_t st = STATUS(endpoint_call, r->handle, MSG_INFO(5, 0, 0), 0);
		if (st != ST_BAD_CAP && st != ST_DEADLINE)
			a->seen++;
		atomic_fetch_add(&r->calls, 1);
	}
}

/* The slot gets another endpoint, again and again, on which somebody waits: no call by the old
 * handle ever arrives there. */
TEST(attack_stale_handles)
{
	struct relay *r = new_pages(1);
	struct actor *a[3], *waiting = job_new();
	cap_t ep = new_endpoint(), other = new_endpoint();

	r->handle = r->first = copy_of(ep, RIGHT_CALL, 0);
	JOB(waiting, endpoint_receive, other, NEVER);
	CHECK(job_waits(waiting));
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = actor_new(use_stale);
		a[i]->arg[0] = (uint64_t)r;
		actor_start(a[i]);
	}
	for (uint64_t n = 0; n < test_rounds(400); n++) {
		cap_t was = r->handle;
		CHECK(STATUS(cap_drop, start->cspace, was) == ST_OK);
		cap_t fresh = copy_of(other, RIGHT_CALL, 0);
		CHECK(fresh != was);
		CHECK(STATUS(cap_drop, start->cspace, fresh) == ST_OK);
		atomic_store(&r->handle, copy_of(ep, RIGHT_CALL, 0));
		if (n % 64 == 0)
			yield();
	}
	while (atomic_load(&r->calls) < 100)
		yield();
	atomic_store(&r->over, true);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		actor_await(a[i]);
		CHECK(a[i]->seen == 0);
	}
	CHECK(job_waits(waiting));
}

/* ---- a message that changes while it is sent ---- */

/* Writes into the block of another thread, without end. */
static void scribble(struct actor *a)
{
	struct msg_block *b = (struct msg_block *)a->arg[0];

	for (uint64_t n = 0; !atomic_load(&a->seen); n++) {
		volatile struct msg_cap *c = &b->cap[n % 2];
		c->handle = n & 4 ? a->arg[1] : a->arg[2];
		c->rights = n & 8 ? RIGHT_SEND : (rights_t)0xffff;
		c->flags = n & 16 ? 0xfffe : 0;
		((volatile uint64_t *)b->word)[n % 64] = n;
		if (n % 512 == 511)
			SYS(thread_yield, a->self);
	}
}

/* Whatever it is at the moment of the copy, that is checked and that is what arrives. */
TEST(attack_block_changes_while_it_is_sent)
{
	struct actor *client = job_process(), *writer = actor_new(scribble);
	cap_t ep = new_endpoint(), weak = new_endpoint();
	cap_t entrance = actor_give(client, ep, RIGHT_CALL, 1);
	unsigned came = 0, refused = 0;

	writer->arg[0] = (uint64_t)client->block;
	writer->arg[1] = actor_give(client, weak, RIGHT_SEND | RIGHT_COPY | RIGHT_CALL, 9);
	writer->arg[2] = client->self; /* without the right to travel */
	for (unsigned i = 0; i < 2; i++)
		client->block->cap[i] = (struct msg_cap){ writer->arg[1], 0xffff, 0, 0 };
	actor_start(writer);
	for (uint64_t n = 0; n < test_rounds(300); n++) {
		JOB(client, endpoint_call, entrance, MSG_INFO(1, 512, 2), NEVER);
		(void)job_waits(client);
		struct sys_result r = SYS(endpoint_receive, ep, 0);
		CHECK(r.status == ST_OK || r.status == ST_CANCELLED);
		for (unsigned i = 0; r.status == ST_OK && i < 2; i++) {
			struct sys_result c =
				SYS(cap_inspect, start->cspace, own_block()->cap[i].handle);
			rights_t max = RIGHT_SEND | RIGHT_COPY | RIGHT_CALL;
			CHECK(c.status == ST_OK && c.out[0] == OBJ_ENDPOINT);
			CHECK(c.out[1] == max || c.out[1] == RIGHT_SEND);
			CHECK(own_block()->cap[i].rights == c.out[1]);
			CHECK(STATUS(cap_drop, start->cspace, own_block()->cap[i].handle) == ST_OK);
		}
		if (r.status == ST_OK)
			CHECK(reply(0) == ST_OK && ++came > 0);
		else
			refused++;
		status_t st = job_end(client).status;
		CHECK(st == ST_OK || st == ST_NO_RIGHT || st == ST_BAD_ARG);
	}
	CHECK(came + refused > 0);
	atomic_store(&writer->seen, 1);
	actor_await(writer);
}

/* The page of a block is taken out of the program's addresses: messages go on. */
TEST(attack_block_is_unmapped)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), memory = job_block(a);
	uint64_t value = 0;

	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a));
	CHECK(STATUS(aspace_unmap, start->aspace, a->block, 1) == ST_OK);
	struct actor *client = job_new();
	client->block->word[0] = 0xfeed;
	JOB(client, endpoint_call, ep, MSG_INFO(0, 8, 0), NEVER);
	CHECK(job_end(a).status == ST_OK);
	CHECK(STATUS(memory_read, memory, 0, &value, 8) == ST_OK && value == 0xfeed);
}

/* Nobody takes the page away or makes it read-only under the kernel's feet. */
TEST(attack_block_is_decommitted_and_sealed)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), memory = job_block(a);

	for (unsigned i = 0; i < 2; i++) {
		CHECK(STATUS(memory_seal, memory) == ST_BAD_STATE);
		CHECK(STATUS(memory_decommit, memory, 0, 1) == ST_BAD_STATE);
		JOB(a, endpoint_receive, ep, NEVER);
		CHECK(job_waits(a));
		CHECK(STATUS(memory_seal, memory) == ST_BAD_STATE);
		CHECK(STATUS(memory_decommit, memory, 0, 1) == ST_BAD_STATE);
		struct actor *client = job_new();
		client->block->word[3] = i + 5;
		JOB(client, endpoint_call, ep, MSG_INFO(0, 32, 0), NEVER);
		CHECK(job_end(a).status == ST_OK && a->block->word[3] == i + 5);
		JOB(a, endpoint_reply, a->self, 0);
		CHECK(job_end(a).status == ST_OK && job_end(client).status == ST_OK);
	}
	/* With another block in its place the page is free. */
	(void)job_waits(a);
	(void)job_block(a);
	CHECK(STATUS(aspace_unmap, start->aspace, a->block, 1) == ST_OK);
}

/* A copy of the page is one of that moment: what arrives later is not in it. */
TEST(attack_block_is_shared)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), memory = job_block(a), copy = new_memory(2);

	a->block->word[0] = 1;
	CHECK(STATUS(memory_share, copy, memory, 0, 0, 1, SHARE_COPY) == ST_OK);
	CHECK(STATUS(memory_share, copy, memory, 1, 0, 1, SHARE_READ_ONLY) == ST_OK);
	const uint64_t *seen = map(copy, 2, MAP_READ);
	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a));
	struct actor *client = job_new();
	client->block->word[0] = 0x5ec2e7;
	JOB(client, endpoint_call, ep, MSG_INFO(0, 8, 0), NEVER);
	CHECK(job_end(a).status == ST_OK && a->block->word[0] == 0x5ec2e7);
	CHECK(seen[0] == 1 && seen[512] == 1);
}

/* The capability that the block was bound with is revoked by who gave it, again and again,
 * while messages arrive. */
static void send_often(struct actor *a)
{
	while (!atomic_load(&a->seen)) {
		status_t st = STATUS(endpoint_call, a->arg[0], MSG_INFO(0, 512, 0), 0);
		if (st != ST_OK && st != ST_DEADLINE && st != ST_PEER_GONE)
			a->arg[1] = (uint64_t)(int64_t)st;
	}
}

TEST(attack_block_is_revoked_under_messages)
{
	struct actor *client = actor_new(send_often), *a = job_new();
	cap_t ep = new_endpoint(), memory = new_memory(1);

	client->arg[0] = ep;
	actor_start(client);
	for (uint64_t n = 0; n < test_rounds(60); n++) {
		cap_t lent = copy_of(memory, 0xffff, 0);
		(void)job_waits(a);
		CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, lent, 0) == ST_OK);
		JOB(a, endpoint_receive, ep, time_before() + MS);
		if (n % 2 == 0)
			(void)job_waits(a);
		CHECK(STATUS(cap_drop, start->cspace, lent) == ST_OK);
		CHECK(STATUS(cap_revoke, start->cspace, memory) == ST_OK);
		status_t st = job_end(a).status;
		CHECK(st == ST_OK || st == ST_DEADLINE);
	}
	atomic_store(&client->seen, 1);
	job_kill(a);
	actor_await(client);
	CHECK(client->arg[1] == 0);
}

/* ---- bombs ---- */

/* Makes objects until the quota has nothing left: only it has less, and gets all back. */
static void bomb(enum sys_number create, uint64_t arg1, uint64_t arg2, unsigned at_least)
{
	cap_t small = new_quota(64 * MEMORY_PAGE), outer = quota;
	uint64_t before = used(quota);
	struct sys_result r;
	unsigned n = 0;

	while ((r = sys_call6(create, small, arg1, arg2, 0, 0, 0)).status == ST_OK)
		n++;
	CHECK(r.status == ST_NO_MEMORY && n >= at_least);
	CHECK(used(small) <= 64 * MEMORY_PAGE);
	CHECK(used(outer) - before <= 80 * MEMORY_PAGE + n * 64);
	/* Others can still be paid by others. */
	(void)new_endpoint();
	CHECK(STATUS(object_destroy, small) == ST_OK);
	CHECK(used(outer) <= before + n * 64 + 4 * MEMORY_PAGE);
}

TEST(attack_thread_bomb)
{
	bomb(SYS_thread_create, start->aspace, start->cspace, 50);
}

TEST(attack_endpoint_bomb)
{
	bomb(SYS_endpoint_create, 0, 0, 1000);
}

TEST(attack_reply_bomb)
{
	bomb(SYS_reply_create, 0, 0, 1000);
}

TEST(attack_notification_bomb)
{
	bomb(SYS_notification_create, 0, 0, 1000);
}

TEST(attack_timer_bomb)
{
	bomb(SYS_timer_create, new_notification(), 1, 500);
}

TEST(attack_sched_bomb)
{
	bomb(SYS_sched_create, start->sched, 0, 20);
}

TEST(attack_space_bomb)
{
	bomb(SYS_cspace_create, 0, 0, 20);
}

TEST(attack_aspace_bomb)
{
	bomb(SYS_aspace_create, CAP_NONE, ASPACE_PLAIN, 10);
}

TEST(attack_quota_bomb)
{
	bomb(SYS_quota_create, MEMORY_PAGE, 0, 20);
}

/* Quotas within quotas: they end at a depth, and with the first one. */
TEST(attack_quota_tower)
{
	cap_t q = new_quota(1ull << 20), first = q;
	struct sys_result r;
	unsigned depth = 0;

	while ((r = SYS(quota_create, q, 512 * 1024, 0)).status == ST_OK) {
		CHECK(++depth < 64);
		q = r.out[0];
	}
	CHECK(r.status == ST_TOO_BIG && depth > 4);
	CHECK(STATUS(memory_create, q, 1, MEMORY_CONTIGUOUS) == ST_OK);
	CHECK(STATUS(object_destroy, first) == ST_OK);
	CHECK(STATUS(quota_read, q) == ST_BAD_CAP);
}

/* All as often as can be, on one notification each: who is more urgent than nobody goes on. */
TEST(attack_deadline_bomb)
{
	cap_t small = new_quota(64 * MEMORY_PAGE), n = new_notification();
	struct sys_result r;
	unsigned timers = 0;

	while ((r = SYS(timer_create, small, n, 1)).status == ST_OK) {
		CHECK(STATUS(timer_arm, r.out[0], 0, 100000) == ST_OK);
		timers++;
	}
	CHECK(r.status == ST_NO_MEMORY && timers > 500);
	/* This thread gets on. */
	for (unsigned i = 0; i < 200; i++)
		CHECK(SYS(notification_wait, n, NEVER).out[1] == 1);
	struct actor *a = job_process();
	cap_t ep = new_endpoint(), entrance = actor_give(a, ep, RIGHT_CALL, 0);
	for (unsigned i = 0; i < 50; i++) {
		JOB(a, endpoint_call, entrance, 0, NEVER);
		CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK && reply(0) == ST_OK);
		CHECK(job_end(a).status == ST_OK);
	}
	CHECK(STATUS(object_destroy, small) == ST_OK);
}

/* Threads that all wait with deadlines that pass at once. */
TEST(attack_deadlines_that_pass_together)
{
	struct actor *a[40];
	uint64_t then = time_before() + 20 * MS;
	cap_t ep = new_endpoint(), n = new_notification();

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = job_new();
		if (i % 4 == 0)
			JOB(a[i], endpoint_call, ep, 0, then);
		else if (i % 4 == 1)
			JOB(a[i], notification_wait, n, then);
		else
			JOB(a[i], thread_park, a[i]->self, then);
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		status_t st = job_end(a[i]).status;
		CHECK(st == ST_DEADLINE || (i % 4 == 1 && st == ST_WOULD_BLOCK));
	}
	CHECK(SYS(endpoint_receive, ep, 0).status == ST_DEADLINE);
}

/* ---- storms ---- */

static void signal_often(struct actor *a)
{
	while (!atomic_load(&a->seen)) {
		SYS(notification_signal, a->arg[0], a->arg[1]);
		a->arg[2]++;
	}
}

/* Signals without end: who waits gets all kinds of them, and others get on. */
TEST(attack_notification_storm)
{
	struct actor *a[4], *b = job_process();
	cap_t n = new_notification(), ep = new_endpoint();
	cap_t entrance = actor_give(b, ep, RIGHT_CALL, 0);
	uint64_t seen = 0;

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = actor_new(signal_often);
		a[i]->arg[0] = n;
		a[i]->arg[1] = 1ull << i;
		actor_start(a[i]);
	}
	while (seen != 15) {
		struct sys_result r = SYS(notification_wait, n, NEVER);
		CHECK(r.status == ST_OK && r.out[1] != 0 && (r.out[1] & ~15ull) == 0);
		seen |= r.out[1];
		yield();
	}
	for (unsigned i = 0; i < 20; i++) {
		JOB(b, endpoint_call, entrance, 0, NEVER);
		CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK && reply(0) == ST_OK);
		CHECK(job_end(b).status == ST_OK);
	}
	/* It dies under them. */
	CHECK(STATUS(object_destroy, n) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		atomic_store(&a[i]->seen, 1);
		actor_await(a[i]);
		CHECK(a[i]->arg[2] > 0);
	}
}

/* A server bound to a notification that is signalled all the time still serves its clients. */
TEST(attack_bits_do_not_starve_calls)
{
	struct actor *noise = actor_new(signal_often), *client = job_process();
	cap_t n = new_notification(), ep = new_endpoint();
	cap_t entrance = actor_give(client, ep, RIGHT_CALL, 0);

	CHECK(STATUS(thread_configure, start->thread, 0, 0, n) == ST_OK);
	noise->arg[0] = n;
	noise->arg[1] = 1;
	actor_start(noise);
	for (unsigned calls = 0; calls < 20;) {
		if (calls % 2 == 0)
			JOB(client, endpoint_call, entrance, 0, NEVER);
		struct sys_result r;
		while ((r = SYS(endpoint_receive, ep, NEVER)).out[0] & MSG_NOTIFICATION)
			CHECK(r.status == ST_OK);
		CHECK(r.status == ST_OK && reply(0) == ST_OK);
		CHECK(job_end(client).status == ST_OK);
		calls += 2;
	}
	atomic_store(&noise->seen, 1);
	actor_await(noise);
	CHECK(STATUS(object_destroy, n) == ST_OK);
}

/* ---- priorities ---- */

static void count(struct actor *a)
{
	for (;;)
		atomic_fetch_add(&a->seen, 1);
}

static void serve_and_count(struct actor *a)
{
	SYS(endpoint_receive, a->arg[0], NEVER);
	for (;;)
		atomic_fetch_add(&a->seen, 1);
}

static void await_more(const struct actor *a, uint64_t seen)
{
	while (a->seen <= seen)
		sleep_until(time_before() + MS);
}

/* Once `urgent` runs it has the CPU to itself. */
static void stands_still_beside(const struct actor *a, struct actor *urgent)
{
	actor_start(urgent);
	await_more(urgent, 0);
	uint64_t before = a->seen;
	sleep_until(time_before() + 10 * MS);
	CHECK(a->seen == before);
}

/* A call lends no more than the caller has: the server that spins in it is in nobody's way. */
TEST(attack_priority_by_a_call)
{
	cap_t ep = new_endpoint();
	struct actor *server = actor_new(serve_and_count), *client = job_new();
	struct actor *other = actor_new(count);

	server->arg[0] = ep;
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
	actor_configure(server, sched, CAP_NONE, CAP_NONE);
	actor_start(server);
	CHECK(job_waits(server));
	/* Passive from here on. */
	CHECK(STATUS(object_destroy, sched) == ST_OK);
	give_priority(client, 20, 1);
	give_priority(other, 60, 1);
	JOB(client, endpoint_call, ep, 0, NEVER);
	await_more(server, 0);
	stands_still_beside(server, other);
	uint64_t before = server->seen;
	job_kill(other);
	await_more(server, before);
}

/* Who lends by a call and dies has lent nothing any more. */
TEST(attack_priority_of_the_dead)
{
	cap_t ep = new_endpoint();
	struct actor *server = actor_new(serve_and_count), *client = job_new();
	struct actor *other = actor_new(count);

	server->arg[0] = ep;
	give_priority(server, 20, 1);
	actor_start(server);
	struct arch_registers r;
	while (STATUS(thread_read_registers, server->thread, &r) == ST_BAD_STATE)
		sleep_until(time_before() + MS); /* it is less urgent than this thread */
	give_priority(client, 100, 1);
	give_priority(other, 60, 1);
	JOB(client, endpoint_call, ep, 0, NEVER);
	await_more(server, 0);
	job_kill(client);
	stands_still_beside(server, other);
}

/* ---- partners ---- */

/* Takes calls, never answers, and dies with them: every client is told. */
TEST(attack_receiver_that_never_answers)
{
	cap_t ep = new_endpoint();

	for (unsigned n = 0; n < 50; n++) {
		struct actor *bad = job_new(), *client[3];
		for (unsigned i = 0; i < 3; i++) {
			client[i] = job_new();
			JOB(client[i], endpoint_call, ep, MSG_INFO(0, 8, 0), NEVER);
			CHECK(job_waits(client[i]));
		}
		JOB(bad, endpoint_receive, ep, NEVER);
		CHECK(job_end(bad).status == ST_OK);
		job_kill(bad);
		CHECK(job_end(client[0]).status == ST_PEER_GONE);
		CHECK(job_waits(client[1]) && job_waits(client[2]));
		for (unsigned i = 1; i < 3; i++)
			CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK &&
			      reply(0) == ST_OK);
		for (unsigned i = 0; i < 3; i++) {
			(void)job_end(client[i]);
			job_kill(client[i]);
		}
	}
}

/* Sends capabilities without end to a server that drops what it gets: it pays for none. */
TEST(attack_server_pays_for_gifts)
{
	cap_t payer = new_quota(2ull << 20), outer = quota, ep = new_endpoint();
	struct actor *client = job_process(), *server;

	quota = payer;
	server = job_process();
	quota = outer;
	cap_t service = actor_give(server, ep, RIGHT_RECEIVE, 0);
	cap_t entrance = actor_give(client, ep, RIGHT_CALL, 0);
	cap_t gift = actor_give(client, new_endpoint(), 0xffff, 0);
	uint64_t before = 0;
	for (uint64_t n = 0; n < test_rounds(200); n++) {
		for (unsigned i = 0; i < MSG_CAPS; i++)
			client->block->cap[i] = (struct msg_cap){ gift, 0xffff, 0, 0 };
		JOB(client, endpoint_call, entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
		JOB(server, endpoint_receive, service, NEVER);
		CHECK(job_end(server).status == ST_OK);
		for (unsigned i = 0; i < MSG_CAPS; i++)
			CHECK(STATUS(cap_drop, server->cspace, server->block->cap[i].handle) ==
			      ST_OK);
		JOB(server, endpoint_reply, server->self, 0);
		CHECK(job_end(server).status == ST_OK && job_end(client).status == ST_OK);
		if (n == 0)
			before = used(payer);
		CHECK(used(payer) == before);
	}
}

/* To one that keeps them, until it can pay for no more: then it is told, serves all that bring
 * nothing, and goes on when it has made room. */
TEST(attack_server_is_filled_up)
{
	cap_t payer = new_quota(256 * MEMORY_PAGE), outer = quota, ep = new_endpoint();
	struct actor *client = job_process(), *server;
	unsigned taken = 0;

	quota = payer;
	server = job_process();
	quota = outer;
	cap_t service = actor_give(server, ep, RIGHT_RECEIVE, 0);
	cap_t entrance = actor_give(client, ep, RIGHT_CALL, 0);
	cap_t gift = actor_give(client, new_endpoint(), 0xffff, 0);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		client->block->cap[i] = (struct msg_cap){ gift, 0xffff, 0, 0 };
	JOB(server, endpoint_receive, service, 0); /* its pages are there from then on */
	CHECK(job_end(server).status == ST_DEADLINE);
	CHECK(STATUS(quota_resize, payer, used(payer) + 8 * MEMORY_PAGE, 0) == ST_OK);
	status_t st;
	do {
		JOB(client, endpoint_call, entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
		JOB(server, endpoint_receive, service, NEVER);
		st = job_end(server).status;
		CHECK(++taken < 10000);
		if (st == ST_OK) {
			JOB(server, endpoint_reply, server->self, 0);
			CHECK(job_end(server).status == ST_OK);
		}
		CHECK(job_end(client).status == st);
	} while (st == ST_OK);
	CHECK(st == ST_NO_MEMORY && taken > 50);
	JOB(client, endpoint_call, entrance, MSG_INFO(0, 64, 0), NEVER);
	JOB(server, endpoint_receive, service, NEVER);
	CHECK(job_end(server).status == ST_OK);
	JOB(server, endpoint_reply, server->self, 0);
	CHECK(job_end(server).status == ST_OK && job_end(client).status == ST_OK);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		CHECK(STATUS(cap_drop, server->cspace, server->block->cap[i].handle) == ST_OK);
	JOB(client, endpoint_call, entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
	JOB(server, endpoint_receive, service, NEVER);
	CHECK(job_end(server).status == ST_OK);
}

/* Calls, dies, and is there again: the server's books are as before. */
TEST(attack_clients_that_die_in_calls)
{
	cap_t ep = new_endpoint(), later = make(SYS_reply_create, 0, 0, 0);

	for (unsigned n = 0; n < 100; n++) {
		struct actor *a = job_new();
		JOB(a, endpoint_call, ep, MSG_INFO(0, 512, 0), NEVER);
		if (n % 3 != 0)
			CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK);
		else
			CHECK(job_waits(a));
		if (n % 3 == 2)
			CHECK(STATUS(reply_save, later) == ST_OK);
		job_kill(a);
		CHECK(reply(0) == ST_PEER_GONE);
	}
	CHECK(SYS(endpoint_receive, ep, 0).status == ST_DEADLINE);
}

/* ---- ends ---- */

/* One thread destroys the quota that pays for them all, the other stops him in the middle: it ends
 * all the same. */
static void destroy_all(struct actor *a)
{
	SYS(object_destroy, a->arg[0]);
	a->seen = 1;
}

static void stop_all(struct actor *a)
{
	while (STATUS(quota_read, a->arg[1]) != ST_BAD_CAP)
		continue;
	for (;;)
		SYS(thread_suspend, a->arg[0]);
}

TEST(attack_destroyer_is_stopped)
{
	on_one_cpu(true);
	uint64_t before = used(quota);
	for (unsigned n = 0; n < 4; n++) {
		cap_t outer = quota, payer = new_quota(8ull << 20);
		quota = payer;
		struct actor *a = actor_new(destroy_all), *b = actor_new(stop_all);
		for (unsigned i = 0; i < 1000; i++) /* they go before the threads */
			(void)new_quota(MEMORY_PAGE);
		quota = outer;
		a->arg[0] = payer;
		b->arg[0] = a->thread;
		b->arg[1] = payer;
		actor_start(b);
		actor_start(a);
		while (STATUS(quota_read, payer) != ST_BAD_CAP)
			yield();
		/* What it had comes back, though nobody can name it any more. */
		while (used(quota) > before + 8 * MEMORY_PAGE)
			yield();
	}
	on_one_cpu(false);
}

/* A process destroys what has much in it, and in the middle loses its addresses or its handles:
 * what it has begun comes to an end. */
TEST(attack_destroyer_loses_his_space)
{
	on_one_cpu(true);
	for (unsigned n = 0; n < 4; n++) {
		struct actor *a = process_new(destroy_all);
		uint64_t before = used(quota);
		cap_t outer = quota, victim = new_quota(8ull << 20);

		quota = victim;
		for (unsigned i = 0; i < 1000; i++)
			(void)new_quota(MEMORY_PAGE);
		quota = outer;
		a->arg[0] = actor_give(a, victim, RIGHT_DESTROY, 0);
		actor_start(a);
		while (STATUS(quota_read, victim) != ST_BAD_CAP)
			yield();
		CHECK(STATUS(object_destroy, n & 1 ? a->aspace : a->cspace) == ST_OK);
		while (used(quota) > before + 8 * MEMORY_PAGE)
			yield();
		job_kill(a);
	}
	on_one_cpu(false);
}

/* A capability to pages that the object does not have is good for nothing. */
TEST(attack_pages_behind_the_end)
{
	cap_t memory = new_memory(4), view;
	uint64_t word;

	CHECK(STATUS(memory_commit, memory, 0, 4) == ST_OK);
	cap_t wide = copy_of(memory, 0xffff, 0ull << 32 | 100000);
	CHECK(STATUS(memory_read, wide, 0, &word, 8) == ST_BAD_ARG);
	CHECK(STATUS(memory_commit, wide, 4, 1) == ST_BAD_ARG);
	CHECK(STATUS(aspace_map, start->aspace, wide, 0x5000000, 4, 1, MAP_READ) == ST_BAD_ARG);
	CHECK(STATUS(thread_configure, start->thread, 0, 0, 0, wide, 4 * MEMORY_PAGE) ==
	      ST_BAD_ARG);
	CHECK(STATUS(memory_seal, memory) == ST_OK);
	struct sys_result r = SYS(memory_view, quota, wide);
	CHECK(r.status == ST_BAD_ARG);
	view = make(SYS_memory_view, memory, 0, 0);
	CHECK(STATUS(memory_read, view, 4 * MEMORY_PAGE, &word, 8) == ST_BAD_ARG);
}

/* A thread of one's own in a guest half would see the personality that serves it. */
TEST(attack_thread_in_a_guest_half)
{
	cap_t half = make(SYS_aspace_create, CAP_NONE, ASPACE_PERSONALITY, 0);
	cap_t guest = make(SYS_aspace_create, half, ASPACE_GUEST, 0);

	CHECK(STATUS(thread_create, quota, guest, start->cspace) == ST_BAD_ARG);
	CHECK(STATUS(thread_create, quota, half, start->cspace) == ST_OK);
	/* Who serves no guest enters none. */
	CHECK(STATUS(guest_enter, start->thread) == ST_BAD_STATE);
}
