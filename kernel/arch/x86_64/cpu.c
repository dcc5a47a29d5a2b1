/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include "boot.h"
#include "regs.h"
#include "trap.h"
#include <arch/arch.h>
#include <core/assert.h>

_Static_assert(sizeof(struct cpu_stacks) <= CPU_WINDOW, "stacks fit their window");
_Static_assert(sizeof(struct arch_tss) == 104, "the processor's layout");

/* Segment descriptors; base and limit mean nothing in long mode. */
#define GDT_KERNEL_CODE 0x00af9b000000ffffull
#define GDT_KERNEL_DATA 0x00cf93000000ffffull
#define GDT_USER_DATA   0x00cff3000000ffffull
#define GDT_USER_CODE   0x00affb000000ffffull
#define GDT_TSS         0x0000890000000000ull /* available, 64-bit */

/* Read by trap.S. */
LATE_CONST uint8_t cpu_has_smap;

/* A descriptor of a system segment takes two entries. */
static void gdt_fill(struct arch_cpu *a)
{
	uint64_t base = (uintptr_t)&a->tss;

	a->gdt[CPU_KERNEL_CODE / 8] = GDT_KERNEL_CODE;
	a->gdt[CPU_KERNEL_DATA / 8] = GDT_KERNEL_DATA;
	a->gdt[CPU_USER_DATA / 8] = GDT_USER_DATA;
	a->gdt[CPU_USER_CODE / 8] = GDT_USER_CODE;
	a->gdt[CPU_TSS / 8] = GDT_TSS | (sizeof(a->tss) - 1) | (base & 0xffffff) << 16 |
			      (base >> 24 & 0xff) << 56;
	a->gdt[CPU_TSS / 8 + 1] = base >> 32;
}

/* The top two words of each interrupt stack tell trap_paranoid whose it is. */
static uint64_t ist_top(struct cpu *c, uint8_t *stack)
{
	uint64_t *top = (uint64_t *)(void *)(stack + CPU_IST_SIZE) - 2;

	top[0] = (uintptr_t)c;
	return (uintptr_t)top;
}

static void tss_fill(struct cpu *c)
{
	struct cpu_stacks *s = (struct cpu_stacks *)c->arch.stacks;
	struct arch_tss *tss = &c->arch.tss;

	tss->rsp[0] = cpu_stack_top(c);
	tss->ist[CPU_IST_DOUBLE_FAULT - 1] = ist_top(c, s->double_fault);
	tss->ist[CPU_IST_NMI - 1] = ist_top(c, s->nmi);
	tss->ist[CPU_IST_MACHINE_CHECK - 1] = ist_top(c, s->machine_check);
	tss->io_map = sizeof(*tss); /* no ports for user mode */
}

/* Loading a segment register clears its base, so GS comes last. */
static NO_CANARY void load_tables(struct cpu *c)
{
	const struct table_pointer gdt = { sizeof(c->arch.gdt) - 1, (uintptr_t)c->arch.gdt };

	c->self = c;
	gdt_fill(&c->arch);
	tss_fill(c);
	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%ss\n\t"
			 "movl %3, %%ds\n\t"
			 "movl %3, %%es\n\t"
			 "movl %3, %%fs\n\t"
			 "movl %3, %%gs\n\t"
			 "ltr %w4"
			 :
			 : "m"(gdt), "i"(CPU_KERNEL_CODE), "r"(CPU_KERNEL_DATA), "r"(0),
			   "r"(CPU_TSS)
			 : "rax", "memory");
	wrmsr(MSR_GS_BASE, (uintptr_t)c);
	trap_load();
}

NO_CANARY void cpu_init_early(void)
{
	cpu_boot.arch.stacks = (uintptr_t)&cpu_boot_stacks;
	trap_init();
	load_tables(&cpu_boot);
}

NO_CANARY void cpu_init(struct cpu *c)
{
	load_tables(c);
}

vaddr_t cpu_stack_top(const struct cpu *c)
{
	return c->arch.stacks + offsetof(struct cpu_stacks, guard1);
}

void arch_cpu_idle(void)
{
	/* STI takes effect after the next instruction: no interrupt is lost
	 * between the two. */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}
