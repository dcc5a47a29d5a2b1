/* SPDX-License-Identifier: MIT */
#include <core/cpu.h>
#include <core/boot.h>

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
	c->run.measured = boot_option("runs", NULL, 0);
	cpumask_t before = atomic_fetch_or(&online, bit);
	ASSERT(!(before & bit));
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

	/* A flush that did not see our bit had changed its tables before that, and
	 * we see them so from here on; what we cached earlier goes now. */
	arch_tlb_flush_tag(TLB_KERNEL);
}

void cpu_run_end(struct cpu *c)
{
	uint64_t begun = c->run.begun;

	c->run.begun = 0; /* the next entry may be one that is not measured: a short message */
	if (LIKELY(begun == 0) || arch_cycles() - begun <= c->run.longest)
		return;
	c->run.longest = arch_cycles() - begun;
	c->run.longest_what = c->run.what;
}

void cpu_resched(uint32_t id)
{
	struct cpu *self = arch_this_cpu();

	/* Whoever finds it set knows that the interrupt is on its way. */
	if (atomic_exchange(&cpu_by_id[id]->resched, true) || id == self->id)
		return;
	cpu_count_up(&self->counters.kicks);
	arch_cpu_kick(id);
}

void cpu_idle(bool halt)
{
	struct cpu *c = arch_this_cpu();

	cpu_run_end(c);
	cpu_leave_kernel(c);
	atomic_exchange(&c->idle, 1);
	if (halt)
		arch_cpu_idle();
	else
		arch_cpu_interrupts();
	cpu_leave_idle(c);
}
