/* SPDX-License-Identifier: MIT */
#include "../firmware.h"
#include "../irq.h"
#include "../mmu.h"
#include "../regs.h"
#include "smp_call.h"
#include <arch/arch.h>
#include <core/frame.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <core/tlb.h>
#include <dev/lapic.h>
#include <test/test.h>

#define EXCLUSION_NS 500000000ull

/* What each CPU says about itself. */
static struct seen {
	_Atomic uint32_t calls;
	uint32_t id, apic_id;
	uintptr_t stack;
	uint64_t root;
	bool idle; /* counts as outside the kernel, see grace.h */
} seen[CPU_MAX];

static void look(void *arg)
{
	struct seen *s = &seen[arch_this_cpu()->id];

	(void)arg;
	s->id = arch_this_cpu()->id;
	s->apic_id = lapic_id();
	s->stack = (uintptr_t)__builtin_frame_address(0);
	s->root = read_cr3() & MMU_ADDRESS;
	s->idle = atomic_load(&arch_this_cpu()->idle);
	atomic_fetch_add(&s->calls, 1);
}

TEST(smp_every_listed_cpu_runs)
{
	uint32_t listed = firmware.cpu_count;

	CHECK(cpu_count() == listed);
	CHECK(cpu_online_mask() == (listed == 64 ? ~0ull : (1ull << listed) - 1));
	for (uint32_t i = 0; i < listed; i++)
		atomic_store(&seen[i].calls, 0);
	smp_call(cpu_online_mask(), look, NULL);
	smp_call(smp_others(), look, NULL);
	for (uint32_t i = 0; i < listed; i++) {
		CHECK(atomic_load(&seen[i].calls) == (i == 0 ? 1 : 2));
		CHECK(seen[i].id == i && seen[i].apic_id == cpu_by_id[i]->arch.apic_id);
		CHECK(cpu_by_id[i]->self == cpu_by_id[i]);
		CHECK(seen[i].root == mmu_kernel_root());
		CHECK(!seen[i].idle);
		for (uint32_t j = 0; j < i; j++) {
			CHECK(seen[j].apic_id != seen[i].apic_id);
			CHECK(seen[j].stack / KIB(16) != seen[i].stack / KIB(16));
		}
	}
}

static bool is_mapped(vaddr_t va)
{
	paddr_t table = mmu_kernel_root();

	for (unsigned level = MMU_LEVELS;; level--) {
		uint64_t e = ((const uint64_t *)arch_phys_to_virt(table))[mmu_index(va, level)];

		if (!(e & MMU_PRESENT))
			return false;
		if (level == 1 || (e & MMU_LARGE))
			return true;
		table = e & MMU_ADDRESS;
	}
}

/* The page that the CPUs started in is below 1 MiB. */
TEST(smp_start_leaves_no_low_mapping)
{
	for (vaddr_t va = 0; va < MIB(1); va += FRAME_SIZE)
		CHECK(!is_mapped(va));
	CHECK(is_mapped((vaddr_t)&is_mapped));
}

static uint64_t kicks_of(uint32_t cpu)
{
	return atomic_load(&irq_counts(cpu)->kicks);
}

static void kick_next(void *arg)
{
	(void)arg;
	arch_cpu_kick((arch_this_cpu()->id + 1) % cpu_count());
}

TEST(smp_kick_arrives)
{
	uint64_t before[CPU_MAX];

	if (cpu_count() == 1)
		SKIP("needs two CPUs");
	for (uint32_t i = 0; i < cpu_count(); i++)
		before[i] = kicks_of(i);
	for (uint32_t i = 1; i < cpu_count(); i++) {
		arch_cpu_kick(i);
		while (kicks_of(i) == before[i])
			smp_spin();
	}
	smp_call(cpu_online_mask(), kick_next, NULL);
	while (kicks_of(0) == before[0])
		arch_cpu_idle(); /* from the last CPU */
	for (uint32_t i = 1; i < cpu_count(); i++) {
		while (kicks_of(i) != before[i] + 2)
			smp_spin();
	}
	CHECK(kicks_of(0) == before[0] + 1);
}

static struct {
	struct spinlock lock;
	uint64_t a, b; /* equal, but for who holds the lock */
	uint64_t rounds, end;
	_Atomic uint64_t begun, taken;
	_Atomic uint32_t broken;
} shared;

/* The lock goes round from CPU to CPU. Where the host has fewer processors than
 * we have CPUs each step may take it milliseconds, so time ends the test as well. */
static void count_up(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	smp_meet(&shared.begun, cpu_count());
	for (; n < shared.rounds && time_now() < shared.end; n++) {
		spin_lock(&shared.lock);
		if (shared.a != shared.b)
			atomic_store(&shared.broken, 1);
		shared.a++;
		__asm__ volatile("" ::: "memory");
		shared.b++;
		spin_unlock(&shared.lock);
	}
	atomic_fetch_add(&shared.taken, n);
}

TEST(smp_spin_lock_excludes)
{
	spin_init(&shared.lock, LOCK_IPC);
	shared.a = shared.b = 0;
	shared.rounds = test_rounds(2000);
	shared.end = time_now() + test_rounds(EXCLUSION_NS);
	atomic_store(&shared.taken, 0);
	atomic_store(&shared.broken, 0);
	smp_call(cpu_online_mask(), count_up, NULL);
	CHECK(atomic_load(&shared.broken) == 0);
	CHECK(atomic_load(&shared.taken) > 0);
	CHECK(shared.a == atomic_load(&shared.taken) && shared.b == shared.a);
}
