/* SPDX-License-Identifier: MIT */
/* tests/guest/registers.h - code that looks at all registers (registers.S). */
#pragma once
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
