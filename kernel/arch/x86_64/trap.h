/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/trap.h - exceptions and interrupts.
 *
 * Every vector enters through trap.S, which saves all general registers in a
 * trap_frame and calls trap_dispatch. The kernel runs with interrupts off, so a
 * frame from kernel mode is an exception, an NMI or a machine check, or an
 * interrupt that arrived in arch_cpu_idle.
 *
 * An exception in the kernel first looks for a fix-up (probe.h); without one it
 * is a bug of ours: trap.c writes the report and panics.
 */
#pragma once
#include <core/types.h>

enum trap_vector {
	TRAP_DIVIDE = 0,
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_BOUND = 5,
	TRAP_OPCODE = 6,
	TRAP_NO_FPU = 7,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_TSS = 10,
	TRAP_SEGMENT = 11,
	TRAP_STACK = 12,
	TRAP_PROTECTION = 13,
	TRAP_PAGE = 14,
	TRAP_X87 = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_MACHINE_CHECK = 18,
	TRAP_SIMD = 19,
	TRAP_FIRST_INTERRUPT = 32,
	TRAP_VECTORS = 256,
};

/* What trap.S leaves on the stack, lowest address first. The last five words
 * are the processor's. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error; /* 0 for a vector without an error code */
	uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct trap_frame) == 22 * 8, "TRAP_FRAME_SIZE of trap.S");

/* Runs with interrupts off on the CPU that took the interrupt; may change the
 * frame. It acknowledges the interrupt at its controller itself. Of an interrupt that
 * came in user mode the frame tells vector and CS, and no more. */
typedef void trap_fn(struct trap_frame *frame);

/* Sets the handler of an interrupt vector (32 to 255) or of TRAP_NMI, on every
 * CPU. Set before the source is enabled; a vector without a handler is reported
 * once and ignored, an NMI without one is reported like an exception. */
void trap_set_handler(uint8_t vector, trap_fn *handler);

/* Fills the interrupt descriptor table; once, before any CPU loads it. */
void trap_init(void);

/* Points this CPU's interrupt table register at the table. */
void trap_load(void);

/* From trap.S. */
void trap_dispatch(struct trap_frame *frame);

/* Calls the handler of an interrupt's vector. */
void trap_interrupt(struct trap_frame *frame);
