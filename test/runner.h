/* SPDX-License-Identifier: MIT */
/* test/runner.h - runs the cases of the program that it is linked into. */
#pragma once
#include <stdbool.h>

struct test_totals {
	unsigned passed, failed, skipped;
};

typedef bool test_filter(const char *name);

/* Runs every case whose name `wanted` accepts, one line each, and prints the
 * closing line. True if at least one passed and none failed: a run that ran
 * nothing has shown nothing. */
bool test_run(test_filter *wanted);
