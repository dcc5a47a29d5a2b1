/* SPDX-License-Identifier: MIT */
/* Threads: how they are made, configured, stopped, let go on, looked into and ended. */
#include "job.h"
#include <stdatomic.h>

static status_t suspend(struct actor *a)
{
	return STATUS(thread_suspend, a->thread);
}

static status_t resume(struct actor *a)
{
	return STATUS(thread_resume, a->thread);
}

static status_t registers(struct actor *a, struct arch_registers *r)
{
	return STATUS(thread_read_registers, a->thread, r);
}

/* Counts until somebody stops it. */
static void count(struct actor *a)
{
	for (;;)
		atomic_fetch_add(&a->seen, 1);
}

/* True if it counts. */
static bool counts(struct actor *a)
{
	uint64_t before = atomic_load(&a->seen);

	for (unsigned n = 0; n < 100000 && atomic_load(&a->seen) == before; n++)
		yield();
	return atomic_load(&a->seen) != before;
}

/* True if it stands: not even the count that it was at goes on. */
static bool stands(struct actor *a)
{
	uint64_t before = atomic_load(&a->seen);

	for (unsigned n = 0; n < 200; n++)
		yield();
	return atomic_load(&a->seen) == before;
}

/* ---- making ---- */

TEST(thread_without_anything_does_not_run)
{
	struct sys_result r = SYS(thread_create, quota, start->aspace, start->cspace);
	struct arch_registers regs;
	struct actor *a = job_new();

	CHECK(r.status == ST_OK);
	CHECK(STATUS(thread_read_registers, r.out[0], &regs) == ST_OK);
	CHECK(regs.rip == 0 && regs.rsp == 0 && regs.rax == 0 && regs.rdi == 0);
	/* Resumed without a sched it waits for one; its fault then stops it. */
	CHECK(STATUS(thread_resume, r.out[0]) == ST_OK);
	CHECK(STATUS(thread_read_registers, r.out[0], &regs) == ST_OK);
	CHECK(STATUS(thread_configure, r.out[0], start->sched) == ST_OK);
	JOB(a, thread_park, a->self, 0);
	CHECK(job_end(a).status == ST_DEADLINE);
	while (STATUS(thread_read_registers, r.out[0], &regs) == ST_BAD_STATE)
		yield();
	CHECK(regs.rip == 0);
}

TEST(thread_that_nobody_can_pay)
{
	cap_t poor = new_quota(3 * MEMORY_PAGE), outer = quota;
	cap_t thread[64];
	unsigned n = 0;
	struct sys_result r;

	while ((r = SYS(thread_create, poor, start->aspace, start->cspace)).status == ST_OK) {
		CHECK(n < ARRAY_LEN(thread));
		thread[n++] = r.out[0];
	}
	CHECK(r.status == ST_NO_MEMORY && r.out[0] == 0 && n > 0);
	uint64_t used = SYS(quota_read, poor).out[0];
	CHECK(used <= 3 * MEMORY_PAGE);
	for (unsigned i = 0; i < n; i++)
		CHECK(STATUS(object_destroy, thread[i]) == ST_OK);
	CHECK(STATUS(thread_create, poor, start->aspace, start->cspace) == ST_OK);
	CHECK(quota == outer);
}

/* ---- configuring ---- */

TEST(thread_block_lies_where_it_may)
{
	static const uint64_t bad[] = {
		1, 8, 1023, 1025, 512, 4096, 1 << 20, 1ull << 63, UINT64_MAX - 1023, 4096 * 3
	};
	struct actor *a = job_new(), *client = job_new();
	cap_t memory = new_memory(3), ep = new_endpoint();
	cap_t slice = copy_of(memory, 0xffff, 1ull << 32 | 1);
	uint64_t *va = map(memory, 3, MAP_READ | MAP_WRITE);

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, slice, bad[i]) == ST_BAD_ARG);
	CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, memory, 4096 * 3) == ST_BAD_ARG);
	/* In a slice, offsets begin where the slice does. */
	for (uint64_t offset = 0; offset < 4096; offset += 1024) {
		CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, slice, offset) == ST_OK);
		JOB(a, endpoint_receive, ep, NEVER);
		CHECK(job_waits(a));
		client->block->word[0] = offset + 5;
		JOB(client, endpoint_call, ep, MSG_INFO(0, 8, 0), NEVER);
		CHECK(job_end(a).status == ST_OK && va[512 + offset / 8] == offset + 5);
		JOB(a, endpoint_reply, a->self, 0);
		CHECK(job_end(a).status == ST_OK && job_end(client).status == ST_OK);
		CHECK(job_waits(a) == false);
	}
}

