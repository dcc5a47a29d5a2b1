/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <core/cpu.h>
#include <core/symbol.h>
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

#define DEPTH_MAX 16

static vaddr_t trace[DEPTH_MAX];
static unsigned depth;

static void note_caller(vaddr_t pc)
{
	if (depth < DEPTH_MAX)
		trace[depth++] = pc;
}

static void take_backtrace(struct trap_frame *f)
{
	(void)f;
	arch_backtrace(note_caller, DEPTH_MAX);
}

/* True if function `name` is in the trace behind place `from`; *at says where. */
static bool trace_has(const char *name, unsigned from, unsigned *at)
{
	for (unsigned i = from; i < depth; i++) {
		size_t offset, size;
		const char *found = symbol_find(trace[i] - 1, &offset, &size);
		const char *n = name;

		while (found != NULL && *n != '\0' && *n == *found) {
			n++;
			found++;
		}
		if (found != NULL && *n == '\0' && (*found == '\0' || *found == '.')) {
			*at = i;
			return true;
		}
	}
	return false;
}

/* With a frame, though it calls nobody. */
__attribute__((noinline)) static void trace_inner(void)
{
	depth = 0;
	__asm__ volatile("int %0"
			 :
			 : "i"(TEST_VECTOR), "r"(__builtin_frame_address(0))
			 : "memory", "cc");
}

__attribute__((noinline)) static void trace_outer(void)
{
	trace_inner();
	__asm__ volatile("");
}

/* From the handler through the interrupted function to its callers. */
TEST(trap_backtrace_crosses_an_interrupt)
{
	unsigned at;

	trap_set_handler(TEST_VECTOR, take_backtrace);
	trace_outer();
	CHECK(trace_has("trap_common", 0, &at));
	CHECK(trace_has("trace_inner", at, &at));
	CHECK(trace_has("trace_outer", at, &at));
	CHECK(trace_has("kernel_main", at, &at));
}

static void report_backtrace(const struct trap_frame *f)
{
	depth = 0;
	arch_this_cpu()->arch.report = f;
	arch_backtrace(note_caller, DEPTH_MAX);
	arch_this_cpu()->arch.report = NULL;
}

/* A frame pointer that leads nowhere ends the walk, it does not crash it. */
TEST(trap_backtrace_survives_a_broken_chain)
{
	static const vaddr_t broken[] = { 0, 1, 8, 0x8000000000000000, ARCH_CPU_MAP, ~7ul };

	for (unsigned i = 0; i < ARRAY_LEN(broken); i++) {
		const struct trap_frame f = { .rip = (uintptr_t)trace_inner, .rbp = broken[i] };

		report_backtrace(&f);
		CHECK(depth == 0);
	}
}

/* Nor does a chain that bites its tail. */
TEST(trap_backtrace_ends_in_a_loop)
{
	uint64_t chain[2] = { 0, (uintptr_t)trace_inner };
	struct trap_frame f = { .rip = (uintptr_t)trace_inner, .rbp = (uintptr_t)chain };

	chain[0] = (uintptr_t)chain;
	report_backtrace(&f);
	CHECK(depth == 1 && trace[0] == (uintptr_t)trace_inner);
}

/* A call through a bad pointer: the caller is found by the return address. */
TEST(trap_backtrace_finds_the_caller_of_nothing)
{
	const uint64_t stack[1] = { (uintptr_t)trace_outer };
	const struct trap_frame f = { .rip = 0, .rsp = (uintptr_t)stack };

	report_backtrace(&f);
	CHECK(depth == 1 && trace[0] == (uintptr_t)trace_outer);
}

/* A function without a frame: the return address counts if a call of just this
 * function stands before it. */
TEST(trap_backtrace_finds_the_caller_of_a_leaf)
{
	uint64_t stack[1] = { 0 };
	struct trap_frame f = { .rip = (uintptr_t)trace_inner, .rsp = (uintptr_t)stack };
	unsigned at;

	for (unsigned i = 0; i < 64 && depth != 1; i++) {
		stack[0] = (uintptr_t)trace_outer + i;
		report_backtrace(&f);
	}
	CHECK(depth == 1 && trace[0] == stack[0]);
	CHECK(trace_has("trace_outer", 0, &at));
	f.rip = (uintptr_t)trace_outer;
	report_backtrace(&f);
	CHECK(depth == 0);
}
