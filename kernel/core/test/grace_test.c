/* SPDX-License-Identifier: MIT */
#include <arch/host/host.h>
#include <core/frame.h>
#include <core/grace.h>
#include <core/spinlock.h>
#include <test/test.h>

/* How often CPU 0 leaves the kernel and polls before we believe that a period
 * does not end by itself. */
#define PATIENCE 1000

static _Atomic unsigned stage;
static uint64_t ticket;

static void wait_for_stage(unsigned n)
{
	while (stage < n)
		arch_cpu_relax();
}

/* Goes through the kernel until the ticket is over or patience is. */
static bool over_in_time(uint64_t t)
{
	for (unsigned i = 0; i < PATIENCE && !grace_is_over(t); i++) {
		grace_poll();
		cpu_leave_kernel(arch_this_cpu());
	}
	return grace_is_over(t);
}

TEST(grace_needs_the_own_exit_too)
{
	cpu_set_online(&cpu_boot);
	ticket = grace_ticket();
	CHECK(!grace_is_over(ticket));
	cpu_leave_kernel(&cpu_boot); /* too early: the period has not begun */
	for (unsigned i = 0; i < 3; i++) {
		grace_poll();
		CHECK(!grace_is_over(ticket));
	}
	cpu_leave_kernel(&cpu_boot);
	CHECK(!grace_is_over(ticket)); /* nobody has looked */
	grace_poll();
	CHECK(grace_is_over(ticket));
}

/* However many tickets are drawn, others are not interrupted all the time. */
TEST(grace_periods_keep_apart)
{
	cpu_set_online(&cpu_boot);
	host_grace_gap = 1000;
	CHECK(over_in_time(grace_ticket()));
	for (unsigned i = 0; i < 3; i++) {
		ticket = grace_ticket();
		host_time_advance(999);
		CHECK(!over_in_time(ticket));
		host_time_advance(1);
		CHECK(over_in_time(ticket));
	}
	host_time_advance(5000);
	CHECK(over_in_time(grace_ticket()));
}

TEST(grace_ticket_drawn_late_waits_for_the_next_period)
{
	cpu_set_online(&cpu_boot);
	uint64_t first = grace_ticket();
	CHECK(grace_ticket() == first); /* one period serves both */
	grace_poll();
	uint64_t second = grace_ticket();
	CHECK(second > first);
	cpu_leave_kernel(&cpu_boot);
	grace_poll();
	CHECK(grace_is_over(first) && !grace_is_over(second));
	cpu_leave_kernel(&cpu_boot);
	grace_poll();
	CHECK(grace_is_over(second));
}

static void come_and_go(unsigned id)
{
	(void)id;
}

TEST(grace_does_not_wake_the_idle)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, come_and_go);
	while (!cpu_by_id[1]->idle || !cpu_by_id[2]->idle || !cpu_by_id[3]->idle)
		arch_cpu_relax();
	ticket = grace_ticket();
	CHECK(over_in_time(ticket));
	for (unsigned id = 1; id < 4; id++)
		CHECK(cpu_by_id[id]->tlb.served == 0 && cpu_by_id[id]->idle);
}

static void stay_inside(unsigned id)
{
	if (id == 0) {
		wait_for_stage(1);
		ticket = grace_ticket();
		CHECK(!over_in_time(ticket));
		stage = 2;
		wait_for_stage(3);
		CHECK(over_in_time(ticket));
		return;
	}
	stage = 1;
	while (stage < 2) {
		tlb_serve(); /* as a loop inside the kernel does; that is no way out */
		arch_cpu_relax();
	}
	cpu_leave_kernel(arch_this_cpu());
	stage = 3;
}

TEST(grace_waits_for_who_stays_in_the_kernel)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(2, stay_inside);
}

static void stay_in_user_mode(unsigned id)
{
	if (id == 0) {
		wait_for_stage(1);
		ticket = grace_ticket();
		CHECK(over_in_time(ticket));
		stage = 2;
		return;
	}
	cpu_leave_kernel(arch_this_cpu());
	stage = 1;
	while (stage < 2) { /* a program that makes no call */
		if (host_interrupt_window())
			cpu_leave_kernel(arch_this_cpu());
		arch_cpu_relax();
	}
}

TEST(grace_interrupts_user_mode_once)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(2, stay_in_user_mode);
	CHECK(cpu_by_id[1]->tlb.served == 1);
}

/* ---- readers without a reference against a writer that frees ---- */

#define ROUNDS 300

static _Atomic paddr_t published; /* 0: the end */

static void read_published(void)
{
	while (published != 0) {
		for (unsigned i = 0; i < 5; i++) {
			paddr_t pa = published;
			if (pa == 0)
				break;
			arch_cpu_relax();
			const uint64_t *word = arch_phys_to_virt(pa);
			CHECK(*word == pa); /* and not what its next owner wrote */
		}
		host_user_mode();
	}
}

static void replace_published(void)
{
	for (uint64_t i = 0; i < test_rounds(ROUNDS); i++) {
		paddr_t old = published;
		paddr_t pa;

		CHECK(frame_alloc(0, FRAME_ANY, &pa));
		*(uint64_t *)arch_phys_to_virt(pa) = pa;
		published = pa;
		uint64_t t = grace_ticket();
		while (!grace_is_over(t)) {
			grace_poll();
			host_user_mode();
			arch_cpu_relax();
		}
		*(uint64_t *)arch_phys_to_virt(old) = ~old;
		frame_free(old, 0);
	}
}

static void read_or_replace(unsigned id)
{
	if (id > 0) {
		read_published();
		return;
	}
	replace_published();
	published = 0;
}

TEST(grace_readers_never_see_freed_memory)
{
	paddr_t pa;

	host_boot_usual();
	CHECK(frame_alloc(0, FRAME_ANY, &pa));
	*(uint64_t *)arch_phys_to_virt(pa) = pa;
	published = pa;
	host_cpus_run(4, read_or_replace);
}

/* Several CPUs draw and poll at once; each has all the others to wait for. */
static void draw_and_poll(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t t = grace_ticket();

		CHECK(!grace_is_over(t));
		while (!grace_is_over(t)) {
			grace_poll();
			host_user_mode();
			arch_cpu_relax();
		}
	}
}

TEST(grace_periods_serve_all_who_wait)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(4, draw_and_poll);
	spin_assert_none_held();
}