/* What can't be written can't be a block. */
TEST(thread_block_can_be_written)
{
	struct actor *a = job_new();
	cap_t memory = new_memory(1), sealed = new_memory(1), shared = new_memory(1);
	cap_t weak = copy_of(memory, 0xffff & ~RIGHT_WRITE, 0);

	CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, weak, 0) == ST_NO_RIGHT);
	cap_t unread = copy_of(memory, RIGHT_WRITE | RIGHT_MAP, 0); /* a message would tell it */
	CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, unread, 0) == ST_NO_RIGHT);
	CHECK(STATUS(memory_commit, sealed, 0, 1) == ST_OK);
	CHECK(STATUS(memory_seal, sealed) == ST_OK);
	CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, sealed, 0) == ST_BAD_STATE);
	CHECK(STATUS(memory_commit, memory, 0, 1) == ST_OK);
	CHECK(STATUS(memory_share, shared, memory, 0, 0, 1, SHARE_READ_ONLY) == ST_OK);
	CHECK(STATUS(thread_configure, a->thread, 0, 0, 0, shared, 0) == ST_NO_RIGHT);
}

/* All that was asked for, or nothing. */
TEST(thread_configuration_is_all_or_nothing)
{
	cap_t ep = new_endpoint(), n = new_notification(), other = new_notification();
	struct actor *a = job_new(), *b = job_new();
	cap_t memory = new_memory(1);

	actor_configure(b, CAP_NONE, CAP_NONE, n);
	CHECK(STATUS(thread_configure, a->thread, start->sched, ep, n, memory, 0) == ST_EXISTS);
	CHECK(STATUS(thread_configure, a->thread, start->sched, ep, other, memory, 3) ==
	      ST_BAD_ARG);
	CHECK(STATUS(thread_configure, a->thread, start->sched, ep, other, ep, 0) == ST_BAD_TYPE);
	/* `other` was not bound: it is free for somebody else. */
	CHECK(STATUS(thread_configure, start->thread, 0, 0, other) == ST_OK);
	/* The block is what it was. */
	JOB(a, endpoint_call, ep, MSG_INFO(0, 16, 0), NEVER);
	a->block->word[1] = 0;
	CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK);
	own_block()->word[1] = 0xabc;
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(0, 16, 0)) == ST_OK);
	CHECK(job_end(a).status == ST_OK && a->block->word[1] == 0xabc);
	CHECK(STATUS(object_destroy, other) == ST_OK);
}

TEST(thread_is_configured_while_it_is_stopped)
{
	struct actor *runs = actor_new(count), *waits = job_new();
	cap_t n = new_notification();

	actor_start(runs);
	CHECK(counts(runs));
	CHECK(STATUS(thread_configure, runs->thread, start->sched) == ST_BAD_STATE);
	JOB(waits, notification_wait, n, NEVER);
	CHECK(job_waits(waits));
	CHECK(STATUS(thread_configure, waits->thread, start->sched) == ST_BAD_STATE);
	/* Suspended in its wait it still waits. */
	CHECK(suspend(waits) == ST_OK);
	CHECK(STATUS(thread_configure, waits->thread, start->sched) == ST_BAD_STATE);
	CHECK(suspend(runs) == ST_OK);
	CHECK(STATUS(thread_configure, runs->thread, start->sched) == ST_OK);
	CHECK(resume(runs) == ST_OK && counts(runs));
	/* It can do so itself. */
	CHECK(STATUS(thread_configure, start->thread, start->sched) == ST_OK);
}

/* Without a sched a thread stands, until it is given one. */
TEST(thread_whose_sched_is_destroyed)
{
	struct actor *a = actor_new(count);
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);

	actor_configure(a, sched, CAP_NONE, CAP_NONE);
	actor_start(a);
	CHECK(counts(a));
	CHECK(STATUS(object_destroy, sched) == ST_OK);
	CHECK(stands(a));
	CHECK(resume(a) == ST_OK && stands(a));
	CHECK(STATUS(thread_configure, a->thread, start->sched) == ST_OK);
	CHECK(resume(a) == ST_OK && counts(a));
}

