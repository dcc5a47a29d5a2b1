/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include "boot.h"
#include "feature.h"
#include "regs.h"
#include "trap.h"
#include "user.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/boot.h>
#include <core/frame.h>
#include <core/log.h>
#include <core/random.h>

_Static_assert(offsetof(struct cpu, arch.canary) == ARCH_CPU_OFFSET,
	       "-mstack-protector-guard-offset");
_Static_assert(offsetof(struct cpu, arch) == ARCH_CPU_OFFSET, "arch_cpu_own");
_Static_assert(sizeof(struct cpu_stacks) <= CPU_WINDOW, "stacks fit their window");
_Static_assert(sizeof(struct arch_tss) == 104, "the processor's layout");

/* Segment descriptors; base and limit mean nothing in long mode. The accessed bit
 * is set in all of them, or the processor would write it. */
#define GDT_KERNEL_CODE 0x00af9b000000ffffull
#define GDT_KERNEL_DATA 0x00cf93000000ffffull
#define GDT_USER_DATA   0x00cff3000000ffffull
#define GDT_USER_CODE   0x00affb000000ffffull
#define GDT_TSS         0x0000890000000000ull /* available, 64-bit */

#define PAT_RESET   0x0007040600070406ull /* entry 0 write-back, entry 3 uncached */
#define FXSAVE_SIZE 512

/* The choices of ours that a reader of the log may want to know. */
#define FEATURES_USED                                                                              \
	(1ull << FEATURE_NX | 1ull << FEATURE_SMEP | 1ull << FEATURE_SMAP | 1ull << FEATURE_UMIP | \
	 1ull << FEATURE_FSGSBASE | 1ull << FEATURE_PCID | 1ull << FEATURE_INVPCID |               \
	 1ull << FEATURE_HUGE_PAGES | 1ull << FEATURE_XSAVE)

LATE_CONST struct feature_set cpu_features;

/* Read by assembler code and port.h. */
LATE_CONST uint8_t cpu_has_smap, cpu_has_pcid;
LATE_CONST uint64_t cpu_lacks_fsgsbase;

/* A descriptor of a system segment takes two entries. Each CPU has its own table,
 * because the TSS that it names is the CPU's: LTR marks the entry busy, so no
 * second CPU could load it. */
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

/* The top two words of each interrupt stack tell trap_paranoid whose it is. Two
 * words, so that the stack still begins at a multiple of 16, where the processor
 * would move it anyway. */
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

	c->arch.stack_top = cpu_stack_top(c);
	tss->rsp[0] = c->arch.stack_top;
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

static void read_leaves(struct feature_leaves *l)
{
	l->vendor = cpuid(0, 0);
	l->basic = cpuid(1, 0);
	if (l->vendor.eax >= 7)
		l->structured = cpuid(7, 0);
	if (l->vendor.eax >= 0xd) {
		l->xsave0 = cpuid(0xd, 0);
		l->xsave1 = cpuid(0xd, 1);
	}
	const uint32_t extended_max = cpuid(0x80000000, 0).eax;
	if (extended_max >= 0x80000001)
		l->extended = cpuid(0x80000001, 0);
	if (extended_max >= 0x80000007)
		l->power = cpuid(0x80000007, 0);
	if (extended_max >= 0x80000008)
		l->sizes = cpuid(0x80000008, 0);
}

static void read_features(struct feature_set *out)
{
	struct feature_leaves leaves = { 0 };

	read_leaves(&leaves);
	feature_decode(&leaves, out);
	if (feature_has(out, FEATURE_ARCH_CAPABILITIES))
		out->arch_capabilities = rdmsr(MSR_ARCH_CAPABILITIES);
}

