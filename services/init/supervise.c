/* SPDX-License-Identifier: MIT */
#include "supervise.h"
#include <proto/supervisor.h>
#include <string.h>

static const struct program_spec *spec_of(const struct supervise *s, const struct supervise_life *l)
{
	return &s->composition->program[l - s->life];
}

static struct supervise_step step(const struct supervise *s, enum supervise_do what,
				  const struct supervise_life *l)
{
	return (struct supervise_step){ what, END_HANG, (unsigned)(l - s->life) };
}

static uint64_t after(uint64_t now, uint64_t time)
{
	return time > SUPERVISE_NEVER - now ? SUPERVISE_NEVER : now + time;
}

static bool runs(const struct supervise_life *l)
{
	return l->state == SUPERVISOR_STARTED || l->state == SUPERVISOR_READY;
}

bool supervise_runs(const struct supervise *s, unsigned program)
{
	return runs(&s->life[program]);
}

void supervise_init(struct supervise *s, const struct composition *c)
{
	memset(s, 0, sizeof(*s));
	s->composition = c;
	s->asked_at = SUPERVISE_NEVER;
	for (unsigned i = 0; i < c->programs; i++)
		s->life[i] = (struct supervise_life){ .state = SUPERVISOR_WAITS,
						      .due = SUPERVISE_NEVER };
}

/* ---- signs of life ---- */

static void count_noise(struct supervise_life *l, uint64_t now)
{
	if (now - l->noisy_from > SUPERVISE_NOISE_TIME) {
		l->noisy_from = now;
		l->noise = 0;
	}
	l->noise++;
}

void supervise_alive(struct supervise *s, uint64_t programs, uint64_t now)
{
	for (unsigned i = 0; i < s->composition->programs; i++) {
		struct supervise_life *l = &s->life[i];

		if (!(programs >> i & 1) || !runs(l))
			continue;
		if (l->state == SUPERVISOR_READY && !l->asked)
			count_noise(l, now);
		l->asked = false;
		l->failures = 0;
		if (l->state == SUPERVISOR_READY)
			continue;
		l->state = SUPERVISOR_READY;
		s->was_ready |= 1ull << i;
		uint64_t heartbeat = s->composition->program[i].heartbeat;
		if (!l->stopping)
			l->due = heartbeat > 0 ? after(now, heartbeat) : SUPERVISE_NEVER;
	}
}

/* Asks one that may be asked with the others now. */
static bool ask(struct supervise *s, struct supervise_life *l, uint64_t now)
{
	uint64_t heartbeat = spec_of(s, l)->heartbeat;

	if (l->state != SUPERVISOR_READY || l->stopping || l->asked || heartbeat == 0 ||
	    l->due > after(now, heartbeat / 2))
		return false;
	l->asked = true;
	l->due = after(now, heartbeat);
	return true;
}

static bool some_ask_is_due(const struct supervise *s, uint64_t now)
{
	for (unsigned i = 0; i < s->composition->programs; i++) {
		const struct supervise_life *l = &s->life[i];
		if (l->state == SUPERVISOR_READY && !l->stopping && !l->asked && l->due <= now)
			return true;
	}
	return false;
}

/* ---- ends ---- */

/* Whether one more start stays within the limit. */
static bool may_restart(struct supervise_life *l, const struct program_spec *p, uint64_t now)
{
	uint64_t passed = now - l->filled;

	if (p->restarts == 0)
		return false;
	l->bucket -= passed < l->bucket ? passed : l->bucket;
	l->filled = now;
	if (p->within / p->restarts > p->within - (l->bucket < p->within ? l->bucket : p->within))
		return false;
	l->bucket += p->within / p->restarts;
	return true;
}

static uint64_t back_off(const struct supervise_life *l)
{
	uint64_t time = SUPERVISE_BACK_OFF;

	if (l->failures == 0)
		return 0;
	for (uint32_t i = 1; i < l->failures && time < SUPERVISE_LONGEST; i++)
		time *= 2;
	return time < SUPERVISE_LONGEST ? time : SUPERVISE_LONGEST;
}

void supervise_ended(struct supervise *s, unsigned program, enum supervise_end how, uint64_t now)
{
	const struct program_spec *p = &s->composition->program[program];
	struct supervise_life *l = &s->life[program];
	bool was_ready = l->state == SUPERVISOR_READY;
	bool failed = how != END_EXIT;

	l->state = SUPERVISOR_ENDED;
	l->due = SUPERVISE_NEVER;
	l->asked = false;
	l->failed = failed && !(how == END_KILL && s->stopping);
	if (!failed)
		s->was_ready |= 1ull << program;
	if (s->stopping || p->restart == RESTART_NEVER ||
	    (p->restart == RESTART_ON_FAILURE && !failed))
		return;
	if (!may_restart(l, p, now)) {
		l->gave_up = true;
		l->failed = true;
		return;
	}
	if (!was_ready && l->failures < UINT32_MAX)
		l->failures++;
	l->state = SUPERVISOR_BACK_OFF;
	l->due = after(now, back_off(l));
}

