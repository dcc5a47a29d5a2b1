/* SPDX-License-Identifier: MIT */
#include "trap.h"
#include "boot.h"
#include "cpu.h"
#include "exception.h"
#include "probe.h"
#include "regs.h"
#include <core/assert.h>
#include <core/log.h>

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

#define GATE_INTERRUPT 0x8e /* present, for the kernel, interrupts go off */
#define STUB_SIZE      16   /* see trap.S */

extern char trap_stubs[], trap_stubs_end[];

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
			.type = GATE_INTERRUPT,
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

static void interrupt(struct trap_frame *f)
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

static bool fix_up(struct trap_frame *f)
{
	if (f->vector != TRAP_PAGE && f->vector != TRAP_PROTECTION && f->vector != TRAP_STACK)
		return false;
	for (const struct fixup *x = fixup_start; x != fixup_end; x++) {
		if (x->rip == f->rip) {
			f->rip = x->resume;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector >= TRAP_FIRST_INTERRUPT)
		interrupt(f);
	else if (f->vector == TRAP_NMI && handlers[TRAP_NMI] != NULL)
		handlers[TRAP_NMI](f);
	else if (!fix_up(f))
		exception_report(f);
}
