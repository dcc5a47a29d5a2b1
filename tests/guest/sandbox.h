/* SPDX-License-Identifier: MIT */
/* tests/guest/sandbox.h - a personality with one foreign program.
 *
 * The personality is a thread in a half of its own. It has the program's text there, at OWN_TEXT,
 * and a page that it shares with the test. The foreign program has pages in a guest
 * half: text as the test has it, where that has it, and data that can be executed too.
 */
#pragma once
#include "world.h"
#include <abi/guest.h>

#define PERSONALITY 0x7f8000000000ull
#define OWN_TEXT    (PERSONALITY + 0x400000) /* the program's text */
#define OWN_DATA    0x7f8010000000ull        /* its struct shared, its stack behind */
#define OWN_STATE   0x7f8020000000ull        /* its state page */
#define OWN_FS      0x7f8030000000ull        /* segment bases of its thread */
#define OWN_GS      0x7f8040000000ull
#define FOREIGN     0x200000ull /* the foreign program's pages */

#define FOREIGN_PAGES 4
#define FOREIGN_PID   4242

/* What the personality has been told, and tells. */
struct shared {
	cap_t self;                         /* the only handle that its thread has */
	uint64_t (*task)(struct shared *s); /* in the personality's text */
	uint64_t arg[4];
	uint64_t result;
	_Atomic uint64_t enters; /* so many times guest_enter came back */
	_Atomic bool done;
	status_t status;  /* of the last */
	uint64_t exit;    /* the number that the foreign program ended with, */
	uint64_t written; /* bytes that it has written */
	uint64_t
		strays; /* so many times task_repeat found it at an address that nobody may enter */
	char text[256];
};

struct sandbox {
	cap_t half, guest, thread;
	cap_t state, memory; /* state page; the foreign program's pages */
	struct shared *shared;
	struct arch_registers *regs; /* the state page as the test sees it */
	struct guest_exit *exit;
	uint8_t *pages; /* the foreign program's */
};

/* Makes all of it, bound and ready. */
void sandbox_new(struct sandbox *s);

/* Another guest half for the same personality, with the same pages. */
cap_t sandbox_guest(const struct sandbox *s);

/* thread_set_guest with the usual fix-up range. */
status_t sandbox_bind(const struct sandbox *s, cap_t guest);

/* The foreign program is to begin at `code`, which is in the test's text. */
void sandbox_begin(struct sandbox *s, const void *code, uint64_t rdi, uint64_t rsi);

/* Lets the personality do a task; sandbox_await gives the CPU away until it has. */
void sandbox_start(struct sandbox *s, uint64_t (*task)(struct shared *s));
void sandbox_await(struct sandbox *s);
void sandbox_run(struct sandbox *s, uint64_t (*task)(struct shared *s));

/* Tasks: enters guest mode once; serves system calls until the program ends or something else
 * happens; enters `arg[0]` times, whatever happens; or until that is refused. */
uint64_t task_enter(struct shared *s);
uint64_t task_serve(struct shared *s);
uint64_t task_repeat(struct shared *s);
uint64_t task_repeat_until_error(struct shared *s);

/* The same, and nothing else: gives what the cycle counter says of it. */
uint64_t task_measure(struct shared *s);

/* Loads, or stores, the word at arg[0]: the result is what reach_load says, arg[1] the value. The
 * last two do so outside of the fix-up range, and execute what is there. */
uint64_t task_load(struct shared *s);
uint64_t task_store(struct shared *s);
uint64_t task_load_outside(struct shared *s);
uint64_t task_jump(struct shared *s);

/* sandbox.S */
extern const char foreign_hello[], foreign_registers[], foreign_compiler[], foreign_spin[],
	foreign_touch[], foreign_jump[], foreign_flags[], foreign_bases[], foreign_null[];
extern const char reach_begin[], reach_end[];
uint64_t reach_load(const void *from, uint64_t *value);
uint64_t reach_store(void *to, uint64_t *value);
