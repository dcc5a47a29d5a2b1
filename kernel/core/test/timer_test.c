/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "timer_next.h"
#include <arch/host/host.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <test/test.h>
#include <string.h>

#define NEAR 1000ull

/* Same weights in each run. */
static void begin(void)
{
	host_cycles_step = 1;
	timer_cpu_init();
}

static unsigned fired;
static struct ktimer *last_fired;

static void note(struct ktimer *t)
{
	fired++;
	last_fired = t;
}

TEST(timer_arms_for_the_earliest_only)
{
	struct ktimer a = { 0 }, b = { 0 }, c = { 0 };

	begin();
	CHECK(timer_next() == TIMER_NEVER);
	timer_set(&a, 200, note);
	CHECK(timer_next() == 200 && host_timer_armed(0) == 200);
	timer_set(&b, 100, note);
	CHECK(timer_next() == 100 && host_timer_armed(0) == 100);
	timer_set(&c, 300, note);
	CHECK(timer_next() == 100 && host_timer_armed(0) == 100);
	CHECK(timer_cancel(&b));
	CHECK(timer_next() == 200 && host_timer_armed(0) == 200);
	CHECK(timer_cancel(&c));
	CHECK(host_timer_armed(0) == 200);
	CHECK(timer_cancel(&a));
	CHECK(timer_next() == TIMER_NEVER && host_timer_armed(0) == TIMER_NEVER);
}

TEST(timer_fires_at_its_deadline_and_once)
{
	struct ktimer t = { 0 };

	begin();
	timer_set(&t, 100, note);
	host_time_advance(99);
	timer_interrupt();
	CHECK(fired == 0 && host_timer_armed(0) == 100);
	host_time_advance(1);
	timer_interrupt();
	CHECK(fired == 1 && last_fired == &t && host_timer_armed(0) == TIMER_NEVER);
	CHECK(!timer_cancel(&t));
	host_time_advance(1000);
	timer_interrupt();
	CHECK(fired == 1);
	timer_set(&t, 50, note); /* in the past by now */
	CHECK(host_timer_armed(0) == 50);
	timer_interrupt();
	CHECK(fired == 2);
}

TEST(timer_cancel_tells_whether_it_was_in_time)
{
	struct ktimer t = { 0 };

	begin();
	CHECK(!timer_cancel(&t));
	timer_set(&t, 100, note);
	CHECK(timer_cancel(&t));
	CHECK(!timer_cancel(&t));
	host_time_advance(200);
	timer_interrupt();
	CHECK(fired == 0);
}

static void repeat(struct ktimer *t)
{
	note(t);
	CHECK(!timer_cancel(t));
	timer_set(t, t->deadline + 10, repeat);
}

TEST(timer_can_be_set_again_where_it_fires)
{
	struct ktimer t = { 0 };

	begin();
	timer_set(&t, 10, repeat);
	for (unsigned n = 1; n <= 5; n++) {
		host_time_advance(10);
		timer_interrupt();
		CHECK(fired == n && timer_next() == 10 * (n + 1));
	}
}

static struct ktimer *order[100];

static void note_order(struct ktimer *t)
{
	order[fired++] = t;
}

TEST(timer_deadlines_that_are_equal_keep_their_order)
{
	struct ktimer t[100];

	begin();
	memset(t, 0, sizeof(t));
	for (unsigned i = 0; i < 100; i++)
		timer_set(&t[i], 500, note_order);
	for (unsigned i = 0; i < 100; i += 3)
		CHECK(timer_cancel(&t[i]));
	host_time_advance(500);
	while (timer_next() != TIMER_NEVER)
		timer_interrupt();
	CHECK(fired == 66);
	for (unsigned n = 0, i = 0; i < 100; i++) {
		if (i % 3 != 0)
			CHECK(order[n++] == &t[i]);
	}
}

