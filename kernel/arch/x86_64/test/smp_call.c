/* SPDX-License-Identifier: MIT */
#include "smp_call.h"
#include "../irq.h"
#include <core/assert.h>
#include <core/tlb.h>
#include <dev/lapic.h>

static struct arch_irq source;
static _Atomic cpumask_t running;
static void (*function)(void *);
static void *argument;

static void on_call(struct arch_irq *s)
{
	(void)s;
	function(argument);
	atomic_fetch_and(&running, ~(1ull << arch_this_cpu()->id));
}

cpumask_t smp_others(void)
{
	return cpu_online_mask() & ~(1ull << arch_this_cpu()->id);
}

void smp_spin(void)
{
	tlb_serve();
	arch_cpu_relax();
}

void smp_call_begin(cpumask_t mask, void (*fn)(void *), void *arg)
{
	if (source.vector == 0)
		ASSERT(irq_alloc(&source, on_call));
	ASSERT(atomic_load(&running) == 0);
	function = fn;
	argument = arg;
	mask &= smp_others();
	atomic_store(&running, mask);
	for (; mask != 0; mask &= mask - 1)
		lapic_send(cpu_by_id[__builtin_ctzll(mask)]->arch.apic_id, source.vector);
}

void smp_call_end(void)
{
	while (atomic_load(&running) != 0)
		smp_spin();
}

void smp_call(cpumask_t mask, void (*fn)(void *), void *arg)
{
	smp_call_begin(mask, fn, arg);
	if (mask >> arch_this_cpu()->id & 1)
		fn(arg);
	smp_call_end();
}

void smp_meet(_Atomic uint64_t *barrier, uint32_t count)
{
	uint64_t mine = atomic_fetch_add(barrier, 1);
	uint64_t full = (mine / count + 1) * count;

	while (atomic_load(barrier) < full)
		smp_spin();
}
