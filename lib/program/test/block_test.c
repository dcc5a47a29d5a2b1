/* SPDX-License-Identifier: MIT */
#include <lib/program/program.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* A block in memory of its own, which ends where the block does. */
static struct program_block *begin(void)
{
	struct program_block *b = calloc(1, sizeof(*b));

	b->magic = PROGRAM_MAGIC;
	b->version = PROGRAM_VERSION;
	strcpy(b->name, "clock");
	b->caps = 2;
	strcpy(b->cap[0].name, "log");
	b->cap[0].cap = 17;
	strcpy(b->cap[1].name, "ports");
	b->cap[1].cap = 18;
	strcpy(b->cap[2].name, "beyond");
	b->cap[2].cap = 19;
	memcpy(b->arguments, "one\0two", 8);
	return b;
}

static bool is_good(const struct program_block *b)
{
	return program_block_check((const struct startup_own *)b) == b;
}

TEST(program_block_gives_what_it_names)
{
	struct program_block *b = begin();

	CHECK(is_good(b));
	CHECK(program_block_cap(b, "log") == 17 && program_block_cap(b, "ports") == 18);
	CHECK(program_block_cap(b, "lo") == CAP_NONE && program_block_cap(b, "logs") == CAP_NONE);
	CHECK(program_block_cap(b, "beyond") == CAP_NONE);
	b->caps = PROGRAM_CAPS;
	CHECK(is_good(b) && program_block_cap(b, "beyond") == 19);
	free(b);
}

TEST(program_block_gives_arguments_in_order)
{
	struct program_block *b = begin();

	CHECK(strcmp(program_block_argument(b, 0), "one") == 0);
	CHECK(strcmp(program_block_argument(b, 1), "two") == 0);
	CHECK(program_block_argument(b, 2) == NULL && program_block_argument(b, 9) == NULL);
	memset(b->arguments, 'x', PROGRAM_ARGUMENTS - 2);
	memset(b->arguments + PROGRAM_ARGUMENTS - 2, 0, 2);
	CHECK(is_good(b) && strlen(program_block_argument(b, 0)) == PROGRAM_ARGUMENTS - 2);
	CHECK(program_block_argument(b, 1) == NULL);
	free(b);
}

TEST(program_block_of_another_kind_is_refused)
{
	struct program_block *b = begin();

	b->magic = STARTUP_MAGIC;
	CHECK(!is_good(b));
	b->magic = PROGRAM_MAGIC;
	b->version++;
	CHECK(!is_good(b));
	free(b);
}

TEST(program_block_that_reaches_beyond_itself_is_refused)
{
	struct program_block *b = begin();

	b->caps = PROGRAM_CAPS + 1;
	CHECK(!is_good(b));
	b->caps = UINT32_MAX;
	CHECK(!is_good(b));
	b->caps = 2;
	memset(b->cap[1].name, 'x', PROGRAM_NAME);
	CHECK(!is_good(b));
	b->cap[1].name[PROGRAM_NAME - 1] = '\0';
	CHECK(is_good(b));
	memset(b->name, 'x', PROGRAM_NAME);
	CHECK(!is_good(b));
	free(b);
}

TEST(program_block_whose_arguments_do_not_end_is_refused)
{
	struct program_block *b = begin();

	memset(b->arguments, 'x', PROGRAM_ARGUMENTS);
	CHECK(!is_good(b));
	b->arguments[PROGRAM_ARGUMENTS - 1] = '\0';
	CHECK(!is_good(b)); /* the text ends, the list does not */
	b->arguments[PROGRAM_ARGUMENTS - 2] = '\0';
	CHECK(is_good(b));
	free(b);
}