uint64_t cpu_cr4(void)
{
	static const struct {
		enum feature feature;
		uint64_t bit;
	} optional[] = {
		{ FEATURE_UMIP, CR4_UMIP },  { FEATURE_FSGSBASE, CR4_FSGSBASE },
		{ FEATURE_PCID, CR4_PCIDE }, { FEATURE_XSAVE, CR4_OSXSAVE },
		{ FEATURE_SMEP, CR4_SMEP },  { FEATURE_SMAP, CR4_SMAP },
	};
	uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	for (unsigned i = 0; i < ARRAY_LEN(optional); i++) {
		if (cpu_has(optional[i].feature))
			cr4 |= optional[i].bit;
	}
	return cr4;
}

/* The registers are written whole, so that nothing that firmware left stays. */
static void write_registers(void)
{
	wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	wrmsr(MSR_PAT, PAT_RESET);
	write_cr0(CPU_CR0);
	write_cr4(cpu_cr4());
	if (cpu_has(FEATURE_XSAVE))
		write_xcr0(cpu_features.xcr0);
	user_cpu_init();
}

/* Threads move between CPUs, so what one CPU can do all must. */
static void check_same(uint32_t id)
{
	struct feature_set own;
	char names[LOG_LINE_MAX];

	read_features(&own);
	const uint64_t lacking = cpu_features.bits & ~own.bits;
	if (lacking != 0) {
		feature_names(lacking, names, sizeof(names));
		panic("CPU %u lacks what the boot CPU has: %s", id, names);
	}
	if ((cpu_features.xcr0 & ~own.xcr0) != 0)
		panic("CPU %u lacks vector state that the boot CPU has", id);
}

NO_CANARY void cpu_init(struct cpu *c)
{
	load_tables(c);
	check_same(c->id);
	write_registers();
}

/* Where CPUID tells how many bytes the states take that XCR0 turned on. */
uint32_t cpu_vector_size(void)
{
	return cpu_has(FEATURE_XSAVE) ? cpuid(0xd, 0).ebx : FXSAVE_SIZE;
}

