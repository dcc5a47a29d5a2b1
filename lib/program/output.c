/* SPDX-License-Identifier: MIT */
#include <lib/program/output.h>
#include <stdio.h>

/* What was lost is said before what comes after it. */
static bool tell_lost(struct output *o)
{
	char text[64];

	if (o->lost == 0)
		return true;
	int size = snprintf(text, sizeof(text), "(%llu entries were lost)",
			    (unsigned long long)o->lost);
	if (!o->send(LOG_WARNING, text, (size_t)size))
		return false;
	o->lost = 0;
	return true;
}

static void end_line(struct output *o, struct output_line *l, uint32_t level)
{
	if (!tell_lost(o) || !o->send(level, l->text, l->size))
		o->lost++;
	l->size = 0;
}

void output_add(struct output *o, int file, const char *bytes, size_t size)
{
	struct output_line *l = &o->line[file == 2];
	const uint32_t level = file == 2 ? LOG_ERROR : LOG_INFO;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || l->size == LOG_TEXT)
			end_line(o, l, level);
		if (bytes[i] != '\n')
			l->text[l->size++] = bytes[i];
	}
	if (size == 0 && l->size > 0)
		end_line(o, l, level);
}
