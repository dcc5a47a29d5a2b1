/* SPDX-License-Identifier: MIT */
/* kernel/core/sched.h - who runs: shares of the CPUs, run queues, donation.
 *
 * Life    a sched serves the threads bound to it; when it dies they wait until they are
 *         given another.
 * Owns    one part for each CPU of its set, charged to its quota when it is configured.
 * Locks   obj.lock (rank LOCK_THREAD) for its parameters; each CPU's run queue has its
 *         own lock (rank LOCK_RUN_QUEUE), which guards the sched's part for that CPU.
 *         Two run queues are never locked together.
 *
 * 256 fixed priorities: 200-255 real-time, 100-199 interactive, 0-99 batch. Scheds of one
 * priority share each CPU by weight (virtual time); threads within one take turns. The budget
 * is one pool for each period, drawn in slices by the CPUs; who finds it empty waits for
 * the next period. A child sched's priority is at most its parent's.
 *
 * A running thread is in no queue. A call lends the caller's sched to the server and the
 * reply gives it back, without touching a queue.
 */
#pragma once
#include <core/thread.h>

#define SCHED_PRIORITIES     256
#define SCHED_WEIGHT_DEFAULT 1024u
#define SCHED_SLICE_NS       4000000ull /* turn of one thread among equals */
#define SCHED_BUDGET_NONE    0ull       /* no limit */

/* Makes `t` ready on its CPU (or another of its sched's set), and asks that CPU to look
 * if `t` is more urgent than what runs there. */
void sched_wake(struct thread *t);

/* Takes `t` out of its run queue if it is in one. */
void sched_remove(struct thread *t);

/* Chooses what this CPU runs next, after the running thread blocked, yielded, was
 * preempted or stopped: sets cpu->current (NULL: idle). Called at the end of a kernel
 * entry when cpu->resched is set. */
void sched_pick(void);

/* Switches this CPU from the running thread, which has just blocked, straight to `to`, which
 * waits on this CPU and runs on the sched of the one that blocked. No queue is touched. */
void sched_switch_to(struct thread *to);
