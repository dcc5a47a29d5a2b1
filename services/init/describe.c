/* SPDX-License-Identifier: MIT */
/* What a program leaves in the log when it dies. */
#include "backtrace.h"
#include "program.h"
#include "report.h"
#include <abi/memory.h>
#include <lib/sys/calls.h>
#include <machine_init.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 512 /* of a program's space that are looked at */
#define LINE  120

static bool read_stack(void *of, uint64_t address, uint64_t *word)
{
	const struct program *p = of;
	uint64_t offset = address - p->stack_va;

	return address >= p->stack_va &&
	       offset <= PROGRAM_STACK_PAGES * MEMORY_PAGE - sizeof(*word) &&
	       sys_memory_read(p->stack, offset, word, sizeof(*word)) == ST_OK;
}

/* A call may be the last instruction of its function: what it returns to is looked up by the byte
 * before. */
static void describe_place(const struct program *p, uint64_t pc, bool is_return)
{
	uint64_t offset = 0;
	const char *name = pie_symbol(&p->image, pc - p->base - is_return, &offset);

	if (pc - p->base >= p->image.pages * MEMORY_PAGE)
		report(LOG_ERROR, "  %#llx", (unsigned long long)pc);
	else
		report(LOG_ERROR, "  %#llx %.60s+%#llx", (unsigned long long)(pc - p->base),
		       name != NULL ? name : "?", (unsigned long long)offset + is_return);
}

/* The first thread's; it does not run. */
static void describe_thread(const struct program *p)
{
	struct arch_registers r;
	uint64_t at[BACKTRACE_FRAMES];
	char line[LINE] = "";
	size_t used = 0;

	if (sys_thread_read_registers(p->thread, &r) != ST_OK)
		return;
#define TELL(name, field) { name, r.field },
	const struct {
		const char *name;
		uint64_t value;
	} told[] = { MACHINE_REGISTERS(TELL) };
#undef TELL
	for (unsigned i = 0; i < sizeof(told) / sizeof(*told); i++) {
		used += (size_t)snprintf(line + used, LINE - used, " %s %016llx", told[i].name,
					 (unsigned long long)told[i].value);
		if (i % 4 == 3) {
			report(LOG_ERROR, " %s", line);
			used = 0;
		}
	}
	unsigned n = backtrace_walk(machine_pc(&r), machine_frame(&r), read_stack,
				    (void *)(uintptr_t)p, at);
	for (unsigned i = 0; i < n; i++)
		describe_place(p, at[i], i > 0);
}

static void describe_fault(const struct program *p, const struct msg_fault *f)
{
	static const char *const kind[] = {
		[FAULT_MEMORY] = "memory",         [FAULT_INSTRUCTION] = "instruction",
		[FAULT_ARITHMETIC] = "arithmetic", [FAULT_BREAKPOINT] = "breakpoint",
		[FAULT_PROTECTION] = "protection", [FAULT_ALIGNMENT] = "alignment",
		[FAULT_VECTOR] = "vector",         [FAULT_MACHINE] = "machine"
	};
	bool known = f->kind < sizeof(kind) / sizeof(*kind) && kind[f->kind] != NULL;

	report(LOG_ERROR, "%s: %s fault, address %#llx, access %u, at", p->spec->name,
	       known ? kind[f->kind] : "unknown", (unsigned long long)f->address, f->access);
	describe_place(p, f->pc, false);
}

/* A slot's handle with generation 0 names whatever is in it. */
static void describe_capabilities(const struct program *p)
{
#define NAME(NUMBER, name, rights) [OBJ_##NUMBER] = #name,
	static const char *const names[OBJ_TYPES] = { OBJECT_TYPE_LIST(NAME) };
#undef NAME
	char line[LINE] = "";
	size_t used = 0;

	for (cap_t slot = 1; slot < SLOTS; slot++) {
		enum object_type type;
		rights_t rights;

		if (sys_cap_inspect(p->cspace, slot, &type, &rights) != ST_OK)
			continue;
		used += (size_t)snprintf(line + used, LINE - used, " %u:%s/%04x", (unsigned)slot,
					 names[type], rights);
		if (used > LINE - 32) {
			report(LOG_ERROR, "  holds%s", line);
			used = 0;
		}
	}
	if (used > 0)
		report(LOG_ERROR, "  holds%s", line);
}

void program_describe(const struct program *p, const struct msg_fault *fault)
{
	(void)sys_thread_suspend(p->thread);
	if (fault != NULL)
		describe_fault(p, fault);
	describe_thread(p);
	describe_capabilities(p);
}
