/* SPDX-License-Identifier: MIT */
/* abi/x86_64.h - what a program on this machine knows of the way into the kernel.
 *
 * SYSCALL: the number of the call is in RAX, its arguments in RDI, RSI, RDX, R10, R8 and R9.
 * Results come back in RAX (the status), RSI, RDI and RDX. R8, R9 and R10 come back as zero,
 * RCX and R11 as the instruction leaves them; RBX, RBP, RSP and R12 to R15 are kept, vector
 * registers too. The selectors in data segment registers are nobody's: the kernel neither
 * keeps nor clears them, and they mean nothing; DS and ES have no base, those of FS and GS are
 * each thread's own.
 */
#pragma once
#include <stdint.h>

/* The user registers of a thread, as thread_read_registers and thread_write_registers carry them,
 * and as a state page holds those of a guest. What SYSCALL takes for itself are RCX, which gets
 * RIP, and R11, which gets RFLAGS. */
struct arch_registers {
	uint64_t rax, rsi, rdi, rdx;
	uint64_t rip, rflags, rsp;
	uint64_t rbx, rbp, r12, r13, r14, r15;
	uint64_t r8, r9, r10, r11, rcx;
	uint64_t fs_base, gs_base;
};

_Static_assert(sizeof(struct arch_registers) == 160, "arch_registers is ABI");

/* The bits of RFLAGS that user mode may have as it likes; others are as the kernel wants them. */
#define USER_FLAGS 0x250dd5u

/* Addresses in user mode end here. */
#define USER_ADDRESS_END 0x00007ffffffff000ull
