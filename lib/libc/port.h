/* SPDX-License-Identifier: MIT */
/* lib/libc/port.h - what the files of the port share. Results are 0 or above, or a negated
 * error number, as musl has it. */
#pragma once
#include <lib/libc/libc.h>
#include <lib/sys/syscall.h>
#include "machine_libc.h"
#include <stdatomic.h>

#define NEVER UINT64_MAX

/* A function within which FS comes to point elsewhere. */
#define NO_CANARY __attribute__((no_stack_protector))

/* ---- lock.c: short critical sections ---- */

struct lock {
	_Atomic uint32_t held;
};

/* Waits until it is free, and holds it. */
void lock_take(struct lock *l);

/* Lets go of what lock_take took. */
void lock_release(struct lock *l);

/* ---- arena.c: the program's memory ---- */

/* Makes the arena, before anything else is asked for. False: there is no memory for it. */
bool arena_init(void);

/* Pages of zeros. `access`: MAP_READ and so on; 0: they can't be touched. */
long arena_map(uint64_t pages, unsigned access);
long arena_unmap(uint64_t va, uint64_t pages);
long arena_protect(uint64_t va, uint64_t pages, unsigned access);

/* The memory object that an address of the arena lies in, and where in it, in bytes. */
cap_t arena_memory(uint64_t va, uint64_t *offset);

/* ---- thread.c ---- */

enum thread_state { THREAD_FREE, THREAD_TAKEN, THREAD_ENDED };

struct thread {
	_Atomic uint32_t state; /* enum thread_state */
	cap_t cap;
	struct msg_block *block; /* the rest of its page is the stack of its last instructions */

	/* For its end: becomes 0; a range to unmap. */
	volatile int *clear;
	uint64_t unmap, unmap_pages;

	/* While it waits, see futex.c. Changed under the queue's lock. */
	const volatile int *_Atomic waits_for;
	struct thread *next;
};

/* The running thread becomes the first of the table; before this no function may have a canary.
 * thread_init gives it a message block; false: no memory. */
void thread_adopt_first(void);
bool thread_init(void);

/* The running thread. */
struct thread *thread_self(void);

/* Its number, from 1 on. */
int thread_number(const struct thread *t);

/* The running thread ends. */
_Noreturn void thread_end(void);

/* musl's way to begin a thread, with the arguments of Linux's clone: the function, its stack, flags
 * that don't matter here, its argument; then where its number goes, its thread register, and the
 * word to clear at its end. Its number, or a negated error. */
__attribute__((visibility("hidden"))) int __clone(int (*run)(void *), void *stack, int flags,
						  void *arg, ...);

/* ---- futex.c ---- */

/* Waits while *word is `value`, until it is woken or `deadline` (nanoseconds) passes. */
long futex_wait(const volatile int *word, int value, uint64_t deadline);

/* Wakes up to `count` threads that wait for `word`; how many there were. */
long futex_wake(const volatile int *word, int count);

/* Moves up to `count` more, behind `wake` that are woken, to wait for `other`. */
long futex_requeue(const volatile int *word, int wake, int count, const volatile int *other);
