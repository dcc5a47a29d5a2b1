/* SPDX-License-Identifier: MIT */
/* Notifications and timers. */
#include "job.h"

#define CROWD 70 /* more than are woken in one piece */

static const uint64_t past[] = { 0, 1, 1000 };

static status_t signal(cap_t n, uint64_t bits)
{
	return STATUS(notification_signal, n, bits);
}

static struct sys_result poll(cap_t n)
{
	return SYS(notification_wait, n, 0);
}

/* The bits that are set; 0: none. */
static uint64_t bits_of(cap_t n)
{
	struct sys_result r = poll(n);

	return r.status == ST_OK && r.out[0] == MSG_NOTIFICATION ? r.out[1] : 0;
}

/* ---- notifications ---- */

TEST(notification_bits_stay_until_they_are_taken)
{
	cap_t n = new_notification();

	CHECK(poll(n).status == ST_WOULD_BLOCK);
	for (unsigned i = 0; i < 64; i++)
		CHECK(signal(n, 1ull << i) == ST_OK && signal(n, 1ull << i) == ST_OK);
	struct sys_result r = poll(n);
	CHECK(r.status == ST_OK && r.out[0] == MSG_NOTIFICATION && r.out[1] == UINT64_MAX);
	CHECK(r.out[2] == 0);
	CHECK(poll(n).status == ST_WOULD_BLOCK);
	CHECK(signal(n, 6) == ST_OK && SYS(notification_wait, n, NEVER).out[1] == 6);
}

TEST(notification_wants_bits)
{
	cap_t n = new_notification();

	CHECK(signal(n, 0) == ST_BAD_ARG);
	cap_t narrow = copy_of(n, RIGHT_SIGNAL, 0x30);
	CHECK(signal(narrow, 0xcf) == ST_BAD_ARG);
	CHECK(poll(n).status == ST_WOULD_BLOCK);
}

/* A holder signals the bits of its badge, and no others. */
TEST(notification_badge_is_a_mask)
{
	cap_t n = new_notification();

	for (unsigned i = 0; i < 64; i++) {
		cap_t narrow = copy_of(n, RIGHT_SIGNAL, 1ull << i);
		CHECK(signal(narrow, UINT64_MAX) == ST_OK && bits_of(n) == 1ull << i);
		CHECK(STATUS(cap_drop, start->cspace, narrow) == ST_OK);
	}
	CHECK(signal(copy_of(n, RIGHT_SIGNAL, 0xf0), 0x3c) == ST_OK && bits_of(n) == 0x30);
}

TEST(notification_wait_with_a_deadline)
{
	struct actor *a = job_new();
	cap_t n = new_notification();

	for (unsigned i = 0; i < ARRAY_LEN(past); i++)
		CHECK(STATUS(notification_wait, n, past[i]) == ST_WOULD_BLOCK);
	uint64_t soon = time_before() + 2 * MS;
	status_t st = STATUS(notification_wait, n, soon);
	CHECK(st == ST_DEADLINE || st == ST_WOULD_BLOCK); /* it may have been too slow */
	CHECK(STATUS(notification_wait, n, soon) == ST_WOULD_BLOCK);
	JOB(a, notification_wait, n, NEVER - 1);
	CHECK(job_waits(a) && signal(n, 2) == ST_OK);
	CHECK(job_end(a).status == ST_OK);
}

/* The first that waits has all bits; the others wait on. */
TEST(notification_wakes_one_at_a_time)
{
	struct actor *a[8];
	cap_t n = new_notification();

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = job_new();
		JOB(a[i], notification_wait, n, NEVER);
		CHECK(job_waits(a[i]));
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		for (unsigned k = i; k < ARRAY_LEN(a); k++)
			CHECK(job_waits(a[k]));
		CHECK(signal(n, i + 1) == ST_OK);
		struct sys_result r = job_end(a[i]);
		CHECK(r.status == ST_OK && r.out[0] == MSG_NOTIFICATION && r.out[1] == i + 1);
	}
	CHECK(poll(n).status == ST_WOULD_BLOCK);
}

TEST(notification_destroyed_under_its_waiters)
{
	struct actor *a[CROWD];
	cap_t n = new_notification();

	for (unsigned i = 0; i < CROWD; i++) {
		a[i] = job_new();
		JOB(a[i], notification_wait, n, NEVER);
		CHECK(job_waits(a[i]));
	}
	CHECK(STATUS(object_destroy, n) == ST_OK);
	for (unsigned i = 0; i < CROWD; i++)
		CHECK(job_end(a[i]).status == ST_PEER_GONE);
	CHECK(signal(n, 1) == ST_BAD_CAP && poll(n).status == ST_BAD_CAP);
}

