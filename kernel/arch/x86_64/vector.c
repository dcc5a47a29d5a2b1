/* SPDX-License-Identifier: MIT */
#include "vector.h"
#include "cpu.h"
#include "feature.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/frame.h>
#include <core/quota.h>

/* Of the area (Intel SDM volume 1, table 10-2): what must not be zero after reset. */
#define AREA_FCW    0
#define AREA_MXCSR  24
#define FCW_RESET   0x37fu
#define MXCSR_RESET 0x1f80u

void vector_forbid(void)
{
	write_cr0(CPU_CR0 | CR0_TS);
	arch_cpu_own()->vector_off = true;
}

static void permit(struct arch_cpu *c)
{
	if (!c->vector_off)
		return;
	__asm__ volatile("clts");
	c->vector_off = false;
}

void vector_cpu_init(void)
{
	ASSERT(cpu_vector_size() <= FRAME_SIZE);
	vector_forbid();
}

/* The mask in EDX:EAX names all states; only those that XCR0 turned on count. */
void vector_save(struct arch_thread *t)
{
	if (cpu_has(FEATURE_XSAVEOPT))
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(t->vector), "a"(-1), "d"(-1) : "memory");
	else if (cpu_has(FEATURE_XSAVE))
		__asm__ volatile("xsave64 (%0)" : : "r"(t->vector), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(t->vector) : "memory");
}

void vector_load(struct arch_thread *t)
{
	struct arch_cpu *c = arch_cpu_own();
	uint32_t here = arch_this_cpu()->id + 1;

	permit(c);
	if (c->vector_owner == t && t->vector_cpu == here)
		return;
	c->vector_owner = t;
	t->vector_cpu = here;
	if (cpu_has(FEATURE_XSAVE))
		__asm__ volatile("xrstor64 (%0)" : : "r"(t->vector), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(t->vector) : "memory");
}

status_t vector_begin(struct arch_thread *t, struct quota *q)
{
	paddr_t pa;

	ASSERT(t->vector == NULL);
	if (!quota_frame_alloc(q, &pa))
		return ST_NO_MEMORY;
	uint8_t *area = arch_phys_to_virt(pa);
	*(uint16_t *)(void *)(area + AREA_FCW) = FCW_RESET;
	*(uint32_t *)(void *)(area + AREA_MXCSR) = MXCSR_RESET;
	t->vector = area;
	t->vector_cpu = 0;
	vector_load(t);
	return ST_OK;
}

void vector_end(struct arch_thread *t, struct quota *q)
{
	if (t->vector != NULL)
		quota_frame_free(q, arch_virt_to_phys(t->vector));
	t->vector = NULL;
}
