/* SPDX-License-Identifier: MIT */
#include "vector.h"
#include "cpu.h"
#include "feature.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/frame.h>
#include <core/quota.h>

/* An area with the registers as after reset, as XSAVE and FXSAVE lay them out (Intel SDM volume 1,
 * table 10-2): zeros but for two, and no state that is said to be there. */
static const ALIGNED(64) struct {
	uint16_t fcw;
	uint16_t zero[11];
	uint32_t mxcsr;
	uint8_t zeros[FRAME_SIZE - 28];
} initial = { .fcw = 0x37f, .mxcsr = 0x1f80 };

/* The mask in EDX:EAX names all states; only those that XCR0 turned on count. */
static void load(const void *area)
{
	if (cpu_has(FEATURE_XSAVE))
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void vector_forbid(void)
{
	struct arch_cpu *c = arch_cpu_own();

	load(&initial);
	c->vector_owner = NULL;
	c->vector_off = true;
	c->slow_switch = cpu_lacks_fsgsbase;
	write_cr0(CPU_CR0 | CR0_TS);
}

static void permit(struct arch_cpu *c)
{
	if (!c->vector_off)
		return;
	__asm__ volatile("clts");
	c->vector_off = false;
	c->slow_switch = 1;
}

void vector_cpu_init(void)
{
	ASSERT(cpu_vector_size() <= FRAME_SIZE);
	vector_forbid();
}

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
	load(t->vector);
}

status_t vector_begin(struct arch_thread *t, struct quota *q)
{
	paddr_t pa;

	ASSERT(t->vector == NULL);
	if (!quota_frame_alloc(q, &pa))
		return ST_NO_MEMORY;
	t->vector = arch_phys_to_virt(pa);
	__builtin_memcpy(t->vector, &initial, sizeof(initial));
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
