/* SPDX-License-Identifier: MIT */
/* kernel/core/test/timer_next.h - what a CPU's timer queue is armed for. */
#pragma once
#include <core/cpu.h>
#include <core/timer.h>

/* Earliest deadline queued on this CPU, or TIMER_NEVER. */
static inline uint64_t timer_next(void)
{
	struct timer_queue *q = arch_this_cpu()->timers;

	spin_lock(&q->lock);
	const struct tree_node *n = tree_first(&q->timers);
	uint64_t deadline = n == NULL ? TIMER_NEVER : n->key;
	spin_unlock(&q->lock);
	return deadline;
}
