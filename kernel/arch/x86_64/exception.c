/* SPDX-License-Identifier: MIT */
#include "exception.h"
#include "cpu.h"
#include "regs.h"
#include <core/log.h>
#include <core/panic.h>

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

void exception_report(const struct trap_frame *f)
{
	const char *name = f->vector < TRAP_FIRST_INTERRUPT ? names[f->vector] : NULL;

	panic("exception %s", name == NULL ? "of a reserved vector" : name);
}