/* The block goes with its memory: what is on its way is not harmed. */
TEST(thread_whose_block_is_destroyed)
{
	struct actor *a = job_new();
	cap_t ep = new_endpoint(), memory = job_block(a);

	JOB(a, endpoint_call, ep, MSG_INFO(1, 8, 0), NEVER);
	CHECK(job_waits(a));
	CHECK(STATUS(object_destroy, memory) == ST_OK);
	struct sys_result r = SYS(endpoint_receive, ep, NEVER);
	CHECK(r.status == ST_OK && MSG_METHOD(r.out[0]) == 1);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(2, 8, 0)) == ST_OK);
	r = job_end(a);
	CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(2, 0, 0));
}

/* Without its spaces a thread ends. */
TEST(thread_whose_space_is_destroyed)
{
	for (unsigned i = 0; i < 2; i++) {
		struct actor *a = process_new(count);
		actor_start(a);
		CHECK(counts(a));
		CHECK(STATUS(object_destroy, i == 0 ? a->aspace : a->cspace) == ST_OK);
		CHECK(stands(a));
		CHECK(resume(a) == ST_OK && stands(a));
		CHECK(STATUS(object_destroy, a->thread) == ST_OK);
	}
}

/* ---- park and unpark ---- */

TEST(thread_unpark_is_kept)
{
	struct actor *a = job_new();

	CHECK(STATUS(thread_unpark, a->thread) == ST_OK);
	CHECK(STATUS(thread_unpark, a->thread) == ST_OK);
	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_end(a).status == ST_OK);
	/* Once, however many there were. */
	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_waits(a) && STATUS(thread_unpark, a->thread) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
	JOB(a, thread_park, a->self, 0);
	CHECK(job_end(a).status == ST_DEADLINE);
}

TEST(thread_parks_with_a_deadline)
{
	struct actor *a = job_new();
	cap_t n = new_notification();
	uint64_t soon = time_before() + 2 * MS;

	CHECK(STATUS(thread_park, start->thread, 0) == ST_DEADLINE);
	CHECK(STATUS(thread_park, start->thread, 1) == ST_DEADLINE);
	CHECK(STATUS(thread_park, start->thread, soon) == ST_DEADLINE);
	CHECK(STATUS(notification_wait, n, soon) == ST_WOULD_BLOCK);
	JOB(a, thread_park, a->self, NEVER - 1);
	CHECK(job_waits(a) && STATUS(thread_unpark, a->thread) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
}

TEST(thread_parks_itself_only)
{
	struct actor *a = job_new();

	CHECK(STATUS(thread_park, a->thread, 0) == ST_BAD_ARG);
	CHECK(STATUS(thread_yield, a->thread) == ST_BAD_ARG);
	JOB(a, thread_yield, start->thread);
	CHECK(job_end(a).status == ST_BAD_ARG);
	JOB(a, thread_yield, a->self);
	CHECK(job_end(a).status == ST_OK);
}

/* It ends no other wait, and is there for the next park. */
TEST(thread_unpark_ends_no_other_wait)
{
	cap_t n = new_notification(), weak;
	struct actor *a = job_new();

	weak = copy_of(a->thread, RIGHT_UNPARK, 0);
	JOB(a, notification_wait, n, NEVER);
	CHECK(job_waits(a) && STATUS(thread_unpark, weak) == ST_OK && job_waits(a));
	CHECK(STATUS(thread_kick, weak) == ST_OK && job_waits(a));
	CHECK(STATUS(notification_signal, n, 1) == ST_OK && job_end(a).status == ST_OK);
	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_end(a).status == ST_OK);
}

/* ---- suspend and resume ---- */

TEST(thread_suspended_while_it_runs)
{
	struct actor *a = actor_new(count);

	actor_start(a);
	for (unsigned i = 0; i < 50; i++) {
		CHECK(counts(a));
		CHECK(suspend(a) == ST_OK);
		uint64_t seen = atomic_load(&a->seen);
		CHECK(suspend(a) == ST_OK); /* again is no change */
		yield();
		CHECK(atomic_load(&a->seen) == seen && resume(a) == ST_OK);
	}
	CHECK(suspend(a) == ST_OK && stands(a));
	CHECK(resume(a) == ST_OK && resume(a) == ST_OK && counts(a));
}

