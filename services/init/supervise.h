/* SPDX-License-Identifier: MIT */
/* services/init/supervise.h - when which program is started, asked, stopped and killed.
 *
 * A machine of states without effects: it is told what happened and what time it is, and says
 * what to do next, one step at a time, and until when nothing is to be done. Times are
 * nanoseconds of the kernel's clock.
 *
 * Start    a program starts when all that it needs have been ready once. One that fails is started
 *          again without asking for that: what it needs comes back by itself, and calls wait.
 * Ready    its first sign of life. A program that is asked for signs and gives none within
 *          SUPERVISE_FIRST is hung.
 * Asking   all at one moment, as far as their times allow: who is due within half of its
 *          time is asked with the others. No answer until it is due again: it is hung.
 * Noise    a sign of life that nobody asked for is work for init that its sender does not pay for:
 *          who gives more than SUPERVISE_NOISE within SUPERVISE_NOISE_TIME is killed.
 * Failing  a program that had been ready is started again at once, as its clients wait; one that
 *          had not, after a time that doubles. `restarts` within `within`, counted as a
 *          bucket that fills by each and runs empty in that time, and it is left dead.
 * Stopping in the reverse order of the numbers, each when all behind it have ended; who does
 *          not end in its time is killed.
 * The end  when all have ended, whether they were told to or not.
 */
#pragma once
#include "composition.h"
#include <stdbool.h>

#define SUPERVISE_FIRST    10000000000ull /* from start to the first sign of life */
#define SUPERVISE_BACK_OFF 10000000ull    /* before the first new start; then twice as long ... */
#define SUPERVISE_LONGEST  10000000000ull /* ... up to this */
#define SUPERVISE_NEVER    UINT64_MAX

#define SUPERVISE_NOISE      100u
#define SUPERVISE_NOISE_TIME 1000000000ull

enum supervise_end {
	END_EXIT,    /* it said that it has come to its end as it should */
	END_FAILURE, /* it said that it failed */
	END_FAULT,
	END_HANG,
	END_NOISE,
	END_KILL,  /* somebody wanted a new start */
	END_START, /* it could not be started */
	END_STOP,  /* it did not stop in time */
};

enum supervise_do {
	DO_NOTHING,
	DO_START,
	DO_ASK,  /* a sign of life */
	DO_STOP, /* tell it to end */
	DO_KILL, /* what it is guilty of: step.why */
	DO_END,  /* all have ended */
};

struct supervise_step {
	enum supervise_do what;
	enum supervise_end why; /* of DO_KILL */
	unsigned program;
};

struct supervise_life {
	uint32_t state; /* enum supervisor_state */
	bool asked, stopping, gave_up, failed;
	uint32_t noise;    /* signs that were not asked for, since `noisy_from` */
	uint32_t failures; /* in a row, without having been ready */
	uint32_t restarts; /* how often it was started after the first time */
	uint64_t started, noisy_from;
	uint64_t due;    /* the next moment that something is to be done about it */
	uint64_t bucket; /* how full, in nanoseconds, at `filled` */
	uint64_t filled;
};

struct supervise {
	const struct composition *composition;
	uint64_t was_ready; /* a bit for each program */
	uint64_t asked_at;  /* when signs of life were asked for last */
	bool stopping, ended;
	struct supervise_life life[COMPOSITION_PROGRAMS];
};

void supervise_init(struct supervise *s, const struct composition *c);

/* What to do now; it counts as done. DO_NOTHING: all is. */
struct supervise_step supervise_next(struct supervise *s, uint64_t now);

/* When supervise_next is to be asked again, if nothing happens before. */
uint64_t supervise_deadline(const struct supervise *s);

/* What happened. Signs of life of programs that do not run count for nothing. */
void supervise_alive(struct supervise *s, uint64_t programs, uint64_t now);
void supervise_ended(struct supervise *s, unsigned program, enum supervise_end how, uint64_t now);

/* From now on all come to an end. False: so it was already. */
bool supervise_stop(struct supervise *s);

/* Whether the program runs. */
bool supervise_runs(const struct supervise *s, unsigned program);

/* Whether some program is still on its way to be ready for the first time; one that waits for
 * what is not started again is not. */
bool supervise_is_starting(const struct supervise *s);

/* Whether one ended in another way than it should have. */
bool supervise_has_failed(const struct supervise *s);
