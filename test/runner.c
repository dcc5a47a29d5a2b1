/* SPDX-License-Identifier: MIT */
#include <test/runner.h>
#include <test/test.h>
#include <core/log.h>
#include <stdatomic.h>

/* What the linker makes of the section "test_cases"; absent without a case. */
extern const struct test_case __start_test_cases[] __attribute__((weak));
extern const struct test_case __stop_test_cases[] __attribute__((weak));

static struct test_report here;
struct test_report *test_report = &here;

void test_fail(const char *file, int line, const char *what)
{
	if (atomic_exchange(&test_report->failed, true))
		return;
	test_report->file = file;
	test_report->line = line;
	test_report->what = what;
}

void test_skip(const char *reason)
{
	if (atomic_load(&test_report->failed) || atomic_exchange(&test_report->skipped, true))
		return;
	test_report->what = reason;
}

void bench_report(const char *name, uint64_t value, const char *unit)
{
	log_raw("bench %s %lu %s", name, value, unit);
}

__attribute__((weak)) void test_isolate(void (*run)(void))
{
	run();
}

static void run_case(const struct test_case *c, struct test_totals *totals)
{
	struct test_report *r = test_report;

	atomic_store(&r->failed, false);
	atomic_store(&r->skipped, false);
	test_isolate(c->run);
	if (atomic_load(&r->failed)) {
		totals->failed++;
		log_raw("test %s: FAIL %s:%d %s", c->name, r->file, r->line, r->what);
	} else if (atomic_load(&r->skipped)) {
		totals->skipped++;
		log_raw("test %s: skipped: %s", c->name, r->what);
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