TEST(thread_suspended_while_it_is_ready)
{
	struct actor *a[6];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = actor_new(count);
		actor_start(a[i]);
		CHECK(suspend(a[i]) == ST_OK);
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		CHECK(stands(a[i]));
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		CHECK(resume(a[i]) == ST_OK && counts(a[i]));
}

/* A thread that stops itself is not behind the call until it is resumed. */
static void stop_oneself(struct actor *a)
{
	a->seen = 1;
	a->arg[0] = (uint64_t)(int64_t)STATUS(thread_suspend, a->self);
	a->seen = 2;
}

TEST(thread_suspends_itself)
{
	struct actor *a = actor_new(stop_oneself);

	actor_start(a);
	CHECK(job_waits(a) && a->seen == 1);
	CHECK(resume(a) == ST_OK);
	actor_await(a);
	CHECK(a->seen == 2 && (int64_t)a->arg[0] == ST_OK);
}

/* Parked: the wait goes on, and its end leaves it where it is. */
TEST(thread_suspended_while_it_is_parked)
{
	struct actor *a = job_new();
	struct arch_registers r;

	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_waits(a) && suspend(a) == ST_OK);
	CHECK(STATUS(thread_unpark, a->thread) == ST_OK);
	CHECK(job_waits(a) && registers(a, &r) == ST_OK && r.rax == ST_OK);
	CHECK(resume(a) == ST_OK && job_end(a).status == ST_OK);
	JOB(a, thread_park, a->self, time_before() + MS);
	CHECK(suspend(a) == ST_OK);
	bool stopped = !atomic_load(&a->done); /* it may be over already */
	sleep_until(time_before() + 2 * MS);
	CHECK(atomic_load(&a->done) == !stopped && registers(a, &r) == ST_OK);
	CHECK(resume(a) == ST_OK && job_end(a).status == ST_DEADLINE);
}

TEST(thread_suspended_while_it_receives)
{
	struct actor *a = job_new(), *client = job_new();
	cap_t ep = new_endpoint();

	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a) && suspend(a) == ST_OK);
	JOB(client, endpoint_call, ep, MSG_INFO(3, 0, 0), NEVER);
	CHECK(job_waits(client) && job_waits(a));
	CHECK(resume(a) == ST_OK && MSG_METHOD(job_end(a).out[0]) == 3);
}

/* Stopped over and over by others while it makes calls, it makes all of them. */
static void call_often(struct actor *a)
{
	for (unsigned i = 0; i < a->arg[1]; i++) {
		struct sys_result r = SYS(endpoint_call, a->arg[0], MSG_INFO(i, 0, 0), NEVER);
		if (r.status != ST_OK || MSG_METHOD(r.out[0]) != i + 1)
			return;
		a->seen++;
	}
}

static void answer_often(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);

	while (r.status == ST_OK)
		r = SYS(endpoint_reply_receive, a->arg[0], MSG_INFO(MSG_METHOD(r.out[0]) + 1, 0, 0),
			NEVER);
}

TEST(thread_suspended_all_the_time)
{
	uint64_t calls = test_rounds(2000);
	struct actor *client = actor_new(call_often), *server = actor_new(answer_often);
	cap_t ep = new_endpoint();

	client->arg[0] = server->arg[0] = ep;
	client->arg[1] = calls;
	actor_start(server);
	actor_start(client);
	while (!atomic_load(&client->done)) {
		CHECK(suspend(client) == ST_OK && suspend(server) == ST_OK);
		CHECK(resume(client) == ST_OK && resume(server) == ST_OK);
		yield();
	}
	CHECK(client->seen == calls);
}

/* ---- registers ---- */

TEST(thread_registers_of_one_that_runs)
{
	struct actor *a = actor_new(count);
	struct arch_registers r;

	actor_start(a);
	CHECK(counts(a));
	status_t st = registers(a, &r);
	CHECK(st == ST_BAD_STATE);
	CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_STATE);
	CHECK(STATUS(thread_read_registers, start->thread, &r) == ST_BAD_STATE);
	CHECK(suspend(a) == ST_OK && registers(a, &r) == ST_OK);
	CHECK(r.rip != 0 && r.rsp < a->stack_top && r.rsp > a->stack_top - 4 * MEMORY_PAGE);
	CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_OK);
	CHECK(resume(a) == ST_OK && counts(a));
}

