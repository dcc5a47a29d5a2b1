/* SPDX-License-Identifier: MIT */
#include "../cpu.h"
#include "../feature.h"
#include "../probe.h"
#include "../regs.h"
#include "../vector.h"
#include "smp_call.h"
#include <arch/arch.h>
#include <core/frame.h>
#include <test/test.h>

struct protection {
	enum feature feature;
	uint64_t cr4;
};

TEST(cpu_protections_are_on)
{
	static const struct protection optional[] = {
		{ FEATURE_SMEP, CR4_SMEP },  { FEATURE_SMAP, CR4_SMAP },
		{ FEATURE_UMIP, CR4_UMIP },  { FEATURE_FSGSBASE, CR4_FSGSBASE },
		{ FEATURE_PCID, CR4_PCIDE }, { FEATURE_XSAVE, CR4_OSXSAVE },
	};
	const uint64_t always = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint64_t expected = always;

	/* The processor is asked, not the kernel's notes. */
	const struct cpuid basic = cpuid(1, 0), structured = cpuid(7, 0);
	const bool there[] = {
		structured.ebx >> 7 & 1, structured.ebx >> 20 & 1, structured.ecx >> 2 & 1,
		structured.ebx & 1,      basic.ecx >> 17 & 1,      basic.ecx >> 26 & 1,
	};
	for (unsigned i = 0; i < ARRAY_LEN(optional); i++) {
		CHECK(cpu_has(optional[i].feature) == there[i]);
		if (there[i])
			expected |= optional[i].cr4;
	}
	CHECK(read_cr4() == expected);
	CHECK(read_cr0() ==
	      (CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG));
	CHECK(rdmsr(MSR_EFER) == (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE));
}

/* What one CPU has in its registers. */
struct view {
	uint64_t cr0, cr3, cr4, efer, pat, xcr0, interrupt_table;
};

static struct view views[CPU_MAX];
static uint64_t canaries[CPU_MAX];

static void look(void *unused)
{
	const uint32_t id = arch_this_cpu()->id;
	struct table_pointer idt;

	(void)unused;
	__asm__ volatile("sidt %0" : "=m"(idt));
	__asm__ volatile("movq %%gs:24, %0" : "=r"(canaries[id]));
	views[id] = (struct view){
		.cr0 = read_cr0(),
		.cr3 = read_cr3(),
		.cr4 = read_cr4(),
		.efer = rdmsr(MSR_EFER),
		.pat = rdmsr(MSR_PAT),
		.xcr0 = cpu_has(FEATURE_XSAVE) ? read_xcr0() : 0,
		.interrupt_table = idt.base,
	};
}

static bool is_same(const struct view *a, const struct view *b)
{
	return a->cr0 == b->cr0 && a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer &&
	       a->pat == b->pat && a->xcr0 == b->xcr0 && a->interrupt_table == b->interrupt_table;
}

TEST(cpu_protections_are_the_same_on_all)
{
	if (cpu_count() == 1)
		SKIP("one CPU");
	smp_call(cpu_online_mask(), look, NULL);
	for (uint32_t id = 1; id < cpu_count(); id++) {
		CHECK(is_same(&views[0], &views[id]));
		for (uint32_t other = 0; other < id; other++)
			CHECK(canaries[id] != canaries[other]);
	}
}

TEST(cpu_vector_state_is_on)
{
	if (!cpu_has(FEATURE_XSAVE)) {
		CHECK(cpu_vector_size() == 512);
		SKIP("no XSAVE on this CPU, FXSAVE serves");
	}
	const struct cpuid offered = cpuid(0xd, 0);
	const uint64_t xcr0 = read_xcr0();

	CHECK(xcr0 == cpu_features.xcr0);
	CHECK((xcr0 & (XCR0_X87 | XCR0_SSE)) == (XCR0_X87 | XCR0_SSE));
	CHECK(!(offered.eax & XCR0_AVX) == !(xcr0 & XCR0_AVX));
	CHECK((xcr0 & ~(uint64_t)offered.eax) == 0);
	CHECK(cpu_vector_size() == offered.ebx && offered.ebx >= 576);
}

