/* SPDX-License-Identifier: MIT */
#include "play.h"
#include <core/memory.h>
#include <test/test.h>
#include <string.h>

static struct actor *boss, *worker, *helper;
static struct endpoint *ep;
static struct notification *n;
static cap_t control;           /* over the worker, in the boss's space */
static cap_t service, entrance; /* the helper's, and the worker's */
static cap_t bits;              /* the worker's */

static void meet(void)
{
	play_boot(1);
	boss = actor_make(NULL, 10);
	worker = actor_make(NULL, 10);
	helper = actor_make(NULL, 10);
	control = give(worker, worker->thread, boss, RIGHTS_ALL, 0);
	ep = endpoint_make(helper, &service);
	entrance = give(helper, service, worker, RIGHTS_ALL, 1);
	n = notification_make(worker, &bits);
	actor_resume(boss);
	actor_resume(helper);
}

static status_t boss_does(uint64_t number)
{
	return play_act(boss, number, control, 0, 0, 0);
}

/* ---- states ---- */

/* How the worker gets into a state. */
static void to_stopped(void)
{
}

static void to_ready(void)
{
	actor_resume(worker);
}

static void to_parked(void)
{
	actor_resume(worker);
	(void)play_act(worker, SYS_thread_park, worker->thread, TIMER_NEVER, 0, 0);
}

static void to_waiting(void)
{
	actor_resume(worker);
	(void)act_wait(worker, bits, TIMER_NEVER);
}

static void to_receiving(void)
{
	actor_resume(worker);
	(void)act_receive(worker, entrance);
}

static void to_calling(void)
{
	actor_resume(worker);
	(void)act_call(worker, entrance, 0);
}

static void to_reply(void)
{
	(void)act_receive(helper, service);
	actor_resume(worker);
	(void)act_call(worker, entrance, 0);
}

/* The end of the wait, as far as it has one. */
static void end_none(void)
{
}

static void end_parked(void)
{
	(void)boss_does(SYS_thread_unpark);
}

static void end_waiting(void)
{
	(void)act_signal(boss, give(worker, bits, boss, RIGHTS_ALL, 0), 2);
}

static void end_receiving(void)
{
	(void)act_call(helper, service, 0);
}

static void end_calling(void)
{
	(void)act_receive(helper, service);
	(void)act_reply(helper, 0);
}

static void end_reply(void)
{
	(void)act_reply(helper, 0);
}

static const struct situation {
	enum thread_state state;
	void (*enter)(void);
	void (*end)(void);
} situations[] = {
	{ THREAD_STOPPED, to_stopped, end_none },
	{ THREAD_READY, to_ready, end_none },
	{ THREAD_PARKED, to_parked, end_parked },
	{ THREAD_WAITING, to_waiting, end_waiting },
	{ THREAD_RECEIVING, to_receiving, end_receiving },
	{ THREAD_CALLING, to_calling, end_calling },
	{ THREAD_REPLY, to_reply, end_reply },
};

static bool all_ok(void)
{
	return endpoint_ok(ep) && notification_ok(n) && play_ok();
}

static enum thread_state worker_is(void)
{
	(void)play_until(boss);
	return thread_state(worker->t);
}

/* One situation for each process. */
static void suspend_in(const struct situation *s)
{
	status_t st;

	meet();
	s->enter();
	CHECK(worker_is() == s->state && all_ok());
	(void)actor_woke(worker, &st);
	CHECK(boss_does(SYS_thread_suspend) == ST_OK);
	CHECK(boss_does(SYS_thread_suspend) == ST_OK && all_ok());
	/* A wait goes on; what is ready does not. */
	bool waits = s->state != THREAD_STOPPED && s->state != THREAD_READY;
	CHECK(worker_is() == (waits ? s->state : THREAD_STOPPED));
	s->end();
	CHECK(worker_is() == THREAD_STOPPED && all_ok());
	CHECK(actor_woke(worker, &st) == waits && (!waits || st == ST_OK));
	CHECK(boss_does(SYS_thread_resume) == ST_OK);
	CHECK(worker_is() == THREAD_READY && all_ok());
	CHECK(play_act(worker, SYS_thread_yield, worker->thread, 0, 0, 0) == ST_OK);
}

