/* SPDX-License-Identifier: MIT */
#include "trap.h"
#include "boot.h"
#include "cpu.h"
#include "exception.h"
#include "probe.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/log.h>
#include <core/symbol.h>

/* A gate of the interrupt descriptor table (Intel SDM volume 3, figure 6-8). */
struct gate {
	uint16_t offset0;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset1;
	uint32_t offset2;
	uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e /* present, interrupts go off; not for INT instructions of */
#define GATE_USER      0x60 /* user mode, without this */
#define STUB_SIZE      16   /* see trap.S */

#define CALL_SIZE   5 /* of a direct call: the opcode and a distance of 32 bits */
#define CALL_OPCODE 0xe8

extern char trap_stubs[]; /* trap.S */

static LATE_CONST ALIGNED(16) struct gate idt[TRAP_VECTORS];
static trap_fn *handlers[TRAP_VECTORS];

static uint8_t ist_of(unsigned vector)
{
	switch (vector) {
	case TRAP_NMI:
		return CPU_IST_NMI;
	case TRAP_DOUBLE_FAULT:
		return CPU_IST_DOUBLE_FAULT;
	case TRAP_MACHINE_CHECK:
		return CPU_IST_MACHINE_CHECK;
	default:
		return CPU_IST_NONE;
	}
}

/* Interrupt gates throughout, for exceptions as well: the kernel runs with
 * interrupts off, whatever it was that entered it. */
void trap_init(void)
{
	for (unsigned v = 0; v < TRAP_VECTORS; v++) {
		uint64_t entry = (uintptr_t)trap_stubs + v * STUB_SIZE;

		idt[v] = (struct gate){
			.offset0 = (uint16_t)entry,
			.offset1 = (uint16_t)(entry >> 16),
			.offset2 = (uint32_t)(entry >> 32),
			.selector = CPU_KERNEL_CODE,
			.ist = ist_of(v),
			.type = v == TRAP_BREAKPOINT ? GATE_INTERRUPT | GATE_USER : GATE_INTERRUPT,
		};
	}
}

void trap_load(void)
{
	const struct table_pointer p = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(p));
}

void trap_set_handler(uint8_t vector, trap_fn *handler)
{
	ASSERT(vector >= TRAP_FIRST_INTERRUPT || vector == TRAP_NMI);
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

static void ignore(struct trap_frame *f)
{
	(void)f;
}

/* Told once: a source that nobody silences would fill the log with nothing else. */
void trap_interrupt(struct trap_frame *f)
{
	trap_fn *handler = __atomic_load_n(&handlers[f->vector], __ATOMIC_ACQUIRE);

	if (handler == NULL) {
		log_warn("trap", "interrupt vector %llu has no handler",
			 (unsigned long long)f->vector);
		trap_set_handler((uint8_t)f->vector, ignore);
		return;
	}
	handler(f);
}

/* An address that is not canonical gives a protection fault, or a stack fault if it
 * was formed with RSP or RBP, and no CR2: such a fault counts as one at the very
 * end of the addresses. The table has a few entries and is searched from the start;
 * a fault costs more than that. */
static bool fix_up(struct trap_frame *f)
{
	uint64_t address = UINT64_MAX - 1;

	if (f->vector == TRAP_PAGE)
		address = read_cr2();
	else if (f->vector != TRAP_PROTECTION && f->vector != TRAP_STACK)
		return false;
	for (const struct fixup *x = fixup_start; x != fixup_end; x++) {
		if (x->rip == f->rip && address < x->end) {
			f->rip = x->resume;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector >= TRAP_FIRST_INTERRUPT)
		trap_interrupt(f);
	else if (f->vector == TRAP_NMI && handlers[TRAP_NMI] != NULL)
		handlers[TRAP_NMI](f);
	else if (!fix_up(f))
		exception_report(f);
}

/* Reads a word of one of this CPU's stacks. */
static bool stack_read(vaddr_t at, uint64_t *out)
{
	vaddr_t base, top;

	return at % sizeof(*out) == 0 && cpu_find_stack(arch_this_cpu(), at, &base, &top) &&
	       arch_probe_read((const void *)at, out);
}

/* True if the frame at `next` can be the caller's of the one at `frame`: further
 * up on the same stack, or on another one. */
static bool is_caller_frame(vaddr_t frame, vaddr_t next)
{
	vaddr_t base, top;

	if (!cpu_find_stack(arch_this_cpu(), frame, &base, &top))
		return false;
	return next > frame || next < base;
}

/* Each function's frame begins with its caller's frame pointer and the address
 * that it returns to. */
static void walk(vaddr_t frame, void (*visit)(vaddr_t pc), unsigned max)
{
	uint64_t next, pc;

	for (unsigned n = 0; n < max; n++) {
		if (!stack_read(frame, &next) || !stack_read(frame + sizeof(next), &pc) || pc == 0)
			return;
		visit(pc);
		if (!is_caller_frame(frame, next))
			return;
		frame = next;
	}
}

static bool in_text(vaddr_t va)
{
	return va >= (uintptr_t)text_start && va < (uintptr_t)text_end;
}

/* True if `pc` lies behind a direct call of the function that begins at `entry`. */
static bool follows_call(vaddr_t pc, vaddr_t entry)
{
	const uint8_t *end = (const uint8_t *)pc;

	if (!in_text(pc - CALL_SIZE) || !in_text(pc) || end[-CALL_SIZE] != CALL_OPCODE)
		return false;
	const uint32_t distance = (uint32_t)end[-4] | (uint32_t)end[-3] << 8 |
				  (uint32_t)end[-2] << 16 | (uint32_t)end[-1] << 24;
	return pc + (uint64_t)(int64_t)(int32_t)distance == entry;
}

/* The caller of the interrupted code where its frame does not tell: there is no
 * code, so a bad pointer was called; or the function works without a frame, or was
 * just entered. Then the address that it returns to is on top of the stack. */
static bool find_frameless(const struct trap_frame *f, uint64_t *caller)
{
	size_t offset, size;

	if (!stack_read(f->rsp, caller))
		return false;
	if (!in_text(f->rip))
		return true;
	return symbol_find(f->rip, &offset, &size) != NULL &&
	       follows_call(*caller, f->rip - offset);
}

void arch_backtrace(void (*visit)(vaddr_t pc), unsigned max)
{
	const struct trap_frame *f = arch_this_cpu()->arch.report;
	uint64_t caller;

	if (f == NULL) {
		walk((uintptr_t)__builtin_frame_address(0), visit, max);
		return;
	}
	if (max > 0 && find_frameless(f, &caller)) {
		visit(caller);
		max--;
	}
	walk(f->rbp, visit, max);
}