/* ---- what to do ---- */

static struct supervise_step start(struct supervise *s, struct supervise_life *l, uint64_t now)
{
	if (l->state == SUPERVISOR_BACK_OFF)
		l->restarts++;
	l->state = SUPERVISOR_STARTED;
	l->started = l->noisy_from = now;
	l->noise = 0;
	l->due = spec_of(s, l)->heartbeat > 0 ? after(now, SUPERVISE_FIRST) : SUPERVISE_NEVER;
	return step(s, DO_START, l);
}

static struct supervise_step kill_it(const struct supervise *s, struct supervise_life *l,
				     enum supervise_end why)
{
	struct supervise_step kill = step(s, DO_KILL, l);

	l->due = SUPERVISE_NEVER;
	l->noise = 0;
	kill.why = why;
	return kill;
}

/* The last that has not ended is told to, and killed if it does not. */
static struct supervise_step stop_next(struct supervise *s, uint64_t now)
{
	for (unsigned i = s->composition->programs; i-- > 0;) {
		struct supervise_life *l = &s->life[i];

		if (!runs(l)) {
			l->state = SUPERVISOR_ENDED;
			continue;
		}
		if (!l->stopping) {
			l->stopping = true;
			l->due = after(now, s->composition->program[i].stop);
			return step(s, DO_STOP, l);
		}
		return l->due <= now ? kill_it(s, l, END_STOP) : step(s, DO_NOTHING, l);
	}
	s->ended = true;
	return (struct supervise_step){ .what = DO_END };
}

static struct supervise_step next_of(struct supervise *s, struct supervise_life *l, bool ask_now,
				     uint64_t now)
{
	uint64_t needs = spec_of(s, l)->needs;

	if (l->state == SUPERVISOR_WAITS && (needs & ~s->was_ready) == 0)
		return start(s, l, now);
	if (l->state == SUPERVISOR_BACK_OFF && l->due <= now)
		return start(s, l, now);
	if (runs(l) && l->due <= now && (l->asked || l->state == SUPERVISOR_STARTED))
		return kill_it(s, l, END_HANG);
	if (runs(l) && l->noise > SUPERVISE_NOISE)
		return kill_it(s, l, END_NOISE);
	return step(s, ask_now && ask(s, l, now) ? DO_ASK : DO_NOTHING, l);
}

/* Whether anything goes on: those that wait for what has ended do not count. */
static bool is_over(const struct supervise *s)
{
	for (unsigned i = 0; i < s->composition->programs; i++) {
		if (runs(&s->life[i]) || s->life[i].state == SUPERVISOR_BACK_OFF)
			return false;
	}
	return true;
}

struct supervise_step supervise_next(struct supervise *s, uint64_t now)
{
	if (s->ended)
		return (struct supervise_step){ .what = DO_NOTHING };
	if (s->stopping)
		return stop_next(s, now);
	if (some_ask_is_due(s, now))
		s->asked_at = now;
	for (unsigned i = 0; i < s->composition->programs; i++) {
		struct supervise_step next = next_of(s, &s->life[i], s->asked_at == now, now);
		if (next.what != DO_NOTHING)
			return next;
	}
	s->ended = is_over(s);
	return (struct supervise_step){ .what = s->ended ? DO_END : DO_NOTHING };
}

uint64_t supervise_deadline(const struct supervise *s)
{
	uint64_t first = SUPERVISE_NEVER;

	for (unsigned i = 0; i < s->composition->programs; i++) {
		const struct supervise_life *l = &s->life[i];
		bool counts = s->stopping ? l->stopping && runs(l) : true;
		if (counts && l->due < first)
			first = l->due;
	}
	return first;
}

bool supervise_stop(struct supervise *s)
{
	bool first = !s->stopping;

	s->stopping = true;
	return first;
}

bool supervise_is_starting(const struct supervise *s)
{
	uint64_t stuck = 0; /* never were ready, and never will be */

	for (unsigned i = 0; i < s->composition->programs; i++) {
		uint32_t state = s->life[i].state;

		if (state == SUPERVISOR_READY || (s->was_ready >> i & 1))
			continue;
		if (state == SUPERVISOR_ENDED ||
		    (state == SUPERVISOR_WAITS && (s->composition->program[i].needs & stuck)))
			stuck |= 1ull << i;
		else
			return true;
	}
	return false;
}

bool supervise_has_failed(const struct supervise *s)
{
	for (unsigned i = 0; i < s->composition->programs; i++) {
		if (s->life[i].failed)
			return true;
	}
	return false;
}