TEST(suspended_when_stopped)
{
	suspend_in(&situations[0]);
}

TEST(suspended_when_ready)
{
	suspend_in(&situations[1]);
}

TEST(suspended_when_parked)
{
	suspend_in(&situations[2]);
}

TEST(suspended_when_waiting)
{
	suspend_in(&situations[3]);
}

TEST(suspended_when_receiving)
{
	suspend_in(&situations[4]);
}

TEST(suspended_when_calling)
{
	suspend_in(&situations[5]);
}

TEST(suspended_when_waiting_for_an_answer)
{
	suspend_in(&situations[6]);
}

/* Suspended and resumed within the wait, it leaves no trace. */
static void resume_in(const struct situation *s)
{
	meet();
	s->enter();
	CHECK(boss_does(SYS_thread_suspend) == ST_OK);
	CHECK(boss_does(SYS_thread_resume) == ST_OK && all_ok());
	bool waits = s->state != THREAD_STOPPED && s->state != THREAD_READY;
	CHECK(worker_is() == (waits ? s->state : THREAD_READY));
	s->end();
	CHECK(worker_is() == THREAD_READY && all_ok());
}

TEST(resumed_when_parked)
{
	resume_in(&situations[2]);
}

TEST(resumed_when_receiving)
{
	resume_in(&situations[4]);
}

TEST(resumed_when_waiting_for_an_answer)
{
	resume_in(&situations[6]);
}

static void destroy_in(const struct situation *s)
{
	struct cap_ref ref;

	meet();
	s->enter();
	uint64_t used = quota_root->slab[OBJ_THREAD].pages;
	CHECK(boss_does(SYS_object_destroy) == ST_OK && all_ok());
	CHECK(worker->t->obj.flags == 0 && quota_root->slab[OBJ_THREAD].pages <= used);
	CHECK(cap_find(worker->cspace, worker->thread, OBJ_ANY, 0, &ref) == ST_BAD_CAP);
	CHECK(ep->servers == NULL && ep->callers.root == NULL && n->waiters.head == NULL);
	/* Whatever it was in, others can go on with. */
	CHECK(act_signal(boss, give(worker, bits, boss, RIGHTS_ALL, 0), 1) == ST_OK);
	if (s->state == THREAD_REPLY)
		CHECK(act_reply(helper, 0) == ST_PEER_GONE);
	CHECK(act_receive(helper, service) == ST_BLOCKED && all_ok());
	CHECK(act_call(boss, give(helper, service, boss, RIGHTS_ALL, 0), 0) == ST_BLOCKED);
	CHECK(boss_does(SYS_thread_resume) == ST_UNSUPPORTED); /* the boss waits */
}

TEST(destroyed_when_stopped)
{
	destroy_in(&situations[0]);
}

TEST(destroyed_when_ready)
{
	destroy_in(&situations[1]);
}

TEST(destroyed_when_parked)
{
	destroy_in(&situations[2]);
}

TEST(destroyed_when_waiting)
{
	destroy_in(&situations[3]);
}

TEST(destroyed_when_receiving)
{
	destroy_in(&situations[4]);
}

TEST(destroyed_when_calling)
{
	destroy_in(&situations[5]);
}

TEST(destroyed_when_waiting_for_an_answer)
{
	destroy_in(&situations[6]);
}

TEST(thread_suspends_itself)
{
	status_t st;

	meet();
	actor_resume(worker);
	CHECK(play_act(worker, SYS_thread_suspend, worker->thread, 0, 0, 0) == ST_OK);
	CHECK(worker_is() == THREAD_STOPPED);
	CHECK(boss_does(SYS_thread_resume) == ST_OK && worker_is() == THREAD_READY);
	CHECK(!actor_woke(worker, &st));
}

TEST(thread_destroys_itself)
{
	meet();
	actor_resume(worker);
	CHECK(play_act(worker, SYS_object_destroy, worker->thread, 0, 0, 0) == ST_LATER);
	settle();
	(void)play_user();
	settle();
	CHECK(worker->t->obj.flags == 0 && all_ok());
}

