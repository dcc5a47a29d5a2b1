/* SPDX-License-Identifier: MIT */
/* kernel/arch/host/port.h - the kernel core as an ordinary program. */
#pragma once
#include <core/types.h>
#include <sched.h>

struct cpu;

struct arch_cpu {
	uint32_t reserved;
};

/* Each thread of the program acts as one CPU; the first one as the boot CPU. */
extern _Thread_local struct cpu *host_this_cpu;

static inline struct cpu *arch_this_cpu(void)
{
	return host_this_cpu;
}

static inline void arch_cpu_relax(void)
{
	sched_yield();
}

/* "Physical" memory is the program's own. */
static inline void *arch_phys_to_virt(paddr_t pa)
{
	return (void *)(uintptr_t)pa;
}

static inline paddr_t arch_virt_to_phys(const void *va)
{
	return (uintptr_t)va;
}

static inline uint64_t arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}
