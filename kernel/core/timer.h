/* SPDX-License-Identifier: MIT */
/* kernel/core/timer.h - deadlines on the monotonic clock, one queue a CPU.
 *
 * Life    a ktimer is part of its owner, zero before its first use; it is
 *         queued from timer_set until it fires or timer_cancel returns true.
 * Locks   each queue has a lock of rank LOCK_TIMER; callbacks run without it,
 *         with interrupts off, on the CPU that queued the timer.
 * Blocks  never. Setting and cancelling are O(log n) in the timers queued.
 *
 * No tick: the port's timer is armed for the earliest deadline only, and not at
 * all when the queue is empty. The queue is a tree (tree.h) whose shape random weights
 * decide, so no order of deadlines, however it is chosen, makes it deep. Timers of one
 * deadline fire in the order of setting.
 */
#pragma once
#include <core/spinlock.h>
#include <core/tree.h>
#include <stdatomic.h>

#define TIMER_NEVER UINT64_MAX

struct cpu;
struct ktimer;
typedef void ktimer_fn(struct ktimer *t);

struct ktimer {
	/* Guarded by the lock of the queue that it is in. */
	uint64_t deadline; /* nanoseconds on the clock of time_now */
	ktimer_fn *fire;   /* the timer is free to be set again inside */
	struct tree_node node;

	_Atomic uint32_t cpu; /* CPU number + 1 whose queue it is in, 0: none */
};

/* One for each CPU. */
struct timer_queue {
	struct spinlock lock;
	struct tree timers; /* by deadline */
} ALIGNED(64);

/* Nanoseconds since boot. Never goes backwards, on one CPU or across CPUs: a
 * value read on one CPU and handed to another is not later than what that one
 * then reads. */
uint64_t time_now(void);

/* Made once for each CPU, by itself, before it takes interrupts. */
void timer_cpu_init(void);

/* Queues `t` (not queued) on this CPU. A deadline in the past fires soon. */
void timer_set(struct ktimer *t, uint64_t deadline, ktimer_fn *fire);

/* Takes `t` off its queue, from any CPU. True: it was queued and has not fired
 * and will not. False: it was not queued, or its turn has come: the callback
 * runs, has run, or is about to on the CPU that queued it. */
bool timer_cancel(struct ktimer *t);

/* Fires what is due on this CPU and arms the port's timer for the rest. Called
 * by the port's timer interrupt; at most TIMER_BATCH callbacks a call, then the
 * interrupt is armed again at once. */
#define TIMER_BATCH 32
void timer_interrupt(void);