TEST(thread_destroys_what_it_lives_in)
{
	cap_t own, quota;

	/* The quota that pays for the thread itself. */
	meet();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	CHECK(cap_insert(worker->cspace, &q->obj, RIGHTS_ALL, 0, &quota) == ST_OK);
	CHECK(cap_insert(worker->cspace, &worker->cspace->obj, RIGHTS_ALL, 0, &own) == ST_OK);
	actor_resume(worker);
	CHECK(play_act(worker, SYS_object_destroy, own, 0, 0, 0) == ST_LATER);
	for (unsigned i = 0; i < 20; i++) {
		(void)play_user();
		settle();
	}
	CHECK(worker_is() == THREAD_STOPPED && (thread_flags(worker->t) & THREAD_DYING));
	CHECK(worker->cspace->obj.flags == 0);
	CHECK(boss_does(SYS_thread_resume) == ST_OK && worker_is() == THREAD_STOPPED);
	CHECK(boss_does(SYS_object_destroy) == ST_OK);
}

/* ---- park ---- */

TEST(unpark_is_sticky)
{
	status_t st;

	meet();
	actor_resume(worker);
	CHECK(boss_does(SYS_thread_unpark) == ST_OK);
	CHECK(boss_does(SYS_thread_unpark) == ST_OK);
	CHECK(play_act(worker, SYS_thread_park, worker->thread, TIMER_NEVER, 0, 0) == ST_OK);
	CHECK(play_act(worker, SYS_thread_park, worker->thread, TIMER_NEVER, 0, 0) == ST_BLOCKED);
	CHECK(boss_does(SYS_thread_unpark) == ST_OK);
	CHECK(actor_woke(worker, &st) && st == ST_OK);
	/* It was used up by the wake-up. */
	CHECK(play_act(worker, SYS_thread_park, worker->thread, 0, 0, 0) == ST_DEADLINE);
	CHECK(play_act(boss, SYS_thread_park, control, 0, 0, 0) == ST_BAD_ARG);
	CHECK(play_act(boss, SYS_thread_yield, control, 0, 0, 0) == ST_BAD_ARG);
}

TEST(park_ends_at_its_deadline)
{
	status_t st;

	meet();
	actor_resume(worker);
	uint64_t until = time_now() + 70;
	CHECK(play_act(worker, SYS_thread_park, worker->thread, until, 0, 0) == ST_BLOCKED);
	play_time(69);
	CHECK(!actor_woke(worker, &st));
	play_time(1);
	CHECK(actor_woke(worker, &st) && st == ST_DEADLINE);
	until = time_now() + 70;
	CHECK(play_act(worker, SYS_thread_park, worker->thread, until, 0, 0) == ST_BLOCKED);
	CHECK(boss_does(SYS_thread_unpark) == ST_OK && actor_woke(worker, &st) && st == ST_OK);
	CHECK(act_wait(worker, bits, TIMER_NEVER) == ST_BLOCKED);
	play_time(1000); /* the old deadline is nobody's */
	CHECK(!actor_woke(worker, &st));
}

/* The timer of one wait goes off when that is over and the next one has begun. */
TEST(late_timer_ends_no_newer_wait)
{
	status_t st;

	meet();
	actor_resume(worker);
	CHECK(play_act(worker, SYS_thread_park, worker->thread, TIMER_NEVER, 0, 0) == ST_BLOCKED);
	CHECK(!thread_cancel_wait(worker->t, NULL, ST_DEADLINE));
	CHECK(thread_state(worker->t) == THREAD_PARKED && !actor_woke(worker, &st));
	CHECK(boss_does(SYS_thread_unpark) == ST_OK && actor_woke(worker, &st) && st == ST_OK);
	uint64_t until = time_now() + 1000;
	CHECK(play_act(worker, SYS_thread_park, worker->thread, until, 0, 0) == ST_BLOCKED);
	CHECK(!thread_cancel_wait(worker->t, NULL, ST_DEADLINE));
	play_time(1000);
	CHECK(actor_woke(worker, &st) && st == ST_DEADLINE);
}

