/* SPDX-License-Identifier: MIT */
#include "backtrace.h"

unsigned backtrace_walk(uint64_t pc, uint64_t frame, backtrace_read *read, void *stack,
			uint64_t at[BACKTRACE_FRAMES])
{
	uint64_t caller, back;
	unsigned n = 0;

	at[n++] = pc;
	while (n < BACKTRACE_FRAMES && frame % sizeof(frame) == 0 && read(stack, frame, &caller) &&
	       read(stack, frame + sizeof(frame), &back) && back != 0) {
		at[n++] = back;
		if (caller <= frame)
			break;
		frame = caller;
	}
	return n;
}
