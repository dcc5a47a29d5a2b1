/* SPDX-License-Identifier: MIT */
#include "exception.h"
#include "cpu.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/format.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/symbol.h>

static const char *const names[TRAP_FIRST_INTERRUPT] = {
	[TRAP_DIVIDE] = "#DE divide error",
	[TRAP_DEBUG] = "#DB debug",
	[TRAP_NMI] = "NMI",
	[TRAP_BREAKPOINT] = "#BP breakpoint",
	[TRAP_OVERFLOW] = "#OF overflow",
	[TRAP_BOUND] = "#BR bound range exceeded",
	[TRAP_OPCODE] = "#UD invalid opcode",
	[TRAP_NO_FPU] = "#NM device not available",
	[TRAP_DOUBLE_FAULT] = "#DF double fault",
	[TRAP_TSS] = "#TS invalid TSS",
	[TRAP_SEGMENT] = "#NP segment not present",
	[TRAP_STACK] = "#SS stack fault",
	[TRAP_PROTECTION] = "#GP general protection",
	[TRAP_PAGE] = "#PF page fault",
	[TRAP_X87] = "#MF x87 error",
	[TRAP_ALIGNMENT] = "#AC alignment check",
	[TRAP_MACHINE_CHECK] = "#MC machine check",
	[TRAP_SIMD] = "#XM SIMD error",
};

#define REASON_MAX 160

/* Error code of a fault about a selector. */
#define SELECTOR_EXTERNAL (1u << 0)
#define SELECTOR_IDT      (1u << 1)
#define SELECTOR_LDT      (1u << 2)

static void print_registers(const void *context)
{
	const struct trap_frame *f = context;
	const struct cpu *c = arch_this_cpu();
	char at[128];

	symbol_format(f->rip, at, sizeof(at));
	log_raw("  cpu %u, %s mode, thread none", c->id, f->cs & 3 ? "user" : "kernel");
	log_raw("  rip %016lx %s", f->rip, at);
	log_raw("  rsp %016lx  rflags %08lx  cs %02lx  ss %02lx  error %lx", f->rsp, f->rflags,
		f->cs, f->ss, f->error);
	log_raw("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_raw("  rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", f->rsi, f->rdi, f->rbp, f->r8);
	log_raw("  r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", f->r9, f->r10, f->r11, f->r12);
	log_raw("  r13 %016lx  r14 %016lx  r15 %016lx  gs  %016lx", f->r13, f->r14, f->r15,
		rdmsr(MSR_GS_BASE));
	log_raw("  cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx", read_cr0(), read_cr2(),
		read_cr3(), read_cr4());
}

static const char *access_name(uint64_t error)
{
	if (error & PF_FETCH)
		return "execution";
	return error & PF_WRITE ? "write" : "read";
}

static const char *page_state(uint64_t error, uint64_t address)
{
	if (error & PF_RESERVED)
		return "whose table has a reserved bit set";
	if (!(error & PF_PRESENT))
		return "which is not mapped";
	return address < ARCH_DIRECT_MAP ? "which is a user page"
					 : "which the page's rights forbid";
}

/* Names the stack that an access just below its end overflowed; "" for none. */
static void describe_overflow(char *out, size_t size)
{
	const char *stack = cpu_find_guard(arch_this_cpu(), read_cr2());

	if (stack != NULL)
		format(out, size, "; the %s stack overflowed into its guard page", stack);
	else
		out[0] = '\0';
}

/* A double fault leaves no address of its own. If it came of a page fault that
 * could not be delivered, which is how a stack overflow ends, CR2 still has that
 * one's. */
static void describe(const struct trap_frame *f, char *out, size_t size)
{
	const unsigned error = (unsigned)f->error;
	char overflow[80];

	switch (f->vector) {
	case TRAP_PAGE:
		describe_overflow(overflow, sizeof(overflow));
		format(out, size, ": %s at 0x%lx, %s%s", access_name(f->error), read_cr2(),
		       page_state(f->error, read_cr2()), overflow);
		break;
	case TRAP_DOUBLE_FAULT:
		describe_overflow(overflow, sizeof(overflow));
		format(out, size, "%s", overflow);
		break;
	case TRAP_TSS:
	case TRAP_SEGMENT:
	case TRAP_STACK:
	case TRAP_PROTECTION:
		if (error != 0)
			format(out, size, ": entry %u of the %s%s", error >> 3,
			       error & SELECTOR_IDT   ? "IDT"
			       : error & SELECTOR_LDT ? "LDT"
						      : "GDT",
			       error & SELECTOR_EXTERNAL ? ", by an event from outside" : "");
		break;
	default:
		break;
	}
}

/* The frame is left where the backtrace finds it: that is to begin in the code that
 * failed, not here. */
void exception_report(const struct trap_frame *f)
{
	const char *name = f->vector < TRAP_FIRST_INTERRUPT ? names[f->vector] : NULL;
	char reason[REASON_MAX] = "";

	arch_this_cpu()->arch.report = f;
	describe(f, reason, sizeof(reason));
	panic_report(print_registers, f, "%s%s", name == NULL ? "reserved exception" : name,
		     reason);
}