TEST(kick_is_sticky)
{
	meet();
	CHECK(boss_does(SYS_thread_kick) == ST_OK);
	CHECK(thread_flags(worker->t) & THREAD_KICKED);
}

/* ---- registers ---- */

TEST(registers_of_a_stopped_thread)
{
	struct arch_registers r = { 0x1000, 0x2000 }, back;

	meet();
	CHECK(play_act(boss, SYS_thread_write_registers, control, (uint64_t)&r, 0, 0) == ST_OK);
	CHECK(play_act(boss, SYS_thread_read_registers, control, (uint64_t)&back, 0, 0) == ST_OK);
	CHECK(back.pc == 0x1000 && back.sp == 0x2000);
	r.pc = ARCH_USER_END;
	CHECK(play_act(boss, SYS_thread_write_registers, control, (uint64_t)&r, 0, 0) ==
	      ST_BAD_ARG);
	CHECK(play_act(boss, SYS_thread_write_registers, control, 0, 0, 0) == ST_BAD_ADDRESS);
	CHECK(play_act(boss, SYS_thread_read_registers, control, 0, 0, 0) == ST_BAD_ADDRESS);
	CHECK(play_act(boss, SYS_thread_read_registers, boss->thread, (uint64_t)&back, 0, 0) ==
	      ST_BAD_STATE);
	actor_resume(worker);
	r.pc = 0x3000;
	CHECK(play_act(boss, SYS_thread_write_registers, control, (uint64_t)&r, 0, 0) ==
	      ST_BAD_STATE);
	to_calling();
	CHECK(play_act(boss, SYS_thread_read_registers, control, (uint64_t)&back, 0, 0) == ST_OK);
	CHECK(back.pc == 0x1000);
	CHECK(play_act(boss, SYS_thread_write_registers, control, (uint64_t)&r, 0, 0) ==
	      ST_BAD_STATE);
}

/* ---- faults ---- */

static const struct msg_fault report = { .kind = FAULT_MEMORY, .address = 0x1234, .pc = 0x99 };

static status_t handle_faults_at(struct actor *a, cap_t endpoint)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a->thread, CAP_NONE, endpoint, CAP_NONE, CAP_NONE };

	return play_act_all(a, SYS_thread_configure, arg);
}

static void fault(void)
{
	(void)play_until(worker);
	thread_fault(worker->t, &report);
	(void)play_user();
}

TEST(fault_goes_to_the_handler)
{
	status_t st;

	meet();
	actor_resume(worker);
	CHECK(handle_faults_at(worker, entrance) == ST_OK);
	uint64_t results = worker->t->arch.results;
	for (unsigned i = 0; i < 2; i++) {
		if (i == 0)
			CHECK(act_receive(helper, service) == ST_BLOCKED);
		fault();
		if (i == 0)
			CHECK(actor_woke(helper, &st) && st == ST_OK);
		else
			CHECK(act_receive(helper, service) == ST_OK);
		CHECK(actor_info(helper) == (MSG_INFO(0, sizeof(report), 0) | MSG_FAULT));
		CHECK(actor_badge(helper) == 1 /* of `entrance` */);
		CHECK(memcmp(helper->block->word, &report, sizeof(report)) == 0);
		CHECK(thread_state(worker->t) == THREAD_REPLY);
		/* The handler may look at the registers and change them. */
		struct arch_registers r = { 0x5000, 0x6000 };
		CHECK(play_act(boss, SYS_thread_write_registers, control, (uint64_t)&r, 0, 0) ==
		      ST_OK);
		CHECK(act_reply(helper, MSG_INFO(FAULT_RETRY, 0, 0)) == ST_OK);
		CHECK(worker_is() == THREAD_READY && worker->t->arch.pc == 0x5000);
		CHECK(worker->t->arch.results == results); /* nothing was returned */
	}
	CHECK(act_wait(worker, bits, 0) == ST_WOULD_BLOCK && all_ok());
}

