/* SPDX-License-Identifier: MIT */
/* tests/guest/refuse.h - what a call that is refused leaves behind: a status, a count, and
 * nothing else; and addresses that no buffer may have.
 */
#pragma once
#include "world.h"

/* Calls counted on all CPUs. */
struct counts {
	uint64_t refused, one, all; /* `one`: those of a number; `all`: but for node_counters */
};

/* What is counted now; `number` NODE_CALLS: of no call. */
void count_calls(struct counts *out, unsigned number);

/* Makes a call twice: true if each time it answered `status`, gave no results and was counted, and
 * the books of the case are after the second as after the first. Else says what was wrong. */
bool refuses(status_t status, unsigned number, const uint64_t arg[]);
#define REFUSES(status, ...) REFUSES_GIVEN(status, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define REFUSES_GIVEN(status, name, a, b, c, d, e, f, ...)                                         \
	refuses(status, SYS_##name,                                                                \
		(const uint64_t[]){ (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d),    \
				    (uint64_t)(e), (uint64_t)(f) })

/* Bytes in use of a quota. */
uint64_t used_of(cap_t q);

/* How the kernel may use an address of the first program: reading and writing one byte. */
bool can_read(const void *va);
bool can_write(void *va);

/* Calls `try` with every address at which a buffer of `size` bytes can't be read or, with `write`,
 * can't be written; it is false when a call did not refuse it. True if all were refused. */
bool each_bad_address(uint64_t size, bool write, bool (*try)(uint64_t va));

/* What the calls need that write to their caller's memory: memory to read, a stopped thread. */
struct sources {
	cap_t memory, thread;
};

/* Makes one of these calls, each of which writes 64 bytes at least. */
#define WRITING_CALLS 6
status_t write_by_call(unsigned which, const struct sources *from, void *va);