TEST(notification_waiter_dies)
{
	struct actor *a[3];
	cap_t n = new_notification();

	for (unsigned i = 0; i < 3; i++) {
		a[i] = job_new();
		JOB(a[i], notification_wait, n, NEVER);
		CHECK(job_waits(a[i]));
	}
	job_kill(a[1]);
	CHECK(signal(n, 1) == ST_OK && job_end(a[0]).out[1] == 1);
	CHECK(signal(n, 2) == ST_OK && job_end(a[2]).out[1] == 2);
	CHECK(signal(n, 4) == ST_OK && bits_of(n) == 4);
}

/* The wait of one that is suspended goes on, and takes the bits for when it goes on. */
TEST(notification_waiter_suspended)
{
	struct actor *a = job_new();
	cap_t n = new_notification();

	JOB(a, notification_wait, n, NEVER);
	CHECK(job_waits(a) && STATUS(thread_suspend, a->thread) == ST_OK);
	CHECK(signal(n, 8) == ST_OK && job_waits(a) && poll(n).status == ST_WOULD_BLOCK);
	CHECK(STATUS(thread_resume, a->thread) == ST_OK);
	struct sys_result r = job_end(a);
	CHECK(r.status == ST_OK && r.out[1] == 8);
}

/* ---- bound to a thread ---- */

static struct actor *bound(cap_t n)
{
	struct actor *a = job_new();

	actor_configure(a, CAP_NONE, CAP_NONE, n);
	return a;
}

/* One receive waits for both. */
TEST(notification_bound_is_received)
{
	cap_t n = new_notification(), ep = new_endpoint();
	struct actor *a = bound(n), *client = job_new();

	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a) && signal(n, 0x50) == ST_OK);
	struct sys_result r = job_end(a);
	CHECK(r.status == ST_OK && r.out[0] == MSG_NOTIFICATION && r.out[1] == 0x50);
	CHECK(poll(n).status == ST_WOULD_BLOCK);
	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a));
	JOB(client, endpoint_call, ep, MSG_INFO(7, 0, 0), NEVER);
	r = job_end(a);
	CHECK(r.status == ST_OK && r.out[0] == MSG_INFO(7, 0, 0));
	JOB(a, endpoint_reply, a->self, MSG_INFO(8, 0, 0));
	CHECK(job_end(a).status == ST_OK && MSG_METHOD(job_end(client).out[0]) == 8);
}

/* Bits that were set before are received at once, in turn with the calls that wait. */
TEST(notification_bound_takes_turns_with_calls)
{
	cap_t n = new_notification(), ep = new_endpoint();
	struct actor *client[4];
	unsigned calls = 0, bits = 0;

	CHECK(STATUS(thread_configure, start->thread, 0, 0, n) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(client); i++) {
		client[i] = job_new();
		JOB(client[i], endpoint_call, ep, 0, NEVER);
		CHECK(job_waits(client[i]));
	}
	for (unsigned i = 0; i < 2 * ARRAY_LEN(client); i++) {
		CHECK(signal(n, 1) == ST_OK);
		struct sys_result r = SYS(endpoint_receive, ep, NEVER);
		CHECK(r.status == ST_OK);
		if (r.out[0] & MSG_NOTIFICATION)
			bits++;
		else
			calls++;
		if (!(r.out[0] & MSG_NOTIFICATION))
			CHECK(STATUS(endpoint_reply, start->thread, 0) == ST_OK);
	}
	CHECK(bits == ARRAY_LEN(client) && calls == ARRAY_LEN(client));
	CHECK(signal(n, 2) == ST_OK);
	struct sys_result r = SYS(endpoint_receive, ep, 0);
	CHECK(r.status == ST_OK && (r.out[0] & MSG_NOTIFICATION) && (r.out[1] & 2));
	CHECK(SYS(endpoint_receive, ep, 0).status == ST_DEADLINE);
	CHECK(STATUS(object_destroy, n) == ST_OK);
}

/* Bits come in while a call is in hand: they wait for the next receive, and the call for its
 * answer. */
TEST(notification_bound_leaves_the_call_in_hand)
{
	cap_t n = new_notification(), ep = new_endpoint();
	struct actor *client = job_new();

	CHECK(STATUS(thread_configure, start->thread, 0, 0, n) == ST_OK);
	JOB(client, endpoint_call, ep, 0, NEVER);
	CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK);
	CHECK(signal(n, 4) == ST_OK && job_waits(client));
	struct sys_result r = SYS(endpoint_reply_receive, ep, MSG_INFO(3, 0, 0), NEVER);
	CHECK(r.status == ST_OK && r.out[0] == MSG_NOTIFICATION && r.out[1] == 4);
	CHECK(MSG_METHOD(job_end(client).out[0]) == 3);
	CHECK(STATUS(object_destroy, n) == ST_OK);
}