static bool is_word(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* What is missing comes first: no option lifts that. */
static void refuse_unfit(void)
{
	const uint64_t missing = feature_missing(&cpu_features);
	char text[LOG_LINE_MAX];

	if (missing != 0) {
		feature_names(missing, text, sizeof(text));
		boot_refuse("the processor lacks %s", text);
	}
	if (!feature_needs_isolation(&cpu_features))
		return;
	if (!boot_option("accept", text, sizeof(text)) || !is_word(text, "meltdown"))
		boot_refuse("the processor (%s family %u model %u) lets user code read kernel "
			    "memory (Meltdown) and page-table isolation is not built; the boot "
			    "option accept=meltdown starts it all the same",
			    cpu_features.vendor, cpu_features.family, cpu_features.model);
	log_warn("cpu", "user code can read kernel memory on this processor (Meltdown), accepted");
}

static void log_features(void)
{
	char used[LOG_LINE_MAX / 2], absent[LOG_LINE_MAX / 2];

	feature_names(cpu_features.bits & FEATURES_USED, used, sizeof(used));
	feature_names(~cpu_features.bits & FEATURES_USED, absent, sizeof(absent));
	log_info("cpu", "%s family %u model %u: uses %s; lacks %s", cpu_features.vendor,
		 cpu_features.family, cpu_features.model, used, absent[0] == 0 ? "none" : absent);
	log_info("cpu", "%u address bits, vector state 0x%llx in %u bytes",
		 cpu_features.physical_bits, (unsigned long long)cpu_features.xcr0,
		 cpu_vector_size());
}

void arch_cpu_init_boot(void)
{
	read_features(&cpu_features);
	refuse_unfit();
	/* Before cpu_init turns SMAP on: from then on the entry code must lift and
	 * restore it, and without SMAP the instructions for that do not exist. */
	cpu_has_smap = cpu_has(FEATURE_SMAP);
	cpu_lacks_fsgsbase = !cpu_has(FEATURE_FSGSBASE);
	cpu_has_pcid = cpu_has(FEATURE_PCID);
	cpu_init(&cpu_boot);
	log_features();
}

/* The mapped parts of struct cpu_stacks. */
static const struct stack {
	const char *name;
	size_t base, size;
} stacks[] = {
#define STACK(field, name)                                                                         \
	{                                                                                          \
		name, offsetof(struct cpu_stacks, field), sizeof(((struct cpu_stacks *)0)->field)  \
	}
	STACK(kernel, "kernel"),
	STACK(double_fault, "double-fault"),
	STACK(nmi, "NMI"),
	STACK(machine_check, "machine-check"),
#undef STACK
};

vaddr_t cpu_stack_top(const struct cpu *c)
{
	return c->arch.stacks + offsetof(struct cpu_stacks, guard1);
}

bool cpu_find_stack(const struct cpu *c, vaddr_t address, vaddr_t *base, vaddr_t *top)
{
	for (unsigned i = 0; i < ARRAY_LEN(stacks); i++) {
		const vaddr_t from = c->arch.stacks + stacks[i].base;

		if (address - from < stacks[i].size) {
			*base = from;
			*top = from + stacks[i].size;
			return true;
		}
	}
	return false;
}

const char *cpu_find_guard(const struct cpu *c, vaddr_t address)
{
	for (unsigned i = 0; i < ARRAY_LEN(stacks); i++) {
		if (address - (c->arch.stacks + stacks[i].base - CPU_PAGE) < CPU_PAGE)
			return stacks[i].name;
	}
	return NULL;
}

/* A frame at a time: a stack need not lie in one piece of physical memory, so that a node whose
 * memory is in pieces can still start its CPUs. What is there was made by a try that failed. */
static bool stack_page_map(vaddr_t va)
{
	paddr_t pa;
	unsigned access;

	if (arch_kernel_translate(va, &pa, &access))
		return true;
	if (!frame_alloc(0, FRAME_ANY, &pa))
		return false;
	frame_zero(pa, 0);
	if (arch_kernel_map(va, pa, FRAME_SIZE, ARCH_WRITE) == ST_OK)
		return true;
	frame_free(pa, 0);
	return false;
}

static bool stacks_create(vaddr_t window)
{
	bool ok = true;

	for (unsigned i = 0; i < ARRAY_LEN(stacks); i++) {
		for (size_t at = 0; ok && at < stacks[i].size; at += FRAME_SIZE)
			ok = stack_page_map(window + stacks[i].base + at);
	}
	return ok;
}

static unsigned order_for(size_t size)
{
	unsigned order = 0;

	while ((FRAME_SIZE << order) < size)
		order++;
	return order;
}

struct cpu *cpu_create(uint32_t id, uint32_t apic_id)
{
	const unsigned order = order_for(sizeof(struct cpu));
	const vaddr_t window = ARCH_CPU_MAP + (vaddr_t)id * CPU_WINDOW;
	paddr_t pa;

	ASSERT(id > 0 && id < CPU_MAX);
	if (!frame_alloc(order, FRAME_ANY, &pa))
		return NULL;
	if (!stacks_create(window)) {
		frame_free(pa, order);
		return NULL;
	}
	frame_zero(pa, order);
	struct cpu *c = arch_phys_to_virt(pa);
	c->self = c;
	c->id = id;
	c->arch.apic_id = apic_id;
	c->arch.stacks = window;
	c->arch.canary = random_u64();
	return c;
}

/* The canary of the boot CPU changes here: whoever has a copy of the old one on
 * the stack must not return. Only kernel_main, which never does, is below. */
NO_CANARY void arch_stack_guard_init(void)
{
	cpu_boot.arch.canary = random_u64();
}

void __stack_chk_fail(void)
{
	panic("a stack canary was overwritten");
}

void arch_cpu_idle(void)
{
	/* STI takes effect after the next instruction: no interrupt is lost
	 * between the two. */
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

void arch_cpu_interrupts(void)
{
	__asm__ volatile("sti; nop; cli" ::: "memory");
}