TEST(fault_handler_stops_the_thread)
{
	meet();
	actor_resume(worker);
	CHECK(handle_faults_at(worker, entrance) == ST_OK);
	CHECK(act_receive(helper, service) == ST_BLOCKED);
	fault();
	CHECK(act_reply_receive(helper, service, MSG_INFO(FAULT_STOP, 0, 0)) == ST_BLOCKED);
	CHECK(worker_is() == THREAD_STOPPED);
	CHECK(boss_does(SYS_thread_resume) == ST_OK && worker_is() == THREAD_READY);
	/* An answer that means nothing stops it as well. */
	fault();
	CHECK(act_reply_receive(helper, service, MSG_INFO(12345, 0, 0)) == ST_BLOCKED);
	CHECK(worker_is() == THREAD_STOPPED && all_ok());
}

TEST(fault_that_nobody_handles_stops_the_thread)
{
	meet();
	actor_resume(worker);
	fault();
	CHECK(worker_is() == THREAD_STOPPED);
	/* The handler dies with the fault in its hand, or in its queue. */
	for (unsigned i = 0; i < 2; i++) {
		struct actor *handler = actor_make(NULL, 10);
		cap_t at, way;
		(void)endpoint_make(handler, &at);
		actor_resume(handler);
		way = give(handler, at, worker, RIGHTS_ALL, 0);
		CHECK(boss_does(SYS_thread_resume) == ST_OK);
		CHECK(handle_faults_at(worker, way) == ST_OK);
		if (i == 0)
			CHECK(act_receive(handler, at) == ST_BLOCKED);
		fault();
		CHECK(thread_state(worker->t) == (i == 0 ? THREAD_REPLY : THREAD_CALLING));
		cap_t victim = i == 0 ? handler->thread : at;
		CHECK(act_destroy(boss, give(handler, victim, boss, RIGHTS_ALL, 0)) == ST_OK);
		CHECK(worker_is() == THREAD_STOPPED);
	}
	/* The capability to it is revoked: the next fault stops. */
	CHECK(boss_does(SYS_thread_resume) == ST_OK);
	CHECK(handle_faults_at(worker, entrance) == ST_OK);
	CHECK(do_revoke(helper->cspace, service) == ST_OK);
	fault();
	CHECK(worker_is() == THREAD_STOPPED && all_ok());
}

/* ---- bindings ---- */

TEST(thread_without_sched_waits_for_one)
{
	play_boot(1);
	struct actor *a = actor_make(NULL, -1);
	struct actor *b = actor_make(NULL, 10);
	cap_t other;
	struct sched_params p = { .priority = 20, .weight = 1024, .cpus = 1 };

	actor_resume(a);
	actor_resume(b);
	CHECK(thread_state(a->t) == THREAD_STOPPED && !play_until(a));
	struct sched *s = sched_make(&other, &p);
	struct thread_config c = { .sched = ref_of(&(struct actor){ .cspace = home }, other) };
	struct cap_ref ref = ref_of(a, a->thread);
	CHECK(thread_configure(&ref, &c) == ST_OK);
	CHECK(play_user() == a);
	/* The sched dies: it waits again, wherever it is. */
	uint64_t ticket = do_kill(&s->obj);
	while (!object_destroy_some(ticket))
		(void)play_user();
	CHECK(s->obj.flags == 0 && thread_state(a->t) == THREAD_STOPPED && play_until(b));
	CHECK(a->t->home == NULL && play_ok());
}

