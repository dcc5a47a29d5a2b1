/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/probe.h - instructions that are allowed to fault.
 *
 * The section .fixup lists instructions, and where to go on when one of them
 * faults on an address below `end`. An access beyond the canonical addresses is a
 * fault without an address; only an entry that excuses every address excuses it.
 * The functions that have such instructions are in probe.S.
 */
#pragma once
#include <core/types.h>

struct fixup {
	uint64_t rip;
	uint64_t resume;
	uint64_t end;
};

extern const struct fixup fixup_start[], fixup_end[]; /* kernel.ld */

/* Reads or writes one word; false: the address can't be read or written, and
 * nothing has changed. */
MUST_CHECK bool arch_probe_read(const void *va, uint64_t *out);
MUST_CHECK bool arch_probe_write(void *va, uint64_t value);
