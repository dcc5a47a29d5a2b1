/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <core/cpu.h>
#include <test/test.h>
#include "../cpu.h"
#include "../regs.h"
#include "../trap.h"

#define TEST_VECTOR 0xe0

static struct trap_frame seen;
static struct cpu *seen_cpu;

static void take(struct trap_frame *f)
{
	seen = *f;
	seen_cpu = arch_this_cpu();
}

TEST(trap_interrupt_reaches_its_handler)
{
	uint64_t a = 0x1111, b = 0x2222, r = 0x3333;

	trap_set_handler(TEST_VECTOR, take);
	seen.vector = 0;
	__asm__ volatile("int %3" : "+a"(a), "+b"(b), "+D"(r) : "i"(TEST_VECTOR) : "memory", "cc");
	CHECK(seen.vector == TEST_VECTOR && seen.error == 0);
	CHECK(seen.rax == 0x1111 && seen.rbx == 0x2222 && seen.rdi == 0x3333);
	CHECK(a == 0x1111 && b == 0x2222 && r == 0x3333);
	CHECK(seen.cs == CPU_KERNEL_CODE && seen_cpu == &cpu_boot);
}

/* Whatever GS held when an NMI came: the handler sees its CPU's structure, and
 * the interrupted code sees its GS again. */
TEST(trap_nmi_believes_no_gs)
{
	const uint64_t kernel_gs = rdmsr(MSR_GS_BASE);
	uint64_t after;

	trap_set_handler(TRAP_NMI, take);
	seen_cpu = NULL;
	wrmsr(MSR_GS_BASE, 0x5000);
	__asm__ volatile("int $2" : : : "memory", "cc");
	after = rdmsr(MSR_GS_BASE);
	wrmsr(MSR_GS_BASE, kernel_gs);
	trap_set_handler(TRAP_NMI, NULL);
	CHECK(after == 0x5000);
	CHECK(seen_cpu == &cpu_boot);
	CHECK(seen.vector == TRAP_NMI);
}
