/* SPDX-License-Identifier: MIT */
/* lib/libc/x86_64/machine_libc.h - what the port of the C library does with this machine's
 * registers: FS points to musl's thread, as its code has it, GS to ours. */
#pragma once
#include <abi/startup.h>
#include <abi/x86_64.h>
#include <stdint.h>

#define MACHINE_CANARY                                                                             \
	5 /* the word from FS on that compilers guard stacks by, as in musl's thread */

struct thread;

static inline void machine_relax(void)
{
	__asm__ volatile("pause");
}

static inline struct thread *machine_thread(void)
{
	struct thread *t;

	__asm__ volatile("rdgsbase %0" : "=r"(t));
	return t;
}

static inline void machine_set_thread(struct thread *t)
{
	__asm__ volatile("wrgsbase %0" : : "r"(t));
}

static inline void machine_set_tls(uint64_t tls)
{
	__asm__ volatile("wrfsbase %0" : : "r"(tls));
}

/* Registers with which a thread calls pc(a, b) on a stack that ends at `stack`. */
static inline void machine_thread_registers(struct arch_registers *r, uint64_t pc, uint64_t stack,
					    uint64_t a, uint64_t b, uint64_t tls, uint64_t thread)
{
	*r = (struct arch_registers){
		.rip = pc,
		.rsp = (stack & ~15ull) - 8, /* as behind a call */
		.rdi = a,
		.rsi = b,
		.fs_base = tls,
		.gs_base = thread,
	};
}

/* Goes on in run(t), on another stack. */
static inline _Noreturn void machine_on_stack(void *top, void (*run)(struct thread *),
					      struct thread *t)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%1\n\t"
			 "ud2"
			 :
			 : "r"(top), "r"(run), "D"(t)
			 : "memory");
	__builtin_unreachable();
}

/* Ticks of the clock, read after all that comes before. */
static inline uint64_t machine_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}
