/* SPDX-License-Identifier: MIT */
#include <lib/program/program.h>
#include <string.h>

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/* All arguments end, and so does their list. */
static bool arguments_end(const char *text)
{
	size_t at = 0;

	while (at < PROGRAM_ARGUMENTS && text[at] != '\0') {
		if (!ends(&text[at], PROGRAM_ARGUMENTS - at))
			return false;
		at += strlen(&text[at]) + 1;
	}
	return at < PROGRAM_ARGUMENTS;
}

const struct program_block *program_block_check(const struct startup_own *start)
{
	const struct program_block *b = (const struct program_block *)start;

	if (start->magic != PROGRAM_MAGIC || start->version != PROGRAM_VERSION)
		return NULL;
	if (!ends(b->name, PROGRAM_NAME) || b->caps > PROGRAM_CAPS)
		return NULL;
	for (unsigned i = 0; i < b->caps; i++) {
		if (!ends(b->cap[i].name, PROGRAM_NAME))
			return NULL;
	}
	return arguments_end(b->arguments) ? b : NULL;
}

cap_t program_block_cap(const struct program_block *b, const char *name)
{
	for (unsigned i = 0; i < b->caps; i++) {
		if (strcmp(b->cap[i].name, name) == 0)
			return b->cap[i].cap;
	}
	return CAP_NONE;
}

const char *program_block_argument(const struct program_block *b, unsigned index)
{
	const char *text = b->arguments;

	for (; index > 0 && *text != '\0'; index--)
		text += strlen(text) + 1;
	return *text != '\0' ? text : NULL;
}
