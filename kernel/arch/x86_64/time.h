/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/time.h - the clock and the timer of each CPU.
 *
 * The clock is the time-stamp counter, counted from our first instruction. Its
 * rate comes from CPUID or the hypervisor where they tell, else it is measured.
 * The CPUs' counters are believed to agree if the processor says that they run
 * at a constant rate, and no CPU has seen one step back when it started; else
 * every reading is held against the latest that any CPU has had.
 *
 * The timer is the local APIC's: it compares with the time-stamp counter where it
 * can and that is to be believed, else it counts down.
 */
#pragma once
#include <core/types.h>
#include <stdatomic.h>

/* On the boot CPU, with the interrupt controllers ready: finds the rates and sets
 * up this CPU's timer. arch_time_ns is 0 until then. */
void time_init(void);

/* Sets up the timer of another CPU. */
void time_cpu_init(void);

/* Both of two CPUs call this, at about the same time: each looks whether its
 * counter is behind what the other has read before. */
void time_warp_test(void);

/* After both have: takes the consequences, and says so. */
void time_warp_finish(void);

/* The later of `now` and *latest, which becomes that. */
uint64_t time_clamp(_Atomic uint64_t *latest, uint64_t now);

/* Waits, serving shootdowns, until `*flag` is `wanted`, at most `ns`. */
MUST_CHECK bool time_wait_for(_Atomic uint32_t *flag, uint32_t wanted, uint64_t ns);

/* Waits so long, serving shootdowns. */
void time_wait(uint64_t ns);