TEST(timer_interrupt_is_bounded)
{
	struct ktimer t[TIMER_BATCH * 2 + 1];

	begin();
	memset(t, 0, sizeof(t));
	for (unsigned i = 0; i < ARRAY_LEN(t); i++)
		timer_set(&t[i], i, note);
	host_time_advance(1000);
	timer_interrupt();
	CHECK(fired == TIMER_BATCH && host_timer_armed(0) == TIMER_BATCH); /* past: at once */
	timer_interrupt();
	CHECK(fired == 2 * TIMER_BATCH);
	timer_interrupt();
	CHECK(fired == ARRAY_LEN(t) && host_timer_armed(0) == TIMER_NEVER);
}

/* ---- the tree ---- */

#define MANY 10000

static struct ktimer many[MANY];
static unsigned deepest; /* links from the root, seen by queue_ok */

static unsigned depth_of(const struct tree_node *n)
{
	unsigned depth = 0;

	while ((n = n->parent) != NULL)
		depth++;
	return depth;
}

/* True when the queue in which `in` is, is in order, and has `expected` timers. */
static bool queue_ok(const struct ktimer *in, unsigned expected)
{
	const struct tree_node *n = &in->node;
	unsigned count = 0;

	while (n->parent != NULL)
		n = n->parent;
	while (n->child[0] != NULL)
		n = n->child[0];
	deepest = 0;
	for (const struct tree_node *last = NULL; n != NULL; last = n, n = tree_next(n)) {
		const struct ktimer *t = container_of(n, const struct ktimer, node);
		if (n->key != t->deadline || (last != NULL && last->key > n->key) || t->cpu != 1)
			return false;
		if (depth_of(n) > deepest)
			deepest = depth_of(n);
		count++;
	}
	return count == expected;
}

/* A queue as simple as can be: sorted, the earliest last. */
static struct {
	struct ktimer *timer[MANY];
	unsigned count;
} oracle;

static void oracle_insert(struct ktimer *t, uint64_t deadline)
{
	unsigned low = 0, high = oracle.count;

	/* Equal ones fire in the order of setting, so the new one is before them. */
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (oracle.timer[middle]->deadline > deadline)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&oracle.timer[low + 1], &oracle.timer[low],
		(oracle.count - low) * sizeof(oracle.timer[0]));
	oracle.timer[low] = t;
	oracle.count++;
}

static void oracle_remove(struct ktimer *t)
{
	unsigned at = 0;

	while (oracle.timer[at] != t)
		at++;
	oracle.count--;
	memmove(&oracle.timer[at], &oracle.timer[at + 1],
		(oracle.count - at) * sizeof(oracle.timer[0]));
}

static unsigned mismatches;

/* The oracle knows who is next, and that it is due. */
static void expect(struct ktimer *t)
{
	struct ktimer *right = oracle.timer[oracle.count - 1];

	if (t != right || t->deadline > time_now() || atomic_load(&t->cpu) != 0)
		mismatches++;
	oracle.count--;
	fired++;
}

static void random_operation(struct chance *chance)
{
	struct ktimer *t = &many[chance_below(chance, MANY)];
	bool queued = atomic_load(&t->cpu) != 0;

	if (chance_below(chance, 1000) == 0) {
		host_time_advance(chance_below(chance, 100));
		timer_interrupt();
	} else if (!queued) {
		uint64_t deadline = time_now() + chance_below(chance, NEAR);
		oracle_insert(t, deadline);
		timer_set(t, deadline, expect);
	} else if (chance_below(chance, 3) == 0) {
		oracle_remove(t);
		if (!timer_cancel(t))
			mismatches++;
	}
	uint64_t next = oracle.count == 0 ? TIMER_NEVER : oracle.timer[oracle.count - 1]->deadline;
	if (timer_next() != next || host_timer_armed(0) != next)
		mismatches++;
}

TEST(timer_random_operations_agree_with_a_sorted_array)
{
	struct chance chance = { test_seed() };
	uint64_t rounds = test_rounds(100000);

	begin();
	for (uint64_t n = 0; n < rounds; n++) {
		random_operation(&chance);
		CHECK(mismatches == 0);
		if (n % 5000 == 0 && oracle.count > 0)
			CHECK(queue_ok(oracle.timer[0], oracle.count));
	}
	CHECK(fired > 0);
	host_time_advance(2 * NEAR);
	while (timer_next() != TIMER_NEVER)
		timer_interrupt();
	CHECK(mismatches == 0 && oracle.count == 0);
}

