/* SPDX-License-Identifier: MIT */
#include <core/symbol.h>
#include <string.h>
#include <test/test.h>

extern const char kernel_start[]; /* of a kernel that is made up: symbol_fake.c */

static vaddr_t at(size_t offset)
{
	return (vaddr_t)kernel_start + offset;
}

static bool is(vaddr_t pc, const char *name, size_t want)
{
	size_t offset = 0, size;
	const char *found = symbol_find(pc, &offset, &size);

	return found != NULL && strcmp(found, name) == 0 && offset == want;
}

TEST(symbol_names_each_byte_of_a_function)
{
	CHECK(is(at(0x100), "alpha", 0));
	CHECK(is(at(0x13f), "alpha", 0x3f));
	CHECK(is(at(0x140), "beta", 0));
	CHECK(is(at(0x17f), "beta", 0x3f));
	CHECK(is(at(0x200), "gamma", 0));
	CHECK(is(at(0x23f), "gamma", 0x3f));
}

TEST(symbol_names_nothing_outside_of_functions)
{
	size_t offset = 77, size = 78;

	CHECK(symbol_find(0, &offset, &size) == NULL);
	CHECK(symbol_find(at(0) - 1, &offset, &size) == NULL);
	CHECK(symbol_find(at(0), &offset, &size) == NULL);
	CHECK(symbol_find(at(0xff), &offset, &size) == NULL);
	CHECK(symbol_find(at(0x180), &offset, &size) == NULL);
	CHECK(symbol_find(at(0x1ff), &offset, &size) == NULL);
	CHECK(symbol_find(at(0x240), &offset, &size) == NULL);
	CHECK(symbol_find(at(0x100000200), &offset, &size) == NULL);
	CHECK(symbol_find(UINTPTR_MAX, &offset, &size) == NULL);
	CHECK(offset == 77 && size == 78);
}

TEST(symbol_format_gives_offset_and_length)
{
	char text[32];

	symbol_format(at(0x152), text, sizeof(text));
	CHECK(strcmp(text, "beta+0x12/0x40") == 0);
	symbol_format(0x1234, text, sizeof(text));
	CHECK(strcmp(text, "0x0000000000001234") == 0);
	symbol_format(at(0x152), text, 6);
	CHECK(strcmp(text, "beta+") == 0);
}
