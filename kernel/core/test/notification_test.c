/* SPDX-License-Identifier: MIT */
#include "play.h"
#include <core/timer_object.h>
#include <test/test.h>

static struct actor *waiter, *signaller;
static struct notification *n;
static cap_t to_wait, to_signal;

static void meet(void)
{
	play_boot(1);
	waiter = actor_make(NULL, 10);
	signaller = actor_make(NULL, 10);
	n = notification_make(waiter, &to_wait);
	to_signal = give(waiter, to_wait, signaller, RIGHT_SIGNAL | RIGHT_COPY, 0);
	actor_resume(waiter);
	actor_resume(signaller);
}

static bool n_ok(void)
{
	return notification_ok(n) && play_ok();
}

TEST(signal_before_wait_is_kept)
{
	meet();
	CHECK(act_wait(waiter, to_wait, 0) == ST_WOULD_BLOCK);
	CHECK(act_signal(signaller, to_signal, 0x11) == ST_OK);
	CHECK(act_signal(signaller, to_signal, 0x21) == ST_OK);
	CHECK(act_wait(waiter, to_wait, TIMER_NEVER) == ST_OK);
	CHECK(actor_badge(waiter) == 0x31 && actor_info(waiter) == MSG_NOTIFICATION);
	CHECK(act_wait(waiter, to_wait, 0) == ST_WOULD_BLOCK && n_ok());
}

TEST(signal_wakes_one_waiter_at_a_time)
{
	status_t st;

	meet();
	struct actor *second = actor_ready(waiter->cspace, 10);
	CHECK(act_wait(waiter, to_wait, TIMER_NEVER) == ST_BLOCKED);
	CHECK(act_wait(second, to_wait, TIMER_NEVER) == ST_BLOCKED && n_ok());
	CHECK(act_signal(signaller, to_signal, 4) == ST_OK);
	CHECK(actor_woke(waiter, &st) && st == ST_OK && actor_badge(waiter) == 4);
	CHECK(!actor_woke(second, &st) && n_ok());
	CHECK(act_signal(signaller, to_signal, 1ull << 63) == ST_OK);
	CHECK(actor_woke(second, &st) && st == ST_OK && actor_badge(second) == 1ull << 63);
	CHECK(act_signal(signaller, to_signal, 8) == ST_OK);
	CHECK(n->bits == 8 && n_ok());
}

TEST(badge_limits_what_is_signalled)
{
	meet();
	cap_t few = give(signaller, to_signal, signaller, RIGHT_SIGNAL, 0x0c);
	CHECK(act_signal(signaller, few, 0xff) == ST_OK && n->bits == 0x0c);
	CHECK(act_signal(signaller, few, 0xf3) == ST_BAD_ARG && n->bits == 0x0c);
	CHECK(act_signal(signaller, to_signal, 0) == ST_BAD_ARG && n_ok());
	CHECK(act_wait(signaller, to_signal, 0) == ST_NO_RIGHT);
}

TEST(wait_ends_at_its_deadline)
{
	status_t st;

	meet();
	CHECK(act_wait(waiter, to_wait, time_now() + 50) == ST_BLOCKED);
	play_time(49);
	CHECK(!actor_woke(waiter, &st));
	play_time(1);
	CHECK(actor_woke(waiter, &st) && st == ST_DEADLINE && n_ok());
	CHECK(act_signal(signaller, to_signal, 1) == ST_OK && n->bits == 1);
	CHECK(act_wait(waiter, to_wait, time_now() + 50) == ST_OK);
	CHECK(act_wait(waiter, to_wait, time_now() + 50) == ST_BLOCKED);
	CHECK(act_signal(signaller, to_signal, 1) == ST_OK);
	CHECK(actor_woke(waiter, &st) && st == ST_OK);
	CHECK(act_wait(waiter, to_wait, TIMER_NEVER) == ST_BLOCKED);
	play_time(100);
	CHECK(!actor_woke(waiter, &st));
}