/* Whoever chooses the deadlines does not choose the shape. The expected depth of
 * 10,000 is below 35; 80 is beyond any chance. */
TEST(timer_chosen_deadlines_make_no_deep_tree)
{
	begin();
	for (unsigned kind = 0; kind < 4; kind++) {
		for (uint64_t i = 0; i < MANY; i++) {
			const uint64_t deadline[] = { i, MANY - i, i % 2 == 0 ? i : 2 * MANY - i,
						      7 };
			timer_set(&many[i], 1 + deadline[kind], note);
		}
		CHECK(queue_ok(&many[0], MANY));
		CHECK(deepest < 80);
		for (unsigned i = 0; i < MANY; i++)
			CHECK(timer_cancel(&many[i]));
		CHECK(timer_next() == TIMER_NEVER);
	}
}

/* ---- several CPUs ---- */

/* Both find the timer queued and wait for the lock of its queue, which is the
 * first member of that. Who gets it second must look again. */
static struct ktimer contested;
static _Atomic uint32_t cancelled, lock_taken;

static void cancel_contested(unsigned id)
{
	struct spinlock *lock = (struct spinlock *)(void *)cpu_boot.timers;

	if (id == 0) {
		spin_lock(lock);
		atomic_store(&lock_taken, 1);
		while ((uint16_t)(atomic_load(&lock->next) - atomic_load(&lock->owner)) < 3)
			arch_cpu_relax();
		spin_unlock(lock);
		return;
	}
	while (atomic_load(&lock_taken) == 0)
		arch_cpu_relax();
	atomic_fetch_add(&cancelled, timer_cancel(&contested) ? 1 : 0);
}

TEST(timer_cancelled_twice_at_once_is_cancelled_once)
{
	host_boot_usual();
	begin();
	timer_set(&contested, 100, note);
	host_cpus_run(3, cancel_contested);
	CHECK(atomic_load(&cancelled) == 1);
	CHECK(timer_next() == TIMER_NEVER);
}

#define SHARED 64
#define CPUS   4

enum { IDLE, SET };

/* What a timer is now; every change is counted in the one place that makes it. */
static struct shared {
	struct ktimer timer;
	_Atomic uint32_t state;
} shared[SHARED];

static _Atomic uint64_t sets, fires, cancels, violations;

static void leave_set(struct shared *s, _Atomic uint64_t *count)
{
	atomic_fetch_add(count, 1);
	if (atomic_exchange(&s->state, IDLE) != SET)
		atomic_fetch_add(&violations, 1);
}

static void fire_shared(struct ktimer *t)
{
	leave_set(container_of(t, struct shared, timer), &fires);
}

static void race(unsigned id)
{
	struct chance chance = { test_seed() * CPUS + id };
	uint64_t rounds = test_rounds(20000);

	timer_cpu_init();
	for (uint64_t n = 0; n < rounds; n++) {
		struct shared *s = &shared[chance_below(&chance, SHARED)];
		uint32_t idle = IDLE;

		if (chance_below(&chance, 4) == 0) {
			host_time_advance(chance_below(&chance, 4));
			timer_interrupt();
		} else if (atomic_compare_exchange_strong(&s->state, &idle, SET)) {
			atomic_fetch_add(&sets, 1);
			timer_set(&s->timer, time_now() + chance_below(&chance, 8), fire_shared);
		} else if (timer_cancel(&s->timer)) {
			leave_set(s, &cancels);
		}
	}
	while (timer_next() != TIMER_NEVER) {
		host_time_advance(10);
		timer_interrupt();
	}
}

/* Each time that a timer is set it either fires or is cancelled. */
TEST(timer_cancel_races_with_firing)
{
	host_boot_usual();
	host_cpus_run(CPUS, race);
	CHECK(atomic_load(&violations) == 0);
	CHECK(atomic_load(&fires) + atomic_load(&cancels) == atomic_load(&sets));
	CHECK(atomic_load(&fires) > 0 && atomic_load(&cancels) > 0);
}
