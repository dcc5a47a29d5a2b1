/* SPDX-License-Identifier: MIT */
#include <arch/host/host.h>
#include <stddef.h>
#include <stdlib.h>
#include <test/test.h>

static _Atomic cpumask_t seen;

static void enter(unsigned id)
{
	CHECK(arch_this_cpu()->id == id);
	CHECK(arch_this_cpu() == cpu_by_id[id] && cpu_by_id[id]->self == cpu_by_id[id]);
	CHECK(!arch_this_cpu()->idle);
	seen |= 1ull << id;
}

TEST(cpu_each_has_its_own_structure)
{
	CHECK(cpu_count() == 0 && cpu_online_mask() == 0);
	cpu_set_online(&cpu_boot);
	CHECK(cpu_count() == 1 && cpu_online_mask() == 1);
	host_cpus_run(5, enter);
	CHECK(seen == 0x1f);
	CHECK(cpu_count() == 5 && cpu_online_mask() == 0x1f);
}

TEST(cpu_sits_idle_between_work)
{
	cpu_set_online(&cpu_boot);
	host_cpus_run(2, enter);
	while (!cpu_by_id[1]->idle)
		arch_cpu_relax();
	uint64_t exits = cpu_by_id[1]->kernel_exits;
	CHECK(exits > 0);
	host_cpus_run(2, enter);
	while (!cpu_by_id[1]->idle)
		arch_cpu_relax();
	CHECK(cpu_by_id[1]->kernel_exits > exits);
}

/* Until it is online a CPU is not told of flushes; it makes up for them. */
TEST(cpu_forgets_kernel_translations_when_it_comes_online)
{
	paddr_t pa, frame;

	host_boot_usual();
	vaddr_t va = HOST_WINDOW_FREE;
	CHECK(frame_alloc(0, FRAME_ANY, &frame));
	CHECK(arch_kernel_map(va, frame, FRAME_SIZE, ARCH_WRITE) == ST_OK);

	struct cpu *late = aligned_alloc(_Alignof(struct cpu), sizeof(*late));
	*late = (struct cpu){ .self = late, .id = 1, .arch = cpu_boot.arch };
	static _Atomic uint64_t tlb[HOST_TLB_ENTRIES];
	late->arch.tlb = tlb;
	host_this_cpu = late;
	CHECK(host_access(TLB_KERNEL, va, true, &pa) && pa == frame);
	host_this_cpu = &cpu_boot;
	arch_kernel_unmap(va, FRAME_SIZE);
	struct tlb_batch b;
	b = (struct tlb_batch){ .tag = TLB_KERNEL };
	tlb_batch_add(&b, va, FRAME_SIZE);
	tlb_flush(&b, UINT64_MAX);

	host_this_cpu = late;
	CHECK(host_access(TLB_KERNEL, va, true, &pa)); /* else this shows nothing */
	cpu_set_online(late);
	CHECK(!host_access(TLB_KERNEL, va, true, &pa));
}

/* What others write is not on the cache lines that this CPU uses all the time. */
TEST(cpu_mailbox_has_its_own_cache_lines)
{
	size_t inbox = offsetof(struct cpu, tlb.inbox) / 64;
	size_t waiting = offsetof(struct cpu, tlb.waiting) / 64;
	size_t served = offsetof(struct cpu, tlb.served) / 64;

	CHECK(_Alignof(struct cpu) >= 64);
	CHECK(offsetof(struct cpu, frames[FRAME_ZONES]) <= inbox * 64);
	CHECK(inbox < waiting && waiting < served);
	CHECK(offsetof(struct cpu, locks_held) / 64 > served);
}