TEST(notification_dies_with_waiters)
{
	status_t st;

	meet();
	struct actor *many[40];
	for (unsigned i = 0; i < 40; i++) {
		many[i] = actor_ready(waiter->cspace, 10);
		CHECK(act_wait(many[i], to_wait, TIMER_NEVER) == ST_BLOCKED);
	}
	CHECK(act_destroy(waiter, to_wait) == ST_OK);
	for (unsigned i = 0; i < 40; i++)
		CHECK(actor_woke(many[i], &st) && st == ST_PEER_GONE);
	CHECK(act_signal(signaller, to_signal, 1) == ST_BAD_CAP);
}

TEST(waiter_dies)
{
	meet();
	CHECK(act_wait(waiter, to_wait, TIMER_NEVER) == ST_BLOCKED);
	CHECK(act_destroy(signaller, give(waiter, waiter->thread, signaller, RIGHTS_ALL, 0)) ==
	      ST_OK);
	CHECK(n_ok() && n->waiters.head == NULL);
	CHECK(act_signal(signaller, to_signal, 1) == ST_OK && n->bits == 1);
}

/* ---- bound to a thread ---- */

static struct actor *client;
static struct endpoint *ep;
static cap_t service, entrance;

static status_t bind(struct actor *a, cap_t notification)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a->thread, CAP_NONE, CAP_NONE, notification, CAP_NONE };

	return play_act_all(a, SYS_thread_configure, arg);
}

static void meet_bound(void)
{
	meet();
	ep = endpoint_make(waiter, &service);
	client = actor_make(NULL, 10);
	entrance = give(waiter, service, client, RIGHTS_ALL, 6);
	actor_resume(client);
}

TEST(receive_waits_for_bits_too)
{
	status_t st;

	meet_bound();
	CHECK(bind(waiter, to_wait) == ST_OK);
	/* Signalled while it waits. */
	CHECK(act_receive(waiter, service) == ST_BLOCKED);
	CHECK(act_signal(signaller, to_signal, 3) == ST_OK);
	CHECK(actor_woke(waiter, &st) && st == ST_OK && actor_info(waiter) == MSG_NOTIFICATION);
	CHECK(actor_badge(waiter) == 3 && n->bits == 0 && ep->servers == NULL);
	/* Before it waits. */
	CHECK(act_signal(signaller, to_signal, 4) == ST_OK);
	CHECK(act_receive(waiter, service) == ST_OK && actor_badge(waiter) == 4);
	/* And a call. */
	CHECK(act_receive(waiter, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(1, 0, 0)) == ST_BLOCKED);
	CHECK(actor_woke(waiter, &st) && actor_info(waiter) == MSG_INFO(1, 0, 0));
	/* Not while it waits for something else. */
	CHECK(act_signal(signaller, to_signal, 8) == ST_OK && n->bits == 8);
	CHECK(act_reply_receive(waiter, service, 0) == ST_OK && actor_badge(waiter) == 8);
	CHECK(actor_woke(client, &st) && st == ST_OK && n_ok());
}

TEST(bits_and_calls_take_turns)
{
	meet_bound();
	CHECK(bind(waiter, to_wait) == ST_OK);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(act_signal(signaller, to_signal, 1) == ST_OK);
		if (i % 2 == 0)
			CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
		CHECK(act_receive(waiter, service) == ST_OK);
		if (i % 2 == 0) {
			CHECK(actor_info(waiter) == MSG_NOTIFICATION);
		} else {
			CHECK(actor_info(waiter) == 0 && actor_badge(waiter) == 6);
			CHECK(act_reply(waiter, 0) == ST_OK);
		}
	}
}

