/* SPDX-License-Identifier: MIT */
/* The guest tests, at the end of the boot of a kernel that they are linked
 * into. Boot options: test=PREFIX runs the cases whose names begin so,
 * test.rounds=N and test.seed=N are what test_rounds and test_seed tell.
 * test.crash=NAME provokes an exception instead (test_crash). */
#include <arch/arch.h>
#include <core/boot.h>
#include <core/log.h>
#include <test/runner.h>
#include <test/test.h>

#define NAME_MAX 64

static char prefix[NAME_MAX];

static bool is_wanted(const char *name)
{
	for (const char *p = prefix; *p != '\0'; p++, name++) {
		if (*p != *name)
			return false;
	}
	return true;
}

static uint64_t number_from(const char *option, uint64_t otherwise)
{
	char text[24];
	uint64_t n = 0;

	if (!boot_option(option, text, sizeof(text)))
		return otherwise;
	for (const char *t = text; *t >= '0' && *t <= '9'; t++)
		n = n * 10 + (uint64_t)(*t - '0');
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

void kernel_test_main(void)
{
	char crash[NAME_MAX];

	if (boot_option("test.crash", crash, sizeof(crash))) {
		if (test_crash != NULL)
			test_crash(crash);
		log_raw("no crash: %s", crash);
		arch_power_off(true);
	}
	boot_option("test", prefix, sizeof(prefix));
	arch_power_off(!test_run(is_wanted));
}
