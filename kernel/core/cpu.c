/* SPDX-License-Identifier: MIT */
#include <core/cpu.h>
#include <core/assert.h>

struct cpu cpu_boot = { .self = &cpu_boot };
struct cpu *cpu_by_id[CPU_MAX] = { &cpu_boot };

static _Atomic cpumask_t online;
static _Atomic uint32_t count;

uint32_t cpu_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

cpumask_t cpu_online_mask(void)
{
	return atomic_load_explicit(&online, memory_order_acquire);
}

void cpu_set_online(struct cpu *c)
{
	cpumask_t bit = 1ull << c->id;

	ASSERT(c == arch_this_cpu() && c->id < CPU_MAX);
	cpu_by_id[c->id] = c;
	cpumask_t before = atomic_fetch_or(&online, bit);
	ASSERT(!(before & bit));
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

	/* A flush that did not see our bit had changed its tables before that, and
	 * we see them so from here on; what we cached earlier goes now. */
	arch_tlb_flush_tag(TLB_KERNEL);
}

void cpu_kick(uint32_t id)
{
	if (id != arch_this_cpu()->id)
		arch_cpu_kick(id);
}

void cpu_idle_loop(void)
{
	struct cpu *c = arch_this_cpu();

	for (;;) {
		/* Counted and marked: a grace period that began while this CPU was
		 * awake waits for the count, one that begins from now on looks at
		 * the mark. */
		cpu_leave_kernel(c);
		atomic_exchange(&c->idle, 1);
		arch_cpu_idle();
		cpu_leave_idle(c);
	}
}
