/* SPDX-License-Identifier: MIT */
#include "ok.h"
#include "child.h"
#include <arch/host/host.h>
#include <core/spinlock.h>
#include <test/test.h>

/* More turns than anything that works needs: it finds hangs. */
#define PATIENCE 10000000

static struct spinlock low = SPINLOCK_INIT(LOCK_TREE);
static struct spinlock high = SPINLOCK_INIT(LOCK_FRAME);
static struct spinlock pair[2] = { SPINLOCK_INIT(LOCK_MEMORY), SPINLOCK_INIT(LOCK_MEMORY) };

/* Nothing but the lock guards these. */
static uint64_t count, copy;

static void wait_for(_Atomic unsigned *what, unsigned value)
{
	for (unsigned i = 0; *what < value && i < PATIENCE; i++)
		arch_cpu_relax();
	if (*what < value)
		test_fail(__FILE__, __LINE__, "what a CPU waits for never comes");
}

/* ---- exclusion ---- */

static void count_under_lock(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < 5000; i++) {
		spin_lock(&low);
		CHECK(count == copy);
		count++;
		copy++;
		spin_unlock(&low);
		host_interrupt_window();
	}
}

TEST(spin_lock_lets_in_one_at_a_time)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, count_under_lock);
	CHECK(count == 20000 && copy == 20000);
}

static void count_by_trying(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < 5000;) {
		if (!spin_trylock(&low)) {
			arch_cpu_relax();
			continue;
		}
		CHECK(count == copy);
		count++;
		copy++;
		spin_unlock(&low);
		i++;
	}
}

TEST(spin_trylock_lets_in_one_at_a_time)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, count_by_trying);
	CHECK(count == 20000 && copy == 20000);
	CHECK(lock_waits_total() == 0);
}

static void count_both_ways(unsigned id)
{
	(id & 1 ? count_by_trying : count_under_lock)(id);
}

TEST(spin_trylock_and_lock_mix)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, count_both_ways);
	CHECK(count == 20000 && copy == 20000);
}

static _Atomic unsigned arrived, served;

/* Each CPU comes when the one before has its ticket, which CPU 0 sees. */
static void stand_in_line(unsigned id)
{
	if (id == 0) {
		spin_lock(&low);
		for (unsigned n = 1; n < 4; n++) {
			arrived = n;
			for (unsigned i = 0; low.next != (uint16_t)(low.owner + n + 1); i++) {
				if (i == PATIENCE)
					break;
				arch_cpu_relax();
			}
		}
		spin_unlock(&low);
		return;
	}
	wait_for(&arrived, id);
	spin_lock(&low);
	CHECK(served == id - 1);
	served = id;
	spin_unlock(&low);
}

/* And each of the three waited once. */
TEST(spin_lock_serves_in_order_and_counts_waits)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, stand_in_line);
	CHECK(served == 3);
	CHECK(lock_waits_total() == 3);
	CHECK(cpu_by_id[0]->lock_waits == 0 && cpu_by_id[3]->lock_waits == 1);
}

TEST(spin_lock_outlives_its_tickets)
{
	for (unsigned i = 0; i < 3 * 65536 - 5; i++) {
		spin_lock(&low);
		spin_unlock(&low);
	}
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, count_under_lock);
	CHECK(count == 20000);
}

TEST(spin_is_held_by_this_cpu)
{
	CHECK(!spin_is_held(&low));
	spin_lock(&low);
	CHECK(spin_is_held(&low) && !spin_is_held(&high));
	CHECK(!spin_trylock(&low));
	spin_unlock(&low);
	CHECK(!spin_is_held(&low));
	CHECK(spin_trylock(&low) && spin_is_held(&low));
	spin_unlock(&low);
	CHECK(lock_waits_total() == 0);
}

/* ---- who waits serves shootdowns ---- */