/* They can be read while a call is out, but not written: the results will be. */
TEST(thread_registers_of_one_that_waits)
{
	struct actor *a = job_new();
	struct arch_registers r;
	cap_t ep = new_endpoint(), n = new_notification();

	for (unsigned i = 0; i < 4; i++) {
		if (i == 0)
			JOB(a, endpoint_call, ep, 0, NEVER);
		else if (i == 1)
			JOB(a, endpoint_receive, ep, NEVER);
		else if (i == 2)
			JOB(a, notification_wait, n, NEVER);
		else
			JOB(a, thread_park, a->self, NEVER);
		CHECK(job_waits(a) && registers(a, &r) == ST_OK);
		CHECK(r.rsp < a->stack_top && r.rsp > a->stack_top - 4 * MEMORY_PAGE);
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_STATE);
		CHECK(suspend(a) == ST_OK);
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_STATE);
		CHECK(resume(a) == ST_OK);
		if (i == 0)
			CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK &&
			      STATUS(thread_write_registers, a->thread, &r) == ST_BAD_STATE &&
			      STATUS(endpoint_reply, start->thread, 0) == ST_OK);
		else if (i == 1)
			CHECK(STATUS(endpoint_call, ep, 0, time_before() + MS) == ST_DEADLINE);
		else if (i == 2)
			CHECK(STATUS(notification_signal, n, 1) == ST_OK);
		else
			CHECK(STATUS(thread_unpark, a->thread) == ST_OK);
		CHECK(job_end(a).status == ST_OK);
	}
}

/* All of them arrive, and none of somebody else's. */
TEST(thread_registers_are_as_written)
{
	struct actor *a = job_new();
	struct arch_registers w, r;
	uint64_t *word = (uint64_t *)&w;

	for (unsigned i = 0; i < sizeof(w) / 8; i++)
		word[i] = 0x0101010101010101ull * (i + 1) & 0x00007fffffff0fffull;
	CHECK(STATUS(thread_write_registers, a->thread, &w) == ST_OK);
	CHECK(registers(a, &r) == ST_OK);
	w.rflags = r.rflags;
	CHECK(memcmp(&w, &r, sizeof(w)) == 0);
}

TEST(thread_registers_with_bad_buffers)
{
	static const uint64_t bad[] = {
		0,          8,          USER_ADDRESS_END - 8, USER_ADDRESS_END,
		1ull << 47, 1ull << 63, UINT64_MAX - 100,     UINT64_MAX
	};
	struct actor *a = job_new();
	char *page = map(new_memory(1), 1, MAP_READ | MAP_WRITE);
	char *constant = map(new_memory(1), 1, MAP_READ);
	struct arch_registers r, before;

	CHECK(registers(a, &before) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(STATUS(thread_read_registers, a->thread, bad[i]) == ST_BAD_ADDRESS);
		CHECK(STATUS(thread_write_registers, a->thread, bad[i]) == ST_BAD_ADDRESS);
	}
	/* Half of it is not mapped. */
	char *end = page + MEMORY_PAGE - sizeof(r) / 2;
	CHECK(STATUS(thread_read_registers, a->thread, end) == ST_BAD_ADDRESS);
	CHECK(STATUS(thread_write_registers, a->thread, end) == ST_BAD_ADDRESS);
	CHECK(STATUS(thread_read_registers, a->thread, constant) == ST_BAD_ADDRESS);
	CHECK(registers(a, &r) == ST_OK && memcmp(&r, &before, sizeof(r)) == 0);
	/* Not aligned, and in pages that are not there yet, they work. */
	char *fresh = new_pages(2);
	CHECK(STATUS(thread_read_registers, a->thread, fresh + MEMORY_PAGE - 61) == ST_OK);
	CHECK(STATUS(thread_write_registers, a->thread, fresh + MEMORY_PAGE - 61) == ST_OK);
}

/* ---- ends ---- */