/* What one thread had in them, another can't even guess at. */
TEST(cpu_vector_registers_are_empty_while_they_trap)
{
	uint64_t low = 0x1122334455667788, high = low, fcw = 0x37e, top = 1;

	__asm__ volatile("clts; fldcw %0; fldz; movq %1, %%xmm7; movlhps %%xmm7, %%xmm7"
			 :
			 : "m"(fcw), "r"(low));
	vector_forbid();
	CHECK(read_cr0() & CR0_TS);
	__asm__ volatile("clts; fnstcw %2; movq %%xmm7, %0; movhlps %%xmm7, %%xmm7;"
			 "movq %%xmm7, %1; fnstsw %%ax"
			 : "=r"(low), "=r"(high), "=m"(fcw), "=a"(top));
	vector_forbid();
	CHECK(low == 0 && high == 0 && (uint16_t)fcw == 0x37f && (uint16_t)top == 0);
}

TEST(cpu_segments_are_those_of_the_table)
{
	const struct cpu *c = arch_this_cpu();
	struct table_pointer gdt;
	uint16_t cs, ss, tr;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("movw %%cs, %0; movw %%ss, %1; str %2" : "=r"(cs), "=r"(ss), "=r"(tr));
	CHECK(gdt.base == (uintptr_t)c->arch.gdt && gdt.limit == sizeof(c->arch.gdt) - 1);
	CHECK(cs == CPU_KERNEL_CODE && ss == CPU_KERNEL_DATA && tr == CPU_TSS);
	CHECK(rdmsr(MSR_GS_BASE) == (uintptr_t)c && c->self == c);
	CHECK(c->arch.tss.io_map >= sizeof(c->arch.tss));
}

TEST(cpu_interrupts_are_off)
{
	CHECK((read_rflags() & RFLAGS_IF) == 0);
}

TEST(cpu_canary_is_drawn)
{
	uint64_t canary;

	__asm__ volatile("movq %%gs:24, %0" : "=r"(canary));
	CHECK(canary != 0 && canary == arch_this_cpu()->arch.canary);
}

TEST(cpu_stacks_are_told_apart)
{
	const struct cpu *c = arch_this_cpu();
	const struct cpu_stacks *s = (const struct cpu_stacks *)c->arch.stacks;
	vaddr_t base, top, here = (uintptr_t)__builtin_frame_address(0);

	CHECK(cpu_find_stack(c, here, &base, &top) && base == (uintptr_t)s->kernel);
	CHECK(top == cpu_stack_top(c) && top - base == CPU_STACK_SIZE);
	CHECK(cpu_find_stack(c, (uintptr_t)s->nmi + 1, &base, &top));
	CHECK(base == (uintptr_t)s->nmi && top == base + CPU_IST_SIZE);
	CHECK(!cpu_find_stack(c, (uintptr_t)s->guard1, &base, &top));
	CHECK(!cpu_find_stack(c, 0, &base, &top));
	CHECK(cpu_find_guard(c, (uintptr_t)s->guard0) != NULL);
	CHECK(cpu_find_guard(c, (uintptr_t)s->guard3 + CPU_PAGE - 1) != NULL);
	CHECK(cpu_find_guard(c, here) == NULL);
}

/* A CPU's structure and stacks are there before it runs. What is made here for a
 * CPU that never comes stays, as the real ones' does. */
TEST(cpu_create_makes_stacks_with_guards)
{
	const uint32_t id = CPU_MAX - 1;
	uint64_t word;

	if (cpu_by_id[id] != NULL)
		SKIP("this machine has a CPU of the number that the test uses");
	const struct cpu *c = cpu_create(id, 0xabc);
	CHECK(c != NULL && c->self == c && c->id == id && c->arch.apic_id == 0xabc);
	CHECK(c->arch.canary != 0 && c->arch.canary != arch_this_cpu()->arch.canary);

	const struct cpu_stacks *s = (const struct cpu_stacks *)c->arch.stacks;
	CHECK((uintptr_t)s == ARCH_CPU_MAP + (uintptr_t)id * CPU_WINDOW);
	CHECK(arch_probe_read(s->kernel, &word) && word == 0);
	CHECK(arch_probe_write((void *)(cpu_stack_top(c) - 8), 1));
	CHECK(arch_probe_read(s->machine_check + CPU_IST_SIZE - 8, &word));
	CHECK(!arch_probe_read(s->guard0 + CPU_PAGE - 8, &word));
	CHECK(!arch_probe_read((const void *)cpu_stack_top(c), &word));
	CHECK(!arch_probe_read(s->guard4, &word));
}
