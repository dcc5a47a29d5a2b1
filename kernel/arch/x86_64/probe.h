/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/probe.h - instructions that are allowed to fault.
 *
 * The section .fixup lists pairs of addresses: an instruction, and where to go
 * on when it raises a page, protection or stack fault. The functions that have
 * such instructions are in probe.S; arch.h says what they do.
 */
#pragma once
#include <core/types.h>

struct fixup {
	uint64_t rip;
	uint64_t resume;
};

extern const struct fixup fixup_start[], fixup_end[]; /* kernel.ld */
