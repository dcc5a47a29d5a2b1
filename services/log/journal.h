/* SPDX-License-Identifier: MIT */
/* services/log/journal.h - the log as its clients see it.
 *
 * Entries come from programs, from the kernel, and from the log itself; they go to readers,
 * of which some wait, and to the serial port. The kernel writes to that port by itself.
 */
#pragma once
#include "serial.h"
#include "store.h"
#include <abi/node.h>
#include <lib/loop/loop.h>

#define JOURNAL_INIT       48 /* writers: programs by their numbers, then these */
#define JOURNAL_KERNEL     STORE_KERNEL
#define JOURNAL_SELF       50
#define JOURNAL_WAITERS    16 /* readers that wait, at once */
#define JOURNAL_PER_READER 4  /* of one program */

struct journal_waiter {
	struct loop_answer *answer; /* NULL: free */
	uint64_t session, number;
};

struct journal {
	struct loop *loop;
	struct store store;
	cap_t memory; /* of the store */
	cap_t node;   /* CAP_NONE: the kernel's log is not to be had */
	struct serial serial;
	enum log_level serial_level; /* what is at least as urgent is shown there */
	char name[STORE_WRITERS][PROGRAM_NAME];

	uint64_t kernel_at; /* bytes of the kernel's log that were taken */
	uint64_t kernel_time;
	bool is_paid[STORE_WRITERS];     /* the memory of the part is there */
	bool has_dropped[STORE_WRITERS]; /* that was said */
	struct journal_waiter waiter[JOURNAL_WAITERS];
	char kernel[NODE_LOG_MAX];
};

/* What of proto/log.h is served; `self` is the journal. */
extern const struct log_ops journal_ops;

/* Begins with what the memory of the store holds. The caller has set loop, memory, node, serial,
 * serial_level and the names of programs; the rest is zero. `mapped`: where `memory` is. */
void journal_begin(struct journal *j, void *mapped);

/* Takes in what the kernel has said since. */
void journal_take_kernel(struct journal *j);

/* An entry of the log's own. */
void journal_say(struct journal *j, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
