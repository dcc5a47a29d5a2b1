/* SPDX-License-Identifier: MIT */
/* tests/guest/job.h - actors that make one call each, so that a case can stop in the middle of
 * what others do; and a clock.
 */
#pragma once
#include "world.h"

/* Lies behind the struct actor in the page that both sides see. */
struct job {
	uint64_t number, arg[6];
	struct sys_result result;
};

static inline struct job *job_of(struct actor *a)
{
	return (struct job *)(a + 1);
}

/* An actor in the case's spaces, or in its own, that waits for something to do. */
struct actor *job_new(void);
struct actor *job_process(void);

/* Lets `a` make a call; arguments that are not given are zero. */
#define JOB(...)                         JOB_GIVEN(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define JOB_GIVEN(a, name, x, y, z, ...) JOB_CALL(a, name, x, y, z, __VA_ARGS__, 0)
#define JOB_CALL(a, name, x, y, z, v, w, ...)                                                      \
	job_start(a, SYS_##name,                                                                   \
		  (const uint64_t[]){ (uint64_t)(x), (uint64_t)(y), (uint64_t)(z), (uint64_t)(v),  \
				      (uint64_t)(w) })
#define JOB_ARGS 5
void job_start(struct actor *a, uint64_t number, const uint64_t arg[JOB_ARGS]);

/* Gives the CPU away until its thread runs no more: true if that is since its call waits. */
bool job_waits(struct actor *a);

/* The same until the call is over, and what it answered. */
struct sys_result job_end(struct actor *a);

/* The memory that an actor's message block lies in from now on; it is stopped. */
cap_t job_block(struct actor *a);

/* Ends an actor. */
void job_kill(struct actor *a);

/* ---- time ---- */

#define MS 1000000ull

/* A moment that has passed, not long ago, on the clock of deadlines: found by asking which
 * deadlines are over. */
uint64_t time_before(void);

/* Waits until then. */
void sleep_until(uint64_t deadline);

/* ---- place ---- */

/* All that runs on the first program's sched is on CPU 0, with what timers and interrupts do there;
 * or where it likes again. */
void on_one_cpu(bool one);