/* Destroyed in each state it can be in, it is gone at once. */
TEST(thread_dies_in_each_state)
{
	cap_t ep = new_endpoint(), n = new_notification(), served = new_endpoint();

	for (unsigned i = 0; i < 7; i++) {
		struct actor *a = i == 1 ? actor_new(count) : job_new();
		if (i == 1) {
			actor_start(a);
			CHECK(counts(a));
		} else if (i == 2) {
			JOB(a, thread_park, a->self, NEVER);
		} else if (i == 3) {
			JOB(a, notification_wait, n, NEVER - 1);
		} else if (i == 4) {
			JOB(a, endpoint_receive, ep, NEVER - 1);
		} else if (i == 5) {
			JOB(a, endpoint_call, served, 0, NEVER - 1);
		} else if (i == 6) {
			JOB(a, endpoint_call, served, 0, NEVER - 1);
			CHECK(SYS(endpoint_receive, served, NEVER).status == ST_OK);
		}
		if (i > 1)
			CHECK(job_waits(a));
		CHECK(STATUS(object_destroy, a->thread) == ST_OK);
		CHECK(resume(a) == ST_BAD_CAP && suspend(a) == ST_BAD_CAP);
		CHECK(stands(a));
	}
	CHECK(STATUS(endpoint_call, ep, 0, 0) == ST_DEADLINE);
	CHECK(SYS(endpoint_receive, served, 0).status == ST_DEADLINE);
}

/* The last capability to a thread that runs is dropped: that is its end. */
TEST(thread_dies_with_its_last_capability)
{
	struct actor *a = actor_new(count);

	actor_start(a);
	CHECK(counts(a));
	CHECK(STATUS(cap_drop, start->cspace, a->thread) == ST_OK);
	CHECK(stands(a));
}

/* It destroys itself, and nothing that comes after the call is done. */
static void end_oneself(struct actor *a)
{
	a->seen = 1;
	SYS(object_destroy, a->arg[0]);
	a->seen = 2;
}

TEST(thread_destroys_itself)
{
	struct actor *a = actor_new(end_oneself);
	struct actor *p = process_new(end_oneself);

	a->arg[0] = a->self;
	actor_start(a);
	while (STATUS(thread_unpark, a->thread) != ST_BAD_CAP)
		yield();
	CHECK(stands(a) && a->seen == 1);
	/* The same with its space of addresses. */
	p->arg[0] = actor_give(p, p->aspace, RIGHT_DESTROY, 0);
	actor_start(p);
	while (STATUS(aspace_unmap, p->aspace, MEMORY_PAGE, 1) != ST_BAD_CAP)
		yield();
	CHECK(stands(p) && p->seen == 1);
}

/* ---- faults ---- */

static void fault_at(struct actor *a)
{
	a->seen = *(volatile uint64_t *)a->arg[0];
}

TEST(thread_fault_is_told_in_full)
{
	cap_t handler = new_endpoint();
	struct actor *a = actor_new(fault_at);
	struct arch_registers r;
	struct msg_fault f;

	actor_configure(a, start->sched, copy_of(handler, RIGHT_CALL, 0x5151), CAP_NONE);
	a->arg[0] = 0x7000;
	actor_start(a);
	struct sys_result m = SYS(endpoint_receive, handler, NEVER);
	CHECK(m.status == ST_OK && m.out[0] == (MSG_INFO(0, sizeof(f), 0) | MSG_FAULT));
	CHECK(m.out[1] == 0x5151 && m.out[2] != 0);
	memcpy(&f, own_block()->word, sizeof(f));
	CHECK(STATUS(thread_read_registers, a->thread, &r) == ST_OK);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_READ && f.address == 0x7000);
	CHECK(f.pc == r.rip && f.sp == r.rsp && f.flags == r.rflags && f.vector == 14);
	CHECK((int64_t)f.status == ST_BAD_ADDRESS && f.reserved == 0);
}

