/* SPDX-License-Identifier: MIT */
/* proto/log.h - what programs and the kernel say, in one bounded log.
 *
 * Each program that writes has a part of the log for itself: one that says much drops its own
 * oldest entries, nobody else's. Entries are numbered through, from 1 on; readers follow by number.
 */
#pragma once
#include <lib/ipc/proto.h>
#include <proto/program.h>

#define LOG_WRITE 1u
#define LOG_READ  2u
#define LOG_SHOW  4u

#define LOG_TEXT        400 /* bytes of one entry */
#define LOG_CPU_UNKNOWN 0xffffu

enum log_level { LOG_ERROR = 1, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* One line, without its end; bytes that are no text are shown as such. Who writes is known by the
 * session. ST_BAD_ARG: a level or a size that is none. */
struct log_write_req {
	uint64_t number; /* the client's own, rising: what was written already is not written again
			  */
	uint64_t time;   /* nanoseconds, when it was said */
	uint32_t level;  /* enum log_level */
	uint16_t cpu;
	uint16_t size; /* bytes of `text` */
	char text[LOG_TEXT];
};
struct log_write_rep {
	uint64_t reserved;
};

/* The first entry from `number` on that there still is. ST_WOULD_BLOCK: there is none yet, and
 * `wait` is 0; else the answer comes when there is one. */
struct log_read_req {
	uint64_t number;
	uint64_t wait;
};
struct log_read_rep {
	uint64_t number; /* of this entry; what lies between it and what was asked for is gone */
	uint64_t time;
	uint32_t level;
	uint16_t cpu;
	uint16_t size;
	char program[PROGRAM_NAME]; /* "kernel": the kernel's */
	char text[LOG_TEXT];
};

/* From now on what is at least as urgent as `level` is shown on the serial port. ST_BAD_ARG: that
 * is none. The next incarnation of the log begins with that of its arguments again. */
struct log_show_req {
	uint64_t level; /* enum log_level */
};
struct log_show_rep {
	uint64_t reserved;
};

#define LOG_TABLE(M)                                                                               \
	M(log, 1, write, LOG_WRITE, 0, 0, PROTO_AGAIN)                                             \
	M(log, 2, read, LOG_READ, 0, 0, PROTO_AGAIN)                                               \
	M(log, 3, show, LOG_SHOW, 0, 0, PROTO_AGAIN)

PROTO_DEFINE(log, LOG_TABLE)