TEST(block_is_pinned_while_it_is_bound)
{
	struct memory *m;
	cap_t memory, slice, unread;

	meet();
	CHECK(memory_create(quota_root, 2, 0, &m) == ST_OK);
	CHECK(cap_insert(worker->cspace, &m->obj, RIGHTS_ALL, 0, &memory) == ST_OK);
	CHECK(do_derive(worker->cspace, worker->cspace, memory, RIGHTS_ALL, CAP_RANGE(1, 1),
			&slice) == ST_OK);
	actor_resume(worker);
	uint64_t arg[ARCH_SYSCALL_ARGS] = { worker->thread, CAP_NONE, CAP_NONE,
					    CAP_NONE,       slice,    2 * MSG_BLOCK_ALIGN };
	struct msg_block *before = worker->t->block;
	arg[5] = MSG_BLOCK_ALIGN / 2;
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_BAD_ARG);
	arg[5] = FRAME_SIZE;
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_BAD_ARG);
	arg[5] = 2 * MSG_BLOCK_ALIGN;
	CHECK(do_derive(worker->cspace, worker->cspace, memory, RIGHT_WRITE, 0, &unread) == ST_OK);
	arg[4] = unread; /* a message would tell what it holds */
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_NO_RIGHT);
	CHECK(worker->t->block == before && m->writers == 0);
	arg[4] = slice;
	arg[5] = 2 * MSG_BLOCK_ALIGN;
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_OK);
	CHECK(worker->t->block != before && m->writers == 1);
	/* Again, elsewhere: the first pin is lifted. */
	arg[5] = 0;
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_OK && m->writers == 1);
	/* Revoked: payloads can't be sent any more. */
	CHECK(act_receive(helper, service) == ST_BLOCKED);
	CHECK(do_revoke(worker->cspace, memory) == ST_OK);
	CHECK(worker->t->block == NULL && m->writers == 0);
	CHECK(act_call(worker, entrance, MSG_INFO(0, 8, 0)) == ST_BAD_STATE);
	CHECK(act_call(worker, entrance, 0) == ST_BLOCKED);
	/* A thread that dies lifts its pin. */
	CHECK(act_reply(helper, 0) == ST_OK);
	arg[4] = memory;
	CHECK(play_act_all(worker, SYS_thread_configure, arg) == ST_OK && m->writers == 1);
	CHECK(boss_does(SYS_object_destroy) == ST_OK && m->writers == 0);
}

/* Whatever step fails, everything is as before. */
TEST(configuring_is_all_or_nothing)
{
	struct memory *m;
	cap_t memory, more, other_bits;
	struct notification *second;

	meet();
	CHECK(memory_create(quota_root, 1, 0, &m) == ST_OK);
	CHECK(cap_insert(worker->cspace, &m->obj, RIGHTS_ALL, 0, &memory) == ST_OK);
	second = notification_make(worker, &other_bits);
	actor_resume(worker);
	struct sched_params p = { .priority = 9, .weight = 1, .cpus = 1 };
	(void)sched_make(&more, &p);
	cap_t sched;
	CHECK(do_derive(worker->cspace, home, more, RIGHTS_ALL, 0, &sched) == ST_OK);
	struct msg_block *block = worker->t->block;
	struct sched *s = worker->t->home;
	uint64_t good[ARCH_SYSCALL_ARGS] = {
		worker->thread, sched, entrance, other_bits, memory, 0
	};
	for (unsigned bad = 1; bad < 6; bad++) {
		uint64_t arg[ARCH_SYSCALL_ARGS];
		memcpy(arg, good, sizeof(arg));
		arg[bad] = bad == 5 ? 7 : worker->thread;
		CHECK(play_act_all(worker, SYS_thread_configure, arg) ==
		      (bad == 5 ? ST_BAD_ARG : ST_BAD_TYPE));
		CHECK(worker->t->home == s && worker->t->block == block);
		CHECK(worker->t->notification == NULL && second->bound == NULL && m->writers == 0);
	}
	/* The frame of the block can't be had; what is bound first is undone. */
	CHECK(play_until(worker));
	host_fail_step(0);
	CHECK(play_act_all(worker, SYS_thread_configure, good) == ST_NO_MEMORY);
	host_fail_step(-1);
	CHECK(worker->t->home == s && worker->t->block == block && second->bound == NULL);
	CHECK(play_act_all(worker, SYS_thread_configure, good) == ST_OK);
	CHECK(worker->t->home != s && worker->t->block != block);
	CHECK(worker->t->notification == second && second->bound == worker->t && m->writers == 1);
	/* Nobody's else but of a stopped thread. */
	good[0] = control;
	struct cap_ref ref = ref_of(boss, control);
	struct thread_config c = { 0 };
	CHECK(play_until(boss));
	CHECK(thread_configure(&ref, &c) == ST_BAD_STATE);
}