/* The handler maps what is missing, or changes registers; the thread goes on. */
TEST(thread_fault_is_mended)
{
	cap_t handler = new_endpoint(), memory = new_memory(1), later;
	struct actor *a = actor_new(fault_at);
	const uint64_t va = 0x5000000;

	actor_configure(a, CAP_NONE, handler, CAP_NONE);
	later = make(SYS_reply_create, 0, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		a->arg[0] = va;
		a->seen = 0;
		(void)job_waits(a);
		actor_start(a);
		struct sys_result m = SYS(endpoint_receive, handler, NEVER);
		CHECK(m.status == ST_OK && (m.out[0] & MSG_FAULT));
		if (i == 2)
			CHECK(STATUS(reply_save, later) == ST_OK);
		CHECK(STATUS(memory_write, memory, 0, &a->arg[0], 8) == ST_OK);
		CHECK(STATUS(aspace_map, start->aspace, memory, va, 0, 1, MAP_READ) == ST_OK);
		if (i == 0)
			CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_RETRY, 0, 0)) ==
			      ST_OK);
		else if (i == 1)
			CHECK(STATUS(endpoint_reply_receive, handler, MSG_INFO(FAULT_RETRY, 0, 0),
				     0) == ST_DEADLINE);
		else
			CHECK(STATUS(reply_send, later, MSG_INFO(FAULT_RETRY, 0, 0), m.out[2]) ==
			      ST_OK);
		actor_await(a);
		CHECK(a->seen == va);
		CHECK(STATUS(aspace_unmap, start->aspace, va, 1) == ST_OK);
	}
}

/* Whatever else becomes of the report, the thread stands where it was, and can go on. */
TEST(thread_fault_without_an_answer)
{
	cap_t memory = new_memory(1);
	const uint64_t va = 0x5000000;

	for (unsigned i = 0; i < 5; i++) {
		cap_t handler = new_endpoint();
		struct actor *a = actor_new(fault_at);
		struct arch_registers r;

		actor_configure(a, CAP_NONE, handler, CAP_NONE);
		a->arg[0] = va;
		actor_start(a);
		if (i > 0)
			CHECK(SYS(endpoint_receive, handler, NEVER).status == ST_OK);
		else
			CHECK(job_waits(a));
		if (i <= 1)
			CHECK(STATUS(object_destroy, handler) == ST_OK);
		if (i == 2)
			CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) ==
			      ST_OK);
		if (i == 3)
			CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(12345, 64, 0)) ==
			      ST_OK);
		if (i == 1 || i == 4)
			CHECK(SYS(endpoint_receive, new_endpoint(), 0).status == ST_DEADLINE);
		CHECK(job_waits(a) && registers(a, &r) == ST_OK && a->seen == 0);
		CHECK(r.rip != 0 && stands(a));
		CHECK(STATUS(aspace_map, start->aspace, memory, va, 0, 1, MAP_READ) == ST_OK);
		a->seen = 1;
		CHECK(resume(a) == ST_OK);
		actor_await(a);
		CHECK(a->seen == 0);
		CHECK(STATUS(aspace_unmap, start->aspace, va, 1) == ST_OK);
	}
}

/* Killed, or suspended, while its fault is being looked at. */
TEST(thread_fault_of_one_that_is_stopped)
{
	cap_t handler = new_endpoint(), memory = new_memory(1);
	struct actor *a = actor_new(fault_at);
	const uint64_t va = 0x5000000;

	actor_configure(a, CAP_NONE, handler, CAP_NONE);
	a->arg[0] = va;
	actor_start(a);
	CHECK(SYS(endpoint_receive, handler, NEVER).status == ST_OK);
	CHECK(suspend(a) == ST_OK);
	CHECK(STATUS(aspace_map, start->aspace, memory, va, 0, 1, MAP_READ) == ST_OK);
	a->seen = 1;
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_RETRY, 0, 0)) == ST_OK);
	CHECK(stands(a) && resume(a) == ST_OK);
	actor_await(a);
	CHECK(a->seen == 0 && STATUS(aspace_unmap, start->aspace, va, 1) == ST_OK);
	CHECK(job_waits(a) == false);
	actor_start(a);
	CHECK(SYS(endpoint_receive, handler, NEVER).status == ST_OK);
	job_kill(a);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_RETRY, 0, 0)) == ST_PEER_GONE);
}

/* A handler's own fault goes to its own handler: nobody waits for himself. */
TEST(thread_that_handles_its_own_faults)
{
	cap_t handler = new_endpoint();
	struct actor *a = actor_new(fault_at);

	actor_configure(a, CAP_NONE, handler, CAP_NONE);
	a->arg[0] = 0x6000;
	actor_start(a);
	CHECK(job_waits(a) && STATUS(endpoint_call, handler, 0, 0) == ST_DEADLINE);
	job_kill(a);
	CHECK(SYS(endpoint_receive, handler, 0).status == ST_DEADLINE);
}
