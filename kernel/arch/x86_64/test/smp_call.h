/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/test/smp_call.h - runs test code on other CPUs.
 *
 * The code runs in an interrupt of its own, with interrupts off. One call at a
 * time; the tests run on CPU 0, which makes them all.
 */
#pragma once
#include <core/cpu.h>

/* Every CPU that is up but the caller's. */
cpumask_t smp_others(void);

/* Runs `fn(arg)` on the CPUs of `mask`, on this one too if it is among them, all
 * at the same time; returns when the last is done. */
void smp_call(cpumask_t mask, void (*fn)(void *), void *arg);

/* The same in two parts: begin leaves this CPU free until end waits. */
void smp_call_begin(cpumask_t mask, void (*fn)(void *), void *arg);
void smp_call_end(void);

/* For use inside such a function: returns when `count` CPUs have come to
 * `barrier`, which begins as 0 and serves any number of times. */
void smp_meet(_Atomic uint64_t *barrier, uint32_t count);

/* Spins a turn, answering what others ask. */
void smp_spin(void);