TEST(notification_is_bound_to_one_thread)
{
	cap_t n = new_notification(), other = new_notification(), ep = new_endpoint();
	struct actor *a = bound(n), *b = job_new();

	CHECK(STATUS(thread_configure, b->thread, 0, 0, n) == ST_EXISTS);
	CHECK(STATUS(thread_configure, a->thread, 0, 0, n) == ST_OK);
	/* A configuration that fails leaves what was bound. */
	CHECK(STATUS(thread_configure, b->thread, 0, 0, other) == ST_OK);
	CHECK(STATUS(thread_configure, b->thread, 0, 0, n) == ST_EXISTS);
	JOB(b, endpoint_receive, ep, NEVER);
	CHECK(job_waits(b) && signal(other, 1) == ST_OK && job_end(b).out[1] == 1);
	/* With another in its place, or the thread gone, it is free. */
	CHECK(job_waits(b) == false && STATUS(object_destroy, other) == ST_OK);
	job_kill(a);
	CHECK(STATUS(thread_configure, b->thread, 0, 0, n) == ST_OK);
}

/* The receive goes on, for the endpoint alone. */
TEST(notification_bound_is_destroyed)
{
	cap_t n = new_notification(), ep = new_endpoint();
	struct actor *a = bound(n), *client = job_new();

	JOB(a, endpoint_receive, ep, NEVER);
	CHECK(job_waits(a) && STATUS(object_destroy, n) == ST_OK && job_waits(a));
	JOB(client, endpoint_call, ep, MSG_INFO(2, 0, 0), NEVER);
	CHECK(MSG_METHOD(job_end(a).out[0]) == 2);
}

/* A call, a wait for another one, and parking are none of the bits' business. */
TEST(notification_bound_ends_no_other_wait)
{
	cap_t n = new_notification(), other = new_notification(), ep = new_endpoint();
	struct actor *a = bound(n);

	JOB(a, endpoint_call, ep, 0, NEVER);
	CHECK(job_waits(a) && signal(n, 1) == ST_OK && job_waits(a));
	CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK);
	CHECK(signal(n, 2) == ST_OK && job_waits(a));
	CHECK(STATUS(endpoint_reply, start->thread, 0) == ST_OK && job_end(a).status == ST_OK);
	JOB(a, thread_park, a->self, NEVER);
	CHECK(job_waits(a) && signal(n, 4) == ST_OK && job_waits(a));
	CHECK(STATUS(thread_unpark, a->thread) == ST_OK && job_end(a).status == ST_OK);
	JOB(a, notification_wait, other, NEVER);
	CHECK(job_waits(a) && signal(n, 8) == ST_OK && job_waits(a));
	CHECK(signal(other, 1) == ST_OK && job_end(a).out[1] == 1);
	CHECK(bits_of(n) == 15);
}

/* ---- timers ---- */

/* True if nothing is signalled for a while. */
static bool is_silent(cap_t n, uint64_t until)
{
	return SYS(notification_wait, n, until).status != ST_OK;
}

static cap_t new_timer(cap_t n, uint64_t bits)
{
	return make(SYS_timer_create, n, bits, 0);
}

TEST(timer_fires_once)
{
	cap_t n = new_notification(), t = new_timer(n, 4);
	uint64_t soon = time_before() + 2 * MS;

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, soon) == ST_OK);
	struct sys_result r = SYS(notification_wait, n, NEVER);
	CHECK(r.status == ST_OK && r.out[1] == 4);
	CHECK(STATUS(notification_wait, n, soon) == ST_WOULD_BLOCK); /* not too early */
	CHECK(is_silent(n, time_before() + 3 * MS));
	on_one_cpu(false);
}

TEST(timer_that_is_late_fires_at_once)
{
	cap_t n = new_notification(), t = new_timer(n, 1);

	for (unsigned i = 0; i < ARRAY_LEN(past); i++) {
		CHECK(STATUS(timer_arm, t, past[i]) == ST_OK);
		CHECK(SYS(notification_wait, n, NEVER).out[1] == 1);
	}
}

TEST(timer_fires_again_and_again)
{
	cap_t n = new_notification(), t = new_timer(n, 2);
	uint64_t first = time_before() + MS;

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, first, MS) == ST_OK);
	for (unsigned i = 0; i < 10; i++) {
		CHECK(SYS(notification_wait, n, NEVER).out[1] == 2);
		/* The tenth comes at the tenth's time, or later. */
		CHECK(STATUS(notification_wait, new_notification(), first + i * MS) ==
		      ST_WOULD_BLOCK);
	}
	CHECK(STATUS(timer_arm, t, NEVER) == ST_OK);
	poll(n);
	CHECK(is_silent(n, time_before() + 4 * MS));
	on_one_cpu(false);
}

