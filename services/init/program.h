/* SPDX-License-Identifier: MIT */
/* services/init/program.h - the programs of the composition, as init holds them.
 *
 * Life    one for each program of the composition, for ever; an incarnation lives from
 *         program_begin to program_kill. All that an incarnation is made of is paid by `run` and
 *         goes with it. Service, state and deposits outlive it.
 * Rights  a program gets copies of what init has, never more than the composition lists, and
 *         init's own handles stay in init's space.
 */
#pragma once
#include "composition.h"
#include "pie.h"
#include <abi/msg.h>
#include <abi/status.h>
#include <proto/supervisor.h>

#define PROGRAM_STACK_PAGES 64

/* What a program has left with init. Empty: its name is. */
struct deposit {
	char name[PROGRAM_NAME];
	uint64_t value;
	cap_t cap;
};

struct program {
	const struct program_spec *spec;
	unsigned number;

	cap_t service; /* endpoint; CAP_NONE: it has none, or will not be started again */
	cap_t state;   /* quota; CAP_NONE: it has none */
	struct deposit deposit[SUPERVISOR_DEPOSITS];

	/* Of this incarnation. */
	uint32_t incarnation; /* the next one, while it does not run */
	cap_t run;            /* CAP_NONE: it does not run */
	cap_t cspace, aspace, thread, sched, events;
	cap_t session; /* with init, as the composition's own; its faults come with it */
	cap_t stack;
	uint64_t stack_va, base;
	struct pie image;
};

/* What all programs are made of: init's own. */
struct workshop {
	const struct startup *startup;
	const uint8_t *archive; /* mapped */
	cap_t endpoint, events; /* init's: for calls and faults; for signs of life */
	struct program program[COMPOSITION_PROGRAMS];
	const struct composition *composition;
};

extern struct workshop workshop;

/* Makes what outlives the incarnations of a program. */
status_t program_prepare(unsigned number) __attribute__((warn_unused_result));

/* Starts it. On failure nothing of it is left, and *what says what went wrong. */
status_t program_begin(struct program *p, const char **what) __attribute__((warn_unused_result));

/* Ends it, with all that it had made. */
void program_kill(struct program *p);

/* It will not be started again: those who call it, now or later, are told so, and what it had
 * deposited is given back. */
void program_retire(struct program *p);

/* Into the log: registers, who called whom, and what it holds. `fault` NULL: there was none. The
 * program still is as it was, and does not run on. */
void program_describe(const struct program *p, const struct msg_fault *fault);

/* ---- load.c ---- */

/* Maps the program's file at p->base, and a stack. */
status_t program_load(struct program *p, const char **what) __attribute__((warn_unused_result));

/* A free place for so many pages, by chance, with pages around it that are not mapped. The areas
 * are apart, so that no two things can meet. */
enum place { PLACE_IMAGE, PLACE_BLOCK, PLACE_STACK };
status_t program_place(enum place area, uint64_t *va) __attribute__((warn_unused_result));

/* Maps memory of init's in the program's space. */
status_t program_map(struct program *p, cap_t memory, uint64_t va, uint64_t pages, unsigned access)
	__attribute__((warn_unused_result));

/* ---- grant.c ---- */

/* Gives a copy of a capability of init's: its handle in the program's space. */
status_t program_give(struct program *p, cap_t own, rights_t rights, uint64_t word, cap_t *handle)
	__attribute__((warn_unused_result));

/* Gives what the composition lists. */
status_t program_grant(struct program *p, const struct grant *g, cap_t *handle)
	__attribute__((warn_unused_result));

/* ---- deposit.c: what supervisor.h says of these ---- */
status_t deposit_add(struct program *p, const struct supervisor_deposit_req *req,
		     const struct msg_cap *cap) __attribute__((warn_unused_result));
status_t deposit_find(struct program *p, const char name[PROGRAM_NAME], uint64_t *value,
		      struct msg_cap *copy) __attribute__((warn_unused_result));
status_t deposit_withdraw(struct program *p, const char name[PROGRAM_NAME])
	__attribute__((warn_unused_result));

/* Gives back all of a program's. */
void deposit_drop_all(struct program *p);
