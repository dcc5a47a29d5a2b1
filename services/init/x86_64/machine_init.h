/* SPDX-License-Identifier: MIT */
/* services/init/x86_64/machine_init.h - what init knows of the machine: registers of the programs
 * that it begins and buries, and the serial line for its last words. */
#pragma once
#include <abi/x86_64.h>
#include <lib/sys/syscall.h>

#define MACHINE_ELF 62 /* EM_X86_64 */

/* The registers with which a program begins. */
static inline struct arch_registers machine_begin(uint64_t pc, uint64_t sp, uint64_t argument)
{
	return (struct arch_registers){ .rip = pc, .rsp = sp, .rdi = argument };
}

static inline uint64_t machine_pc(const struct arch_registers *r)
{
	return r->rip;
}

static inline uint64_t machine_frame(const struct arch_registers *r)
{
	return r->rbp;
}

/* R(name, field): all of them, in the order in which they are told. */
#define MACHINE_REGISTERS(R)                                                                       \
	R("rip", rip)                                                                              \
	R("rsp", rsp)                                                                              \
	R("flags", rflags)                                                                         \
	R("rax", rax)                                                                              \
	R("rbx", rbx)                                                                              \
	R("rcx", rcx)                                                                              \
	R("rdx", rdx)                                                                              \
	R("rsi", rsi)                                                                              \
	R("rdi", rdi)                                                                              \
	R("rbp", rbp)                                                                              \
	R("r8", r8)                                                                                \
	R("r9", r9)                                                                                \
	R("r10", r10)                                                                              \
	R("r11", r11)                                                                              \
	R("r12", r12)                                                                              \
	R("r13", r13)                                                                              \
	R("r14", r14)                                                                              \
	R("r15", r15)                                                                              \
	R("fs", fs_base)                                                                           \
	R("gs", gs_base)

/* Writes a byte to the first serial line, a 16550; if that does not take it, it is lost. */
static inline void machine_put(cap_t ports, char c)
{
	const uint64_t data = 0x3f8, status = 0x3fd, is_empty = 0x20;

	for (unsigned looks = 0; looks < 100000; looks++) {
		if (SYS(ioport_read, ports, status, 1).out[0] & is_empty)
			break;
	}
	SYS(ioport_write, ports, data, 1, c);
}