/* What was missed is not made up for. */
TEST(timer_that_is_late_makes_up_for_nothing)
{
	cap_t n = new_notification(), other = new_notification(), t = new_timer(n, 2);

	on_one_cpu(true);
	uint64_t begin = time_before();
	CHECK(STATUS(timer_arm, t, 0, MS) == ST_OK);
	for (unsigned i = 0; i < 10; i++) {
		CHECK(SYS(notification_wait, n, NEVER).out[1] == 2);
		if (i > 0)
			CHECK(STATUS(notification_wait, other, begin + (i - 1) * MS) ==
			      ST_WOULD_BLOCK);
	}
	on_one_cpu(false);
}

TEST(timer_is_cancelled_or_armed_anew)
{
	cap_t n = new_notification(), t = new_timer(n, 1);
	uint64_t soon = time_before() + 3 * MS;

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, soon) == ST_OK && STATUS(timer_arm, t, NEVER) == ST_OK);
	poll(n); /* it may have been too slow */
	CHECK(STATUS(timer_arm, t, NEVER - 1) == ST_OK);
	CHECK(is_silent(n, soon + MS));
	CHECK(STATUS(timer_arm, t, NEVER - 1, MS) == ST_OK);
	CHECK(STATUS(timer_arm, t, time_before() + MS) == ST_OK);
	CHECK(SYS(notification_wait, n, NEVER).out[1] == 1);
	on_one_cpu(false);
}

TEST(timer_periods_have_bounds)
{
	static const uint64_t bad[] = { 1,          1000,           99999,     (1ull << 62) + 1,
					1ull << 63, UINT64_MAX - 1, UINT64_MAX };
	cap_t n = new_notification(), t = new_timer(n, 1);

	on_one_cpu(true);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(STATUS(timer_arm, t, 0, bad[i]) == ST_BAD_ARG);
	CHECK(is_silent(n, time_before() + 2 * MS));
	CHECK(STATUS(timer_arm, t, 0, 1ull << 62) == ST_OK);
	CHECK(SYS(notification_wait, n, NEVER).out[1] == 1);
	CHECK(STATUS(timer_arm, t, NEVER - 1, 100000) == ST_OK);
	CHECK(STATUS(timer_arm, t, NEVER - 1, 1ull << 62) == ST_OK);
	CHECK(poll(n).status == ST_WOULD_BLOCK);
	on_one_cpu(false);
}

TEST(timer_signals_what_its_maker_could)
{
	cap_t n = new_notification();
	cap_t narrow = copy_of(n, RIGHT_SIGNAL, 0xf0);

	CHECK(STATUS(timer_create, quota, n, 0) == ST_BAD_ARG);
	CHECK(STATUS(timer_create, quota, narrow, 0x0f) == ST_BAD_ARG);
	cap_t t = new_timer(narrow, 0x3c);
	CHECK(STATUS(timer_arm, t, 0) == ST_OK);
	CHECK(SYS(notification_wait, n, NEVER).out[1] == 0x30);
}

TEST(timer_destroyed_fires_no_more)
{
	cap_t n = new_notification(), t = new_timer(n, 1);

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, time_before() + 2 * MS, MS) == ST_OK);
	CHECK(STATUS(object_destroy, t) == ST_OK);
	CHECK(STATUS(timer_arm, t, 0) == ST_BAD_CAP);
	poll(n);
	CHECK(is_silent(n, time_before() + 4 * MS));
	on_one_cpu(false);
}

TEST(timer_without_its_notification)
{
	cap_t n = new_notification(), t = new_timer(n, 1);

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, time_before() + MS, MS) == ST_OK);
	CHECK(STATUS(object_destroy, n) == ST_OK);
	CHECK(STATUS(timer_arm, t, 0) == ST_PEER_GONE);
	sleep_until(time_before() + 2 * MS);
	CHECK(STATUS(object_destroy, t) == ST_OK);
	on_one_cpu(false);
}

/* The right that it was made by is taken back: it is disarmed for good. */
TEST(timer_whose_capability_is_revoked)
{
	cap_t n = new_notification();
	cap_t lent = copy_of(n, RIGHT_SIGNAL | RIGHT_COPY | RIGHT_REVOKE, 0);
	cap_t t = new_timer(lent, 1);

	on_one_cpu(true);
	CHECK(STATUS(timer_arm, t, time_before() + 2 * MS, MS) == ST_OK);
	CHECK(STATUS(cap_revoke, start->cspace, lent) == ST_OK);
	poll(n);
	CHECK(is_silent(n, time_before() + 4 * MS));
	CHECK(STATUS(timer_arm, t, 0) == ST_PEER_GONE);
	on_one_cpu(false);
}
