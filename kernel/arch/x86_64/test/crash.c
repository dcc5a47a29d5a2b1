/* SPDX-License-Identifier: MIT */
#include "../cpu.h"
#include "../regs.h"
#include "../time.h"
#include "../trap.h"
#include <arch/arch.h>
#include <core/boot.h>
#include <core/cpu.h>
#include <core/log.h>
#include <core/panic.h>
#include <dev/lapic.h>
#include <test/runner.h>
#include "probe.h"
#include "smp_call.h"

/* Each of these ends the kernel with the report of one exception, for
 * tests/e2e/crash.py. #TS and #AC can't be had in ring 0. `int` stands in for a
 * machine check, which only hardware raises, and for #XM, which QEMU's TCG does
 * not. */

#define DESCRIPTOR_PRESENT (1ull << 47)
#define NON_CANONICAL      0x8000000000000000ul
#define OPCODE_RET         0xc3
#define TURNS_NS           5000000ull

/* The address, with the compiler kept from knowing it. */
static volatile uint64_t *at(uintptr_t address)
{
	__asm__("" : "+r"(address));
	return (volatile uint64_t *)address;
}

static void crash_divide(void)
{
	__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" ::: "eax", "ecx", "edx", "cc");
}

static void crash_debug(void)
{
	__asm__ volatile("pushfq; orl %0, (%%rsp); popfq; nop" : : "i"(RFLAGS_TF) : "cc", "memory");
}

static void crash_nmi(void)
{
	__asm__ volatile("int $2");
}

static void crash_breakpoint(void)
{
	__asm__ volatile("int3");
}

static void crash_overflow(void)
{
	__asm__ volatile("int $4");
}

static void crash_bound(void)
{
	__asm__ volatile("int $5");
}

static void crash_opcode(void)
{
	__asm__ volatile("ud2");
}

static void crash_no_fpu(void)
{
	write_cr0(read_cr0() | CR0_TS);
	__asm__ volatile("fninit");
}

static void crash_double_fault(void)
{
	/* A stack that can't be written: the page fault can't be delivered. */
	__asm__ volatile("movq %0, %%rsp; pushq $0" : : "r"(ARCH_CPU_MAP + GIB(1)));
}

static void crash_segment(void)
{
	arch_this_cpu()->arch.gdt[CPU_USER_DATA / 8] &= ~DESCRIPTOR_PRESENT;
	__asm__ volatile("movl %0, %%ds" : : "r"(CPU_USER_DATA));
}

static void crash_stack_segment(void)
{
	arch_this_cpu()->arch.gdt[CPU_KERNEL_DATA / 8] &= ~DESCRIPTOR_PRESENT;
	__asm__ volatile("movl %0, %%ss" : : "r"(CPU_KERNEL_DATA));
}

static void crash_protection(void)
{
	*at(NON_CANONICAL) = 1;
}

static void crash_page_read(void)
{
	(void)*at(0x10);
}

static void crash_page_write(void)
{
	*at((uintptr_t)probe_text_code) = 0;
}

static void crash_page_execute(void)
{
	static uint8_t code[] = { OPCODE_RET };

	void (*volatile run)(void) = (void (*)(void))(uintptr_t)code;

	run();
	__asm__ volatile("");
}

static void crash_page_user(void)
{
	if (user_page_map() != NULL)
		*at(USER_PAGE) = 1;
}

static void crash_jump(void)
{
	void (*volatile nowhere)(void) = NULL;

	nowhere();
	__asm__ volatile("");
}

