/* SPDX-License-Identifier: MIT */
/* lib/libc/libc.h - the C library of native programs: musl, on our system calls.
 *
 * musl asks its kernel for things by Linux's numbers; here those calls end in libc_call,
 * which answers them from what the program was given: memory from its quota, threads in its
 * own spaces, on its own sched. There are no files: 0 is empty, 1 and 2 are the program's
 * output (libc_write). What has no meaning here fails with ENOSYS, as musl expects.
 *
 * A thread has a slot in a table: its capability, its message block, and room for its last
 * instructions, when its stack may be gone already.
 */
#pragma once
#include <abi/msg.h>
#include <abi/startup.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIBC_THREADS 256

/* Takes the program's output. `level` is 1 or 2, as the file's number; size 0 ends a line that has
 * begun. Programs may supply their own; else lib/program has it. */
void libc_write(int level, const char *bytes, size_t size);

/* The program's end, with the status that main returned. Programs may supply their own; else
 * lib/program has it. */
_Noreturn void libc_exit(int status);

/* What the program's start-up block begins with; and all of it, a struct startup or a struct
 * program_block, as libc_own->magic says. */
extern const struct startup_own *libc_own;
extern const void *libc_startup;

/* Where threads that begin from now on report their faults: init, for a program that it started;
 * CAP_NONE: nobody is told. */
extern cap_t libc_fault;

/* The calling thread's own capability, and its message block. */
cap_t libc_thread(void);
struct msg_block *libc_block(void);

/* The monotonic clock, in nanoseconds, as the kernel counts deadlines. */
uint64_t libc_now(void);
