/* SPDX-License-Identifier: MIT */
/* test/runner.h - runs the cases of the program that it is linked into. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

struct test_totals {
	unsigned passed, failed, skipped;
};

/* The first report of the case that runs; its threads may race for it. */
struct test_report {
	_Atomic bool failed, skipped;
	const char *file;
	int line;
	const char *what; /* or the reason for skipping */
};

/* Where the report is; a program may put it where its children can write. */
extern struct test_report *test_report;

/* Calls a case. A program may have one of its own, that keeps the effects of the
 * case away from those that follow. */
void test_isolate(void (*run)(void));

typedef bool test_filter(const char *name);

/* Runs every case whose name `wanted` accepts, one line each, and prints the
 * closing line. True if at least one passed and none failed: a run that ran
 * nothing has shown nothing. */
bool test_run(test_filter *wanted);

/* Ends the kernel with the exception that `name` stands for; returns if it knows
 * none of that name, or if the exception did not come. A port may have it. */
void test_crash(const char *name) __attribute__((weak));
