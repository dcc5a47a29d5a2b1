/* SPDX-License-Identifier: MIT */
/* The kernel's tests from user mode: the first program of a machine that has no other. Boot
 * options as in test/guest.c: test=PREFIX, test.rounds=N, test.seed=N. */
#include "console.h"
#include "table.h"
#include "world.h"
#include <abi/node.h>
#include <lib/sys/program.h>

/* Only the tests are linked with it. */
#pragma weak table_next

#define HANDLES 4096 /* more than any case has */

/* What the linker makes of the section "test_cases". */
extern const struct test_case __start_test_cases[], __stop_test_cases[];

/* The case that runs. */
static struct {
	bool failed, skipped;
	const char *file, *what;
	int line;
} report;

void test_fail(const char *file, int line, const char *what)
{
	if (report.failed)
		return;
	report.failed = true;
	report.file = file;
	report.line = line;
	report.what = what;
}

void test_skip(const char *reason)
{
	if (report.failed || report.skipped)
		return;
	report.skipped = true;
	report.what = reason;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = option(name);
	uint64_t n = 0;

	if (text == NULL)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	return n;
}

uint64_t test_rounds(uint64_t usual)
{
	return usual * number_from("test.rounds", 1);
}

uint64_t test_seed(void)
{
	return number_from("test.seed", 1);
}

void bench_report(const char *name, uint64_t value, const char *unit)
{
	say("bench %s %lu %s", name, value, unit);
}

static bool is_wanted(const char *name)
{
	const char *prefix = option("test");

	for (; prefix != NULL && *prefix != '\0' && *prefix != ' '; prefix++, name++) {
		if (*prefix != *name)
			return false;
	}
	return true;
}

/* What the program's own quota pays for and keeps is there after this: room for handles, and
 * what the kernel keeps for the next object of a kind. */
static void grow(void)
{
	static cap_t copy[HANDLES];

	for (unsigned i = 0; i < HANDLES; i++)
		copy[i] = copy_of(start->quota, 0, 0);
	for (unsigned i = 0; i < HANDLES; i++)
		SYS(cap_drop, start->cspace, copy[i]);
}

static struct {
	unsigned passed, failed, skipped;
} totals;

static void run_case(const struct test_case *c)
{
	if (!is_wanted(c->name))
		return;
	report.failed = report.skipped = false;
	world_isolate(c->run);
	if (report.failed) {
		totals.failed++;
		say("test %s: FAIL %s:%d %s", c->name, report.file, report.line, report.what);
	} else if (report.skipped) {
		totals.skipped++;
		say("test %s: skipped: %s", c->name, report.what);
	} else {
		totals.passed++;
		say("test %s: ok", c->name);
	}
}

static void run_all(void)
{
	struct test_case made;

	for (const struct test_case *c = __start_test_cases; c != __stop_test_cases; c++)
		run_case(c);
	while (table_next != NULL && table_next(&made))
		run_case(&made);
}

void program_main(const struct startup_own *own)
{
	start = (const struct startup *)own;
	console_init(start->ports);
	if (option("test.power") != NULL) /* for tests/e2e/power.py */
		SYS(node_power, start->node, number_from("test.power", NODE_OFF));
	world_isolate(grow);
	run_all();
	say("%u passed, %u failed, %u skipped", totals.passed, totals.failed, totals.skipped);
	SYS(node_power, start->node,
	    totals.failed == 0 && totals.passed > 0 ? NODE_OFF : NODE_OFF_FAILED);
	for (;;)
		SYS(thread_suspend, start->thread);
}
