/* SPDX-License-Identifier: MIT */
/* kernel/core/cpu.h - what the kernel keeps for each CPU.
 *
 * Life    the boot CPU's is static, the others' are made before they start and
 *         live for ever.
 * Locks   a CPU touches its own fields with interrupts off and no lock; fields
 *         that others touch are atomic and say so.
 */
#pragma once
#include <arch/arch.h>
#include <core/lock_order.h>
#include <core/pagetable.h>
#include <core/tlb.h>
#include <core/types.h>
#include <stdatomic.h>

#define CPU_MAX        64 /* one bit each in a cpumask_t */
#define CPU_LOCKS_HELD 16 /* debug builds: locks that one CPU may hold at once */

struct frame_cache;
struct timer_queue;

struct cpu {
	struct cpu *self;      /* first member: how a port finds it */
	uint32_t id;           /* dense, 0 is the boot CPU */
	bool idle;             /* in the idle loop, outside the kernel */
	struct arch_cpu arch;  /* the port's part */
	struct pagetable_cpu tables; /* the user's page tables that are active */
	struct tlb_cpu tlb;    /* shootdown mailbox, see tlb.h */
	struct frame_cache *frames; /* see frame.c */
	struct timer_queue *timers; /* see timer.c */
	uint64_t lock_waits;   /* times it had to wait for a lock */
	_Atomic uint64_t kernel_exits; /* times it left the kernel; an idle CPU counts as outside */

	/* Debug builds: locks held, in the order of taking. */
	uint32_t locks_held;
	const struct spinlock *lock[CPU_LOCKS_HELD];
};

typedef uint64_t cpumask_t;

/* CPUs that are up, and how many. Grows during boot, never shrinks. */
extern struct cpu *cpu_by_id[CPU_MAX];
uint32_t cpu_count(void);
cpumask_t cpu_online_mask(void);

/* The boot CPU's structure, usable before anything is allocated. */
extern struct cpu cpu_boot;

/* Enters `c` into cpu_by_id; called once by each CPU on itself, when it can
 * take interprocessor interrupts. */
void cpu_set_online(struct cpu *c);

/* Asks CPU `id` to leave its idle loop and look for work. */
void cpu_kick(uint32_t id);

/* The idle loop: serves interrupts, halts between them, never returns. */
NORETURN void cpu_idle_loop(void);
