/* SPDX-License-Identifier: MIT */
/* services/log/text.h - lines as they come, and as they are shown. */
#pragma once
#include <proto/log.h>
#include <stdbool.h>

/* Makes a line of whatever bytes: text in UTF-8 stays, what steers a terminal or is no text becomes
 * \n, \xNN and so on. What does not fit into LOG_TEXT bytes is cut, and ends in "...". Gives the
 * number of bytes in `out`. */
size_t text_escape(char out[LOG_TEXT], const char *in, size_t size);

/* A line of the kernel's log: "[    0.012345] cpu0 info  boot: text". */
struct text_line {
	uint64_t time; /* nanoseconds */
	enum log_level level;
	uint16_t cpu;
	const char *text;
	size_t size;
};

/* Takes such a line apart; one that does not begin so has LOG_INFO, LOG_CPU_UNKNOWN and the time
 * that `l` had before. */
void text_parse(struct text_line *l, const char *line, size_t size);

#define TEXT_PREFIX 64 /* bytes, at most */

/* Writes what stands before the text of a line on the serial port, in the kernel's form. Gives its
 * length. */
size_t text_prefix(char out[TEXT_PREFIX], const struct text_line *l, const char *program);
