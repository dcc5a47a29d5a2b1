/* SPDX-License-Identifier: MIT */
/* lib/program/output.h - what a program says, line by line, on its way to the log.
 *
 * Each file has a line of its own, so that parts of them do not mix; one that is too long for an
 * entry goes on in the next. Lines that the log does not take are counted, and the number is
 * said as soon as it takes some again.
 */
#pragma once
#include <proto/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
	/* Brings an entry to the log; false: it was not taken. `level` is an enum log_level. */
	bool (*send)(uint32_t level, const char *text, size_t size);

	uint64_t lost; /* entries that were not taken, since that was said last */
	struct output_line {
		size_t size;
		char text[LOG_TEXT];
	} line[2];
};

/* As libc_write has it. One thread at a time. */
void output_add(struct output *o, int file, const char *bytes, size_t size);
