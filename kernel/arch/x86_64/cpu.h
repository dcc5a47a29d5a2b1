/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/cpu.h - what makes a processor one of the kernel's: its
 * descriptor tables, stacks and protections.
 *
 * Life    the boot CPU's structure and stacks are part of the image; cpu_create
 *         makes those of another CPU, and nothing takes them back.
 * Owns    each CPU owns its structure and the frames under its stacks.
 * Locks   none: a CPU sets up itself, cpu_create runs on the boot CPU.
 */
#pragma once
#include "regs.h"
#include <core/cpu.h>
#include <core/types.h>

/* Selectors. SYSRET takes the user's data and code segments from two places
 * that lie so behind each other. */
#define CPU_KERNEL_CODE 0x08
#define CPU_KERNEL_DATA 0x10
#define CPU_USER_DATA   0x1b
#define CPU_USER_CODE   0x23
#define CPU_TSS         0x28

#define CPU_PAGE       4096
#define CPU_STACK_SIZE 16384
#define CPU_IST_SIZE   8192

/* A CPU's window: its stacks, each between two pages that are never mapped. */
struct cpu_stacks {
	uint8_t guard0[CPU_PAGE];
	uint8_t kernel[CPU_STACK_SIZE];
	uint8_t guard1[CPU_PAGE];
	uint8_t double_fault[CPU_IST_SIZE];
	uint8_t guard2[CPU_PAGE];
	uint8_t nmi[CPU_IST_SIZE];
	uint8_t guard3[CPU_PAGE];
	uint8_t machine_check[CPU_IST_SIZE];
	uint8_t guard4[CPU_PAGE];
};

#define CPU_WINDOW 0x10000 /* from one CPU's window to the next */

/* Places in the table of interrupt stacks; 0 is the stack that is current. */
enum cpu_ist { CPU_IST_NONE, CPU_IST_DOUBLE_FAULT, CPU_IST_NMI, CPU_IST_MACHINE_CHECK };

/* The boot CPU's stacks; boot.S starts on the first of them. */
extern struct cpu_stacks cpu_boot_stacks;

/* First C code on the boot CPU: makes GS, the exceptions and their stacks
 * usable, with the boot page tables and before anything is checked. */
void cpu_init_early(void);

/* Sets up the CPU that it runs on as `c`: descriptor tables, GS, the registers
 * of the protections, vector state. Panics if it lacks what the boot CPU has. */
void cpu_init(struct cpu *c);

/* What cpu_init writes to CR0 and CR4. */
#define CPU_CR0 (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG)
uint64_t cpu_cr4(void);

/* Size of a thread's vector state: the area that XSAVE writes for the states
 * that are on, or that of FXSAVE on a CPU without XSAVE. */
uint32_t cpu_vector_size(void);

/* Makes the structure and the stacks of another CPU, ready for cpu_init on it.
 * NULL when memory is short; what stacks there are by then serve the next try. */
struct cpu *cpu_create(uint32_t id, uint32_t apic_id);

/* Where the stack pointer of `c` starts. */
vaddr_t cpu_stack_top(const struct cpu *c);

/* Bounds of the stack of `c` that `address` lies in; false if in none. */
bool cpu_find_stack(const struct cpu *c, vaddr_t address, vaddr_t *base, vaddr_t *top);

/* Names the stack whose lower guard page `address` lies in; NULL if in none. */
const char *cpu_find_guard(const struct cpu *c, vaddr_t address);

/* Where the compiler's code goes when a function is to return and the canary in
 * its frame is not the CPU's any more. */
NORETURN void __stack_chk_fail(void);