static void crash_x87(void)
{
	static const uint16_t unmasked = 0x0360;

	__asm__ volatile("clts; fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(unmasked));
}

static void crash_simd(void)
{
	__asm__ volatile("int $19");
}

static void crash_machine_check(void)
{
	__asm__ volatile("int $18");
}

/* Every call has a frame of its own: the result is used after the call. */
__attribute__((noinline)) static uint64_t overflow(uint64_t depth)
{
	volatile uint64_t block[4];

	block[0] = depth;
	if (*at((uintptr_t)block) != depth)
		return 0;
	return overflow(depth + 1) + block[0];
}

static void crash_stack(void)
{
	overflow(0);
}

static void crash_canary(void)
{
	uint64_t block[2] = { 0 };
	volatile uint64_t *word = at((uintptr_t)block);

	for (unsigned i = 0; i < 4; i++)
		word[i] = 0;
}

/* What the handlers need to report anything is gone. */
static void crash_gs(void)
{
	wrmsr(MSR_GS_BASE, 0);
	crash_opcode();
}

static void fault_again(const void *context)
{
	(void)context;
	crash_page_read();
}

static void crash_report(void)
{
	panic_report(fault_again, NULL, "a report that faults");
}

static void crash_device_in_memory(void)
{
	arch_device_map(boot_info.kernel_base, sizeof(uint32_t));
}

static void crash_panic(void)
{
	panic("as it was asked for");
}

/* The other CPUs spin in the kernel, deaf to interrupts; a panic stops them. */
static _Atomic uint64_t turns;

static void turn(void *arg)
{
	(void)arg;
	for (;;)
		atomic_fetch_add(&turns, 1);
}

static void report_turns(const void *context)
{
	uint64_t then = atomic_load(&turns);

	(void)context;
	time_wait(TURNS_NS);
	log_raw("  the others made %lu turns before the report, %lu in it", then,
		atomic_load(&turns) - then);
}

static void crash_others(void)
{
	smp_call_begin(smp_others(), turn, NULL);
	while (atomic_load(&turns) == 0)
		arch_cpu_relax();
	panic_report(report_turns, NULL, "while the others spin");
}

/* One CPU can't be stopped, as it is in an NMI already; another is stopped in
 * the middle of a line, with the log's lock. */
static void spin_in_nmi(struct trap_frame *f)
{
	(void)f;
	turn(NULL);
}

static void chatter(void *arg)
{
	(void)arg;
	for (;;)
		log_info("crash", "the CPU that is stopped has not finished");
}

static void crash_deaf(void)
{
	trap_set_handler(TRAP_NMI, spin_in_nmi);
	lapic_send_nmi(cpu_by_id[2]->arch.apic_id);
	while (atomic_load(&turns) == 0)
		arch_cpu_relax();
	smp_call_begin(1u << 1, chatter, NULL);
	time_wait(TURNS_NS);
	panic("with a deaf CPU");
}

static const struct {
	const char *name;
	void (*crash)(void);
} crashes[] = {
	{ "divide", crash_divide },
	{ "debug", crash_debug },
	{ "nmi", crash_nmi },
	{ "breakpoint", crash_breakpoint },
	{ "overflow", crash_overflow },
	{ "bound", crash_bound },
	{ "opcode", crash_opcode },
	{ "no_fpu", crash_no_fpu },
	{ "double_fault", crash_double_fault },
	{ "segment", crash_segment },
	{ "stack_segment", crash_stack_segment },
	{ "protection", crash_protection },
	{ "page_read", crash_page_read },
	{ "page_write", crash_page_write },
	{ "page_execute", crash_page_execute },
	{ "page_user", crash_page_user },
	{ "jump", crash_jump },
	{ "x87", crash_x87 },
	{ "simd", crash_simd },
	{ "machine_check", crash_machine_check },
	{ "stack", crash_stack },
	{ "canary", crash_canary },
	{ "gs", crash_gs },
	{ "report", crash_report },
	{ "panic", crash_panic },
	{ "others", crash_others },
	{ "deaf", crash_deaf },
	{ "device_in_memory", crash_device_in_memory },
};

void test_crash(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(crashes); i++) {
		const char *a = name, *b = crashes[i].name;

		while (*a != '\0' && *a == *b) {
			a++;
			b++;
		}
		if (*a == *b)
			crashes[i].crash();
	}
}
