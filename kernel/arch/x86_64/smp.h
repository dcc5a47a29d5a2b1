/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/smp.h - starting and stopping the other CPUs.
 *
 * They are started one after the other: INIT, then the STARTUP message with the
 * number of the page where ap.S lies. A CPU that does not answer in time is put
 * back to waiting by another INIT, so that it can't come later and find another
 * CPU's stack.
 */
#pragma once
#include <core/types.h>

struct cpu;

/* Takes the page below 1 MiB that ap.S is copied to; before frame_init. */
void smp_reserve(void);

/* From ap.S, on the CPU that was started. */
NORETURN void ap_main(struct cpu *c);
