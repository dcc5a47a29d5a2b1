/* SPDX-License-Identifier: MIT */
/* tests/guest/world.h - what a test case has to work with.
 *
 * Each case has a quota of its own and makes everything from it. When the case is over its
 * quota is destroyed, and with it all that the case made; the first program's quota must not
 * have used more and more.
 */
#pragma once
#include <abi/memory.h>
#include <abi/msg.h>
#include <abi/node.h>
#include <abi/startup.h>
#include <lib/sys/string.h>
#include <lib/sys/syscall.h>
#include <stdbool.h>
#include <test/test.h>

#define NEVER        UINT64_MAX
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

extern const struct startup *start; /* what the first program was given */
extern cap_t quota;                 /* that of the case */

/* Boot options that begin with `name` and '='; NULL, or what follows. */
const char *option(const char *name);

/* Runs `run` with a quota of its own; fails the case if something is left behind. */
void world_isolate(void (*run)(void));

/* ---- short forms of calls; a failure ends the machine, as no case can go on ---- */

/* Handle of a new object; `arg` as the call takes them behind the quota. */
cap_t make(enum sys_number create, uint64_t arg1, uint64_t arg2, uint64_t arg3);
cap_t new_quota(uint64_t limit);
cap_t new_space(void);
cap_t new_endpoint(void);
cap_t new_notification(void);
cap_t new_memory(uint64_t pages);

/* A copy in the first program's space with fewer rights or another word, see cap_copy. */
cap_t copy_of(cap_t cap, rights_t rights, uint64_t word);

/* Maps memory into the first program, anywhere, with the access given. */
void *map(cap_t memory, uint64_t pages, unsigned access);

/* New memory, mapped to be read and written. */
void *new_pages(uint64_t pages);

/* What all CPUs together have counted: a field of struct node_counters. */
#define COUNT(field) count_at(__builtin_offsetof(struct node_counters, field))
uint64_t count_at(uint64_t offset);

/* Of this CPU; with -icount, instructions. Part of whatever code asks, wherever that is mapped. */
static inline __attribute__((always_inline)) uint64_t cycle_count(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The status of a call that has no results that count. */
#define STATUS(...) (SYS(__VA_ARGS__).status)

/* Ends the machine with a failure, from which nothing can recover. */
__attribute__((noreturn)) void give_up(const char *why, int64_t status);

/* ---- actors: further threads ---- */

/* It lies in a page that the first program and the actor see at the same address. */
struct actor {
	cap_t thread, cspace, aspace; /* as the first program names them */
	cap_t self;                   /* its thread, as it does itself */
	struct msg_block *block;
	void (*run)(struct actor *self);
	uint64_t arg[4];       /* for `run` */
	_Atomic uint64_t seen; /* from it */
	_Atomic bool done;     /* it came to its end */
	uint64_t stack_top;
};

/* Makes an actor in the first program's own spaces, that runs on its sched. */
struct actor *actor_new(void (*run)(struct actor *self));

/* Makes one in new spaces: it has the program's code and constants, a copy of its data as it
 * is now, its stack, block and struct actor, and one capability: `self`. */
struct actor *process_new(void (*run)(struct actor *self));

/* Makes one in the spaces of `other`. */
struct actor *actor_beside(const struct actor *other, void (*run)(struct actor *self));

/* Gives it a copy of a capability; the handle is the one in its space. */
cap_t actor_give(struct actor *a, cap_t cap, rights_t rights, uint64_t word);

/* Maps memory into its space, at the address where the first program has it. */
void actor_map(struct actor *a, cap_t memory, const void *va, uint64_t pages, unsigned access);

/* The same, configured otherwise: CAP_NONE leaves a thing as it is. */
void actor_configure(struct actor *a, cap_t sched, cap_t fault, cap_t notification);

/* Lets it run from the beginning. */
void actor_start(struct actor *a);

/* Gives the CPU away until the actor is done. */
void actor_await(struct actor *a);

/* The first program gives the CPU away once. */
void yield(void);

/* The first program's own message block. */
struct msg_block *own_block(void);
