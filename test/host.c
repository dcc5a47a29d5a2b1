/* SPDX-License-Identifier: MIT */
/* The unit tests as a program: unit [case ...] runs those named, or all. */
#include <test/runner.h>
#include <test/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **names;

static bool is_wanted(const char *name)
{
	for (char **n = names; *n != NULL; n++) {
		if (strcmp(*n, name) == 0)
			return true;
	}
	return *names == NULL;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	char *end;

	if (text == NULL)
		return otherwise;
	unsigned long long n = strtoull(text, &end, 10);
	if (end == text || *end != '\0') {
		fprintf(stderr, "%s is not a number: %s\n", variable, text);
		exit(2);
	}
	return n;
}

uint64_t test_rounds(uint64_t usual)
{
	return usual * number_from("TEST_ROUNDS", 1);
}

uint64_t test_seed(void)
{
	return number_from("TEST_SEED", 1);
}

int main(int argc, char **argv)
{
	(void)argc;
	names = argv + 1;
	return test_run(is_wanted) ? 0 : 1;
}
