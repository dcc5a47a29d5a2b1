/* SPDX-License-Identifier: MIT */
#include <test/runner.h>
#include <test/test.h>
#include <core/log.h>
#include <stdatomic.h>

/* What the linker makes of the section "test_cases"; absent without a case. */
extern const struct test_case __start_test_cases[] __attribute__((weak));
extern const struct test_case __stop_test_cases[] __attribute__((weak));

/* The first report of the case that runs; its threads may race for it. */
static struct {
	_Atomic bool failed, skipped;
	const char *file;
	int line;
	const char *what; /* or the reason for skipping */
} report;

void test_fail(const char *file, int line, const char *what)
{
	if (atomic_exchange(&report.failed, true))
		return;
	report.file = file;
	report.line = line;
	report.what = what;
}

void test_skip(const char *reason)
{
	if (atomic_load(&report.failed) || atomic_exchange(&report.skipped, true))
		return;
	report.what = reason;
}

static void run_case(const struct test_case *c, struct test_totals *totals)
{
	atomic_store(&report.failed, false);
	atomic_store(&report.skipped, false);
	c->run();
	if (atomic_load(&report.failed)) {
		totals->failed++;
		log_raw("test %s: FAIL %s:%d %s", c->name, report.file, report.line, report.what);
	} else if (atomic_load(&report.skipped)) {
		totals->skipped++;
		log_raw("test %s: skipped: %s", c->name, report.what);
	} else {
		totals->passed++;
		log_raw("test %s: ok", c->name);
	}
}

bool test_run(test_filter *wanted)
{
	struct test_totals totals = { 0 };

	for (const struct test_case *c = __start_test_cases; c != __stop_test_cases; c++) {
		if (wanted(c->name))
			run_case(c, &totals);
	}
	log_raw("%u passed, %u failed, %u skipped", totals.passed, totals.failed, totals.skipped);
	return totals.failed == 0 && totals.passed > 0;
}
