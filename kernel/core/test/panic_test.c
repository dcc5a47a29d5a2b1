/* SPDX-License-Identifier: MIT */
#include "child.h"
#include <core/assert.h>
#include <core/cpu.h>
#include <core/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <test/test.h>

static struct child c;

static void panic_once(void)
{
	panic("the %s is %d", "answer", 42);
}

TEST(panic_reports_and_fails)
{
	child_run(&c, panic_once);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "error panic: the answer is 42\n") == 1);
}

static void print_context(const void *context)
{
	log_raw("  the context is %s", (const char *)context);
}

static void panic_with_report(void)
{
	panic_report(print_context, "a word", "reason %u", 1u);
}

TEST(panic_report_follows_the_reason)
{
	child_run(&c, panic_with_report);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "error panic: reason 1\n  the context is a word\n") == 1);
}

static void assert_wrongly(void)
{
	volatile int two = 2;

	ASSERT(two + two == 5);
}

TEST(assert_names_claim_and_place)
{
	child_run(&c, assert_wrongly);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "panic: assertion failed: two + two == 5, kernel/core/test/"
			     "panic_test.c:") == 1);
}

static void refuse(void)
{
	boot_refuse("no %s", "luck");
}

TEST(boot_refuse_says_one_line_and_fails)
{
	child_run(&c, refuse);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "error boot: cannot start: no luck\n") == 1);
	CHECK(child_said(&c, "\n") == 1);
}

/* The report of the first panic faults: it was given a bad string. */

static const char *volatile bad = (const char *)8;

static void panic_again(int signal)
{
	(void)signal;
	panic("fault in the report");
}

static void panic_twice(void)
{
	struct sigaction action = { .sa_handler = panic_again, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	panic("%s", bad);
}

TEST(panic_survives_a_second_panic)
{
	child_run(&c, panic_twice);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "panic: while reporting that: fault in the report\n") == 1);
}

static void panic_again_badly(int signal)
{
	(void)signal;
	panic("%s", bad);
}

static void panic_for_ever(void)
{
	struct sigaction action = { .sa_handler = panic_again_badly, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	panic("%s", bad);
}

TEST(panic_ends_even_if_every_report_fails)
{
	child_run(&c, panic_for_ever);
	CHECK(child_gave_up(&c));
}

#define CPUS 4

static struct cpu cpus[CPUS];
static pthread_barrier_t barrier;

/* Goes on when the others have had plenty of time to report as well. */
static void wait_for_others(const void *context)
{
	(void)context;
	log_raw("  one report");
	for (unsigned i = 0; i < 5000; i++)
		arch_cpu_relax();
}

static void *panic_with_others(void *arg)
{
	struct cpu *me = arg;

	host_this_cpu = me;
	pthread_barrier_wait(&barrier);
	panic_report(wait_for_others, NULL, "all at once");
}

static void panic_on_all_cpus(void)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, CPUS);
	for (unsigned i = 0; i < CPUS; i++) {
		cpus[i].self = &cpus[i];
		cpus[i].id = i;
		if (pthread_create(&thread, NULL, panic_with_others, &cpus[i]) != 0)
			_Exit(0);
	}
	pthread_join(thread, NULL);
}

TEST(panic_on_many_cpus_is_reported_once)
{
	child_run(&c, panic_on_all_cpus);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "panic: ") == 1);
	CHECK(child_said(&c, "  one report\n") == 1);
}

/* Panic while another CPU holds the log's lock for ever. */

static void *log_for_ever(void *arg)
{
	(void)arg;
	host_this_cpu = &cpus[1];
	log_info("test", "%s", bad);
	return NULL;
}

static void hold_the_lock(int signal)
{
	(void)signal;
	pthread_barrier_wait(&barrier);
	for (;;)
		arch_cpu_relax();
}

static void panic_without_the_lock(void)
{
	pthread_t thread;

	cpus[1].self = &cpus[1];
	cpus[1].id = 1;
	pthread_barrier_init(&barrier, NULL, 2);
	signal(SIGSEGV, hold_the_lock);
	if (pthread_create(&thread, NULL, log_for_ever, NULL) != 0)
		_Exit(0);
	pthread_barrier_wait(&barrier);
	panic("no lock");
}

TEST(panic_needs_no_lock)
{
	child_run(&c, panic_without_the_lock);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "panic: no lock\n") == 1);
}
