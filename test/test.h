/* SPDX-License-Identifier: MIT */
/* test/test.h - named test cases, the same on the host and in the guest kernel.
 *
 * A case is a function without arguments. A CHECK that fails reports and leaves
 * the function that it stands in; so helpers with CHECKs return void and their
 * callers go on. SKIP names the reason. The runner prints one line a case and
 * the closing line "N passed, N failed, N skipped".
 */
#pragma once

struct test_case {
	const char *name;
	void (*run)(void);
};

#define TEST(n)                                                                                    \
	static void test_##n(void);                                                                \
	static const struct test_case case_##n                                                     \
	        __attribute__((used, section("test_cases"), aligned(8))) = { #n, test_##n };       \
	static void test_##n(void)

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

void test_fail(const char *file, int line, const char *what);
void test_skip(const char *reason);