TEST(one_thread_is_bound)
{
	status_t st;

	meet_bound();
	struct actor *other = actor_ready(waiter->cspace, 10);
	CHECK(bind(waiter, to_wait) == ST_OK);
	CHECK(bind(waiter, to_wait) == ST_OK);
	CHECK(bind(other, to_wait) == ST_EXISTS);
	CHECK(other->t->notification == NULL && n->bound == waiter->t);
	/* Another one takes its place. */
	cap_t more;
	struct notification *second = notification_make(waiter, &more);
	CHECK(bind(waiter, more) == ST_OK && n->bound == NULL && second->bound == waiter->t);
	CHECK(bind(other, to_wait) == ST_OK && n->bound == other->t);
	/* When the bound one dies, it is free. */
	CHECK(act_destroy(signaller, give(other, other->thread, signaller, RIGHTS_ALL, 0)) ==
	      ST_OK);
	CHECK(n->bound == NULL);
	/* When the notification dies, the receive goes on. */
	CHECK(act_receive(waiter, service) == ST_BLOCKED);
	CHECK(act_destroy(signaller, give(waiter, more, signaller, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(waiter->t->notification == NULL && !actor_woke(waiter, &st));
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED && actor_woke(waiter, &st));
}

TEST(revoking_the_notification_unbinds_it)
{
	status_t st;

	meet_bound();
	cap_t child;
	CHECK(do_derive(waiter->cspace, waiter->cspace, to_wait, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(bind(waiter, child) == ST_OK);
	CHECK(act_receive(waiter, service) == ST_BLOCKED);
	CHECK(do_revoke(waiter->cspace, to_wait) == ST_OK);
	CHECK(n->bound == NULL && waiter->t->notification == NULL && !actor_woke(waiter, &st));
	cap_t again = give(waiter, to_wait, signaller, RIGHTS_ALL, 0);
	CHECK(act_signal(signaller, again, 1) == ST_OK && n->bits == 1);
	CHECK(!actor_woke(waiter, &st));
}

/* ---- timers ---- */

static cap_t timer;

static status_t arm(uint64_t deadline, uint64_t every)
{
	return play_act(waiter, SYS_timer_arm, timer, deadline, every, 0);
}

static void meet_timer(uint64_t bits)
{
	meet();
	uint64_t quota = 0;
	CHECK(cap_insert(waiter->cspace, &quota_root->obj, RIGHTS_ALL, 0, &quota) == ST_OK);
	CHECK(play_act(waiter, SYS_timer_create, quota, to_wait, bits, 0) == ST_OK);
	timer = actor_info(waiter);
}

TEST(timer_signals_once)
{
	status_t st;

	meet_timer(0x40);
	CHECK(arm(time_now() + 1000, 0) == ST_OK);
	CHECK(act_wait(waiter, to_wait, TIMER_NEVER) == ST_BLOCKED);
	play_time(999);
	CHECK(!actor_woke(waiter, &st));
	play_time(1);
	CHECK(actor_woke(waiter, &st) && st == ST_OK && actor_badge(waiter) == 0x40);
	play_time(10000);
	CHECK(n->bits == 0);
	/* Armed anew, and disarmed. */
	CHECK(arm(time_now() + 1000, 0) == ST_OK);
	CHECK(arm(time_now() + 2000, 0) == ST_OK);
	play_time(1999);
	CHECK(n->bits == 0);
	play_time(1);
	CHECK(n->bits == 0x40);
	CHECK(act_wait(waiter, to_wait, 0) == ST_OK);
	CHECK(arm(time_now() + 1000, 0) == ST_OK && arm(TIMER_NEVER, 0) == ST_OK);
	play_time(5000);
	CHECK(n->bits == 0);
	/* What is past signals at once. */
	CHECK(arm(time_now() - 1, 0) == ST_OK);
	play_time(1);
	CHECK(n->bits == 0x40);
}

TEST(timer_signals_again_and_again)
{
	meet_timer(1);
	uint64_t every = 2 * TIMER_PERIOD_MIN_NS;
	CHECK(arm(time_now() + 10, TIMER_PERIOD_MIN_NS - 1) == ST_BAD_ARG);
	CHECK(arm(time_now() + 10, TIMER_PERIOD_MAX_NS + 1) == ST_BAD_ARG);
	CHECK(arm(time_now() + 10, every) == ST_OK);
	play_time(10);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(act_wait(waiter, to_wait, 0) == ST_OK);
		play_time(every - 1);
		CHECK(n->bits == 0);
		play_time(1);
	}
	/* What was missed comes once, and then in step. */
	host_time_advance(every * 7 + every / 2);
	play_time(1);
	CHECK(act_wait(waiter, to_wait, 0) == ST_OK);
	play_time(every / 2 - 2);
	CHECK(n->bits == 0);
	play_time(1);
	CHECK(n->bits == 1);
	CHECK(act_destroy(waiter, timer) == ST_OK);
	CHECK(act_wait(waiter, to_wait, 0) == ST_OK);
	play_time(every * 3);
	CHECK(n->bits == 0);
}

TEST(timer_obeys_the_badge_and_its_binding)
{
	meet_timer(6);
	uint64_t quota = ref_of(waiter, timer).object != NULL;
	CHECK(cap_insert(waiter->cspace, &quota_root->obj, RIGHTS_ALL, 0, &quota) == ST_OK);
	cap_t badged = give(waiter, to_wait, waiter, RIGHTS_ALL, 2);
	CHECK(play_act(waiter, SYS_timer_create, quota, badged, 1, 0) == ST_BAD_ARG);
	CHECK(play_act(waiter, SYS_timer_create, quota, to_wait, 0, 0) == ST_BAD_ARG);
	CHECK(play_act(waiter, SYS_timer_create, quota, badged, 3, 0) == ST_OK);
	timer = actor_info(waiter);
	CHECK(arm(time_now() + 10, 0) == ST_OK);
	play_time(10);
	CHECK(n->bits == 2);
	/* Its capability is revoked. */
	CHECK(arm(time_now() + 10, 0) == ST_OK);
	CHECK(act_wait(waiter, to_wait, 0) == ST_OK);
	CHECK(do_revoke(waiter->cspace, to_wait) == ST_OK);
	play_time(100);
	CHECK(n->bits == 0 && arm(time_now() + 10, 0) == ST_PEER_GONE);
}

/* It goes off on one CPU while it is armed anew on another, for a time that has passed. */
TEST(timer_is_armed_anew_as_it_goes_off)
{
	const uint64_t every = TIMER_PERIOD_MIN_NS;

	meet_timer(1);
	struct ktimer *k =
		&container_of(ref_of(waiter, timer).object, struct timer_object, obj)->timer;
	CHECK(arm(time_now(), every) == ST_OK);
	k->fire(k);
	CHECK(n->bits == 1 && act_wait(waiter, to_wait, 0) == ST_OK);
	play_time(every - 1);
	CHECK(n->bits == 0);
	play_time(1);
	CHECK(n->bits == 1);
}

/* ---- two configure a thread at once ---- */

static struct actor *bound_one;
static struct notification *first_bound, *then_bound;
static struct cap_ref bound_ref, then_ref;
static _Atomic bool locked;
static status_t configured;

/* CPU 1 begins when CPU 0 is about to put its own notification in force. */
static void configure_at_once(unsigned id)
{
	struct spinlock *l = &bound_one->t->obj.lock;
	struct thread_config c = { .notification = then_ref };

	if (id == 0) {
		CHECK(notification_bind(first_bound, bound_one->t) == ST_OK);
		spin_lock(l);
		locked = true;
		while ((uint16_t)(l->next - l->owner) < 2)
			arch_cpu_relax();
		bound_one->t->notification = first_bound;
		spin_unlock(l);
	} else {
		while (!locked)
			arch_cpu_relax();
		configured = thread_configure(&bound_ref, &c);
	}
}

TEST(notification_that_was_replaced_forgets_the_thread)
{
	cap_t first, then;

	play_boot_threads(2);
	bound_one = actor_make(NULL, 10);
	first_bound = notification_make(bound_one, &first);
	then_bound = notification_make(bound_one, &then);
	bound_ref = ref_of(bound_one, bound_one->thread);
	then_ref = ref_of(bound_one, then);
	host_cpus_run(2, configure_at_once);
	CHECK(configured == ST_OK && then_bound->bound == bound_one->t);
	CHECK(bound_one->t->notification == then_bound && first_bound->bound == NULL);
}
