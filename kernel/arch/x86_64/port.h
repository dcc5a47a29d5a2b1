/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/port.h - types and inline functions that the core sees.
 *
 * Address map (4-level paging):
 *   0xffff800000000000  direct map of physical memory
 *   0xffffea0000000000  frame table
 *   0xfffffe0000000000  device windows
 *   0xffffff0000000000  per-CPU windows: stacks with guards between them (cpu.h)
 *   0xffffffff80000000  kernel image
 */
#pragma once
#include <core/types.h>

#define ARCH_DIRECT_MAP  0xffff800000000000ull
#define ARCH_FRAME_TABLE 0xffffea0000000000ull
#define ARCH_DEVICE_MAP  0xfffffe0000000000ull
#define ARCH_CPU_MAP     0xffffff0000000000ull
#define ARCH_KERNEL      0xffffffff80000000ull

/* User addresses. The last page below the hole stays free: a system call that ends
 * there would make the processor return to an address that it refuses. */
#define ARCH_USER_END    0x00007ffffffff000ull
#define ARCH_PERSONALITY 0x00007f8000000000ull

/* Tags under which this CPU may have translations cached, see user_mmu.c. */
#define ARCH_PCIDS 64

struct cpu;
struct trap_frame;

/* The processor's task state segment (Intel SDM volume 3, figure 8-11): which
 * stack an entry begins on. */
struct arch_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));

#define ARCH_GDT_ENTRIES 7 /* see cpu.c */

struct arch_cpu {
	uint64_t canary; /* first: the compiler was told its place, see cpu.c */
	uint32_t apic_id;
	uint32_t reserved;
	vaddr_t stacks;                  /* its struct cpu_stacks, see cpu.h */
	const struct trap_frame *report; /* the exception that is being reported */
	uint64_t gdt[ARCH_GDT_ENTRIES];
	struct arch_tss tss;
	uint32_t pcid_tag[ARCH_PCIDS];
};

/* GS base holds the address of this CPU's struct cpu, whose first member is
 * that address. */
static inline struct cpu *arch_this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

static inline void arch_cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void *arch_phys_to_virt(paddr_t pa)
{
	return (void *)(uintptr_t)(pa + ARCH_DIRECT_MAP);
}

static inline paddr_t arch_virt_to_phys(const void *va)
{
	return (uintptr_t)va - ARCH_DIRECT_MAP;
}

static inline uint64_t arch_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Tests on the host make allocations fail, and generations narrow. */
static inline bool arch_fail_step(void)
{
	return false;
}

#define ARCH_OBJECT_GEN_MASK UINT16_MAX
#define ARCH_SLOT_GEN_MAX    UINT32_MAX