static void flush_who_waits(unsigned id)
{
	struct tlb_batch b;

	switch (id) {
	case 0: /* holds the lock until CPU 2 has its answer */
		spin_lock(&low);
		arrived = 1;
		wait_for(&served, 1);
		spin_unlock(&low);
		break;
	case 1: /* waits for the lock */
		wait_for(&arrived, 1);
		arrived = 2;
		spin_lock(&low);
		spin_unlock(&low);
		break;
	default:
		wait_for(&arrived, 2);
		while (low.next != (uint16_t)(low.owner + 2))
			arch_cpu_relax();
		b = (struct tlb_batch){ .tag = 1 };
		tlb_batch_add(&b, 0, FRAME_SIZE);
		tlb_flush(&b, 1ull << 1);
		served = 1;
	}
}

TEST(spin_lock_serves_shootdowns_while_it_waits)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(3, flush_who_waits);
	CHECK(cpu_by_id[1]->tlb.served == 1);
}

/* ---- order ---- */

static void take_in_order(void)
{
	spin_lock(&low);
	spin_lock(&pair[0]);
	spin_lock_second(&pair[1]);
	spin_lock(&high);
	spin_unlock(&pair[0]); /* letting go has no order */
	spin_unlock(&low);
	spin_unlock(&high);
	spin_unlock(&pair[1]);
	spin_assert_none_held();
}

TEST(spin_order_is_open_to_those_who_keep_it)
{
	for (unsigned i = 0; i < 20; i++)
		take_in_order();
	spin_lock(&high);
	CHECK(spin_trylock(&low)); /* can't wait, so can't deadlock */
	spin_unlock(&low);
	spin_unlock(&high);
}

static void take_lower(void)
{
	spin_lock(&high);
	spin_lock(&low);
}

static void take_lower_below_others(void)
{
	spin_lock(&low);
	spin_lock(&high);
	spin_unlock(&low);
	spin_lock(&pair[0]);
}

static void take_twice(void)
{
	spin_lock(&low);
	spin_lock(&low);
}

static void take_same_rank(void)
{
	spin_lock(&pair[0]);
	spin_lock(&pair[1]);
}

static void take_second_downwards(void)
{
	spin_lock(&pair[1]);
	spin_lock_second(&pair[0]);
}

static void take_second_of_lower_rank(void)
{
	spin_lock(&pair[0]);
	spin_lock_second(&low);
}

static void take_below_what_was_tried(void)
{
	if (spin_trylock(&high))
		spin_lock(&low);
}

static void release_what_is_free(void)
{
	spin_unlock(&low);
}

static void hold_where_none_may_be(void)
{
	spin_lock(&pair[0]);
	spin_assert_none_held();
}

static void flush_with_a_lock(void)
{
	struct tlb_batch b;

	b = (struct tlb_batch){ .tag = 1 };
	tlb_batch_add(&b, 0, FRAME_SIZE);
	spin_lock(&pair[0]);
	tlb_flush(&b, 0);
}

static void barrier_with_a_lock(void)
{
	spin_lock(&pair[0]);
	tlb_barrier(0);
}

TEST(spin_misuse_panics_and_names_the_ranks)
{
	static const struct {
		void (*misuse)(void);
		const char *words[2];
	} cases[] = {
		{ take_lower, { "lock order: tree lock ", " taken while frame lock " } },
		{ take_lower_below_others, { "lock order: memory ", " taken while frame lock " } },
		{ take_twice, { "lock order: tree lock ", " taken while tree lock " } },
		{ take_same_rank, { "lock order: memory lock ", " taken while memory lock " } },
		{ take_second_downwards,
		  { "lock order: memory lock ", " taken while memory lock " } },
		{ take_second_of_lower_rank, { "lock order: tree ", " taken while memory lock " } },
		{ take_below_what_was_tried, { "lock order: tree ", " taken while frame lock " } },
		{ release_what_is_free,
		  { "tree lock ", "released by CPU 0, which does not hold it" } },
		{ hold_where_none_may_be, { "memory lock ", "is held where none may be" } },
		{ flush_with_a_lock, { "memory lock ", "is held where none may be" } },
		{ barrier_with_a_lock, { "memory lock ", "is held where none may be" } },
	};
	static struct child c;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		child_run(&c, cases[i].misuse);
		CHECK(child_gave_up(&c));
		CHECK(child_said(&c, cases[i].words[0]) == 1);
		CHECK(child_said(&c, cases[i].words[1]) == 1);
	}
}
