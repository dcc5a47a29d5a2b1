/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/probe.h - instructions that are allowed to fault.
 *
 * The section .fixup lists instructions, and where to go on when one of them
 * faults on an address below `end`. An access beyond the canonical addresses is a
 * fault without an address; only an entry that excuses every address excuses it.
 * The functions that have such instructions are in probe.S; arch.h says what they
 * do.
 */
#pragma once
#include <core/types.h>

struct fixup {
	uint64_t rip;
	uint64_t resume;
	uint64_t end;
};

extern const struct fixup fixup_start[], fixup_end[]; /* kernel.ld */
