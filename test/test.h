/* SPDX-License-Identifier: MIT */
/* test/test.h - named test cases, the same on the host and in the guest kernel.
 *
 * A case is a function without arguments. A CHECK that fails reports and leaves
 * the function that it stands in; so helpers with CHECKs return void and their
 * callers go on. SKIP names the reason. The runner prints one line a case and
 * the closing line "N passed, N failed, N skipped".
 */
#pragma once
#include <stdint.h>

struct test_case {
	const char *name;
	void (*run)(void);
};

#define TEST(n)                                                                                    \
	static void testcase_##n(void);                                                            \
	static const struct test_case case_##n                                                     \
		__attribute__((used, section("test_cases"), aligned(8))) = { #n, testcase_##n };   \
	static void testcase_##n(void)

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			test_fail(__FILE__, __LINE__, #x);                                         \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define SKIP(reason)                                                                               \
	do {                                                                                       \
		test_skip(reason);                                                                 \
		return;                                                                            \
	} while (0)

/* What CHECK and SKIP call; the first report of a case counts. */
void test_fail(const char *file, int line, const char *what);
void test_skip(const char *reason);

/* How many rounds a loop of random operations makes: `usual`, or a multiple of
 * it in the long runs (make soak). */
uint64_t test_rounds(uint64_t usual);

/* Where such a loop starts its pseudo-random numbers; the long runs try more. */
uint64_t test_seed(void);

/* In a benchmark: one figure, as the line "bench <name> <value> <unit>". It
 * counts only if the case that tells it passes, so each checks what it did. */
void bench_report(const char *name, uint64_t value, const char *unit);
