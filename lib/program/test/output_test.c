/* SPDX-License-Identifier: MIT */
#include <lib/program/output.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

static struct {
	bool refuses;
	char said[4096]; /* entries as "level:text|" */
} log_seen;

static bool take(uint32_t level, const char *text, size_t size)
{
	size_t at = strlen(log_seen.said);

	if (log_seen.refuses)
		return false;
	snprintf(log_seen.said + at, sizeof(log_seen.said) - at, "%u:%.*s|", level, (int)size,
		 text);
	return true;
}

static void begin(struct output *o)
{
	memset(&log_seen, 0, sizeof(log_seen));
	*o = (struct output){ .send = take };
}

static void add(struct output *o, int file, const char *text)
{
	output_add(o, file, text, strlen(text));
}

static bool said(const char *all)
{
	bool same = strcmp(log_seen.said, all) == 0;

	log_seen.said[0] = '\0';
	return same;
}

TEST(output_goes_out_by_lines)
{
	struct output o;

	begin(&o);
	add(&o, 1, "a lo");
	CHECK(said(""));
	add(&o, 1, "ng line\nand\n\nhalf");
	CHECK(said("3:a long line|3:and|3:|"));
	output_add(&o, 1, "", 0);
	CHECK(said("3:half|"));
	output_add(&o, 1, "", 0);
	CHECK(said(""));
}

TEST(output_of_two_files_does_not_mix)
{
	struct output o;

	begin(&o);
	add(&o, 1, "out");
	add(&o, 2, "err");
	add(&o, 1, "put\n");
	add(&o, 2, "or\n");
	CHECK(said("3:output|1:error|"));
}

TEST(output_of_long_lines_is_kept_whole)
{
	struct output o;
	char text[LOG_TEXT + 2], all[2 * LOG_TEXT];

	begin(&o);
	memset(text, 'x', sizeof(text));
	text[LOG_TEXT] = '\n';
	output_add(&o, 1, text, LOG_TEXT + 1); /* just one entry */
	snprintf(all, sizeof(all), "3:%.*s|", LOG_TEXT, text);
	CHECK(said(all));
	text[LOG_TEXT] = 'y';
	text[LOG_TEXT + 1] = '\n';
	output_add(&o, 1, text, sizeof(text));
	snprintf(all, sizeof(all), "3:%.*s|3:y|", LOG_TEXT, text);
	CHECK(said(all));
}

TEST(output_that_was_lost_is_told)
{
	struct output o;

	begin(&o);
	log_seen.refuses = true;
	add(&o, 1, "one\ntwo\n");
	CHECK(said("") && o.lost == 2);
	log_seen.refuses = false;
	add(&o, 2, "three\nfour\n");
	CHECK(said("2:(2 entries were lost)|1:three|1:four|") && o.lost == 0);
}
