/* SPDX-License-Identifier: MIT */
/* tests/guest/registers.h - code that looks at all registers (registers.S). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct all_registers {
	union {
		struct {
			uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8;
			uint64_t r9, r10, r11, r12, r13, r14, r15, rflags;
		};
		uint64_t word[16];
	};
};

/* Makes the system call with these registers (but RFLAGS), and tells those after it. */
void system_call_with(const struct all_registers *before, struct all_registers *after);
extern const char system_call_return[]; /* behind its SYSCALL */

struct vector_registers {
	uint64_t xmm[16][2];
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t reserved;
};

void vector_load(const struct vector_registers *from);
void vector_store(struct vector_registers *to);

/* The upper halves of YMM0 and YMM15; only where the processor and the kernel have AVX. */
void upper_load(const uint64_t from[4]);
void upper_store(uint64_t to[4]);
bool upper_is_there(void);

static inline uint64_t fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline uint64_t gs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static inline void set_bases(uint64_t fs, uint64_t gs)
{
	__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(fs), "r"(gs));
}

bool bases_can_be_set(void);
