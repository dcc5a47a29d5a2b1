/* SPDX-License-Identifier: MIT */
#include <core/log.h>
#include <core/symbol.h>
#include <core/timer.h>
#include <test/test.h>
#include <arch/arch.h>

#define PIECE 128

static bool begins(const char *text, const char *with)
{
	while (*with != '\0') {
		if (*text++ != *with++)
			return false;
	}
	return true;
}

TEST(log_ring_begins_with_the_greeting)
{
	static const char greeting[] = "Hello from ThemeliOS ";
	char text[PIECE];
	uint64_t pos = 0;

	CHECK(log_read(&pos, text, sizeof(text)) == sizeof(text));
	if (pos > sizeof(text))
		SKIP("the tests before this one have filled the ring");
	CHECK(begins(text, greeting));
}

/* Microseconds in the prefix "[    1.234567] ". */
static uint64_t time_of(const char *line)
{
	uint64_t us = 0;

	for (line++; *line != ']'; line++) {
		if (*line >= '0' && *line <= '9')
			us = us * 10 + (uint64_t)(*line - '0');
	}
	return us;
}

TEST(log_time_is_that_of_the_clock)
{
	static char text[LOG_RING_BYTES];
	uint64_t pos = 0;

	while (log_read(&pos, text, sizeof(text)) > 0)
		continue;
	uint64_t before = time_now() / 1000;
	log_info("test", "a line");
	uint64_t after = time_now() / 1000;

	CHECK(log_read(&pos, text, sizeof(text)) > 0);
	CHECK(before > 0);
	CHECK(time_of(text) >= before && time_of(text) <= after);
}

static const char *caller;

static void take_caller(vaddr_t pc)
{
	size_t offset, size;

	if (caller == NULL)
		caller = symbol_find(pc - 1, &offset, &size);
}

static __attribute__((noinline)) void function_with_a_name(void)
{
	caller = NULL;
	arch_backtrace(take_caller, 1);
	__asm__ volatile(""); /* so that the call above is not the last thing, and made a jump */
}

TEST(symbol_names_the_caller_in_a_backtrace)
{
	function_with_a_name();
	CHECK(caller != NULL);
	CHECK(begins(caller, "function_with_a_name"));
}

TEST(symbol_table_has_functions_and_no_data)
{
	static int datum;
	size_t offset = 1, size;
	const char *name = symbol_find((vaddr_t)symbol_find, &offset, &size);

	CHECK(name != NULL && begins(name, "symbol_find") && offset == 0);
	CHECK(symbol_find((vaddr_t)&datum, &offset, &size) == NULL);
	CHECK(symbol_find((vaddr_t) "a string", &offset, &size) == NULL);
}
