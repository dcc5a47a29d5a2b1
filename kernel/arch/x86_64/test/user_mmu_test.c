/* SPDX-License-Identifier: MIT */
/* Address spaces on the machine: what its own page walk and its TLBs make of them. */
#include "../mmu.h"
#include "../probe.h"
#include "../regs.h"
#include "smp_call.h"
#include <arch/arch.h>
#include <core/aspace.h>
#include <core/cap.h>
#include <core/memory.h>
#include <core/quota.h>
#include <test/test.h>

#define BASE       0x40000000ull
#define PAGES      16
#define RIGHTS_ALL ((rights_t)0xffff)
#define RW         (MAP_READ | MAP_WRITE)

static struct cspace *space; /* of the tests' capabilities */

/* One space and one object for a test, with capabilities to them. */
static struct {
	struct aspace *as, *half;
	struct memory *m;
	struct cap_ref to_as, to_half, to_m;
} t;

static bool take(struct object *o, struct cap_ref *ref)
{
	cap_t handle;

	return cap_insert(space, o, RIGHTS_ALL, 0, &handle) == ST_OK &&
	       cap_find(space, handle, OBJ_ANY, 0, ref) == ST_OK;
}

static bool make_memory(uint64_t pages, enum memory_kind kind)
{
	return memory_create(quota_root, pages, kind == MEMORY_BLOCK ? MEMORY_CONTIGUOUS : 0,
			     &t.m) == ST_OK &&
	       take(&t.m->obj, &t.to_m);
}

static bool begin(enum aspace_kind kind)
{
	if (space == NULL && cspace_create(quota_root, &space) != ST_OK)
		return false;
	t.half = NULL;
	if (kind == ASPACE_GUEST &&
	    (aspace_create(quota_root, ASPACE_PERSONALITY, NULL, &t.half) != ST_OK ||
	     !take(&t.half->obj, &t.to_half)))
		return false;
	return aspace_create(quota_root, kind, t.half != NULL ? &t.to_half : NULL, &t.as) ==
		       ST_OK &&
	       take(&t.as->obj, &t.to_as) && make_memory(PAGES, MEMORY_ANON);
}

static void destroy(struct object *o)
{
	spin_lock(&o->tree);
	uint64_t ticket = object_kill(o);
	spin_unlock(&o->tree);
	while (!object_destroy_some(ticket))
		;
}

static void end(void)
{
	destroy(&t.m->obj);
	destroy(&t.as->obj);
	if (t.half != NULL)
		destroy(&t.half->obj);
}

static status_t map(const struct cap_ref *as, vaddr_t va, uint64_t pages, unsigned access)
{
	struct map_request r = { .va = va, .page = 0, .count = pages, .access = access };

	return aspace_map(as, &t.to_m, &r);
}

static status_t protect(vaddr_t va, uint64_t pages, unsigned access)
{
	struct map_request r = { va, pages, access, 0 };

	return aspace_protect(&t.to_as, &r);
}

static status_t unmap(vaddr_t va, uint64_t pages)
{
	status_t st;

	do
		st = aspace_unmap(&t.to_as, va, pages);
	while (st == ST_LATER);
	return st;
}

/* The accesses that a user makes, with faults resolved as for one. */
static status_t write_word(vaddr_t va, uint64_t value)
{
	while (!arch_copy_to_user((void *)va, &value, sizeof(value))) {
		status_t st = aspace_fault(t.as, va, MAP_WRITE);
		if (st != ST_OK)
			return st;
		smp_spin(); /* who goes back to user mode is interrupted there */
	}
	return ST_OK;
}

static status_t read_word(vaddr_t va, uint64_t *value)
{
	while (!arch_copy_from_user(value, (void *)va, sizeof(*value))) {
		status_t st = aspace_fault(t.as, va, MAP_READ);
		if (st != ST_OK)
			return st;
		smp_spin();
	}
	return ST_OK;
}

/* What the processor would find: the entry for `va`, and the level (from 1) it is at; with
 * *forbids, whether an entry on the way forbids execution. */
static uint64_t entry_of(vaddr_t va, unsigned *level, bool *forbids)
{
	const uint64_t *table = arch_phys_to_virt(read_cr3() & MMU_ADDRESS);

	*forbids = false;
	for (*level = MMU_LEVELS;; --*level) {
		uint64_t e = table[mmu_index(va, *level)];

		*forbids |= (e & MMU_NO_EXEC) != 0;
		if (!(e & MMU_PRESENT) || *level == 1 || (e & MMU_LARGE))
			return e;
		table = arch_phys_to_virt(e & MMU_ADDRESS);
	}
}

TEST(user_pages_come_and_go)
{
	uint64_t value;
	unsigned level;
	bool forbids;

	CHECK(begin(ASPACE_PLAIN) && map(&t.to_as, BASE, PAGES, RW) == ST_OK);
	pagetable_load(&t.as->table, ROOT_MAIN);
	CHECK((read_cr3() & MMU_ADDRESS) == t.as->table.root[ROOT_MAIN].pa);
	for (uint64_t i = 0; i < PAGES; i++) {
		CHECK(read_word(BASE + i * FRAME_SIZE, &value) == ST_OK && value == 0);
		CHECK(write_word(BASE + i * FRAME_SIZE + 8, i) == ST_OK);
		CHECK(read_word(BASE + i * FRAME_SIZE + 8, &value) == ST_OK && value == i);
	}
	uint64_t e = entry_of(BASE, &level, &forbids);
	CHECK(level == 1 && forbids && (e & MMU_USER) && (e & MMU_WRITE) && (e & MMU_DIRTY));
	CHECK(!(e & (MMU_NO_CACHE | MMU_GLOBAL)));

	CHECK(protect(BASE, 4, MAP_READ) == ST_OK && write_word(BASE, 1) == ST_NO_RIGHT);
	CHECK(read_word(BASE + 8, &value) == ST_OK &&
	      write_word(BASE + 4 * FRAME_SIZE, 1) == ST_OK);
	CHECK(protect(BASE, 4, MAP_READ | MAP_EXEC) == ST_OK && read_word(BASE, &value) == ST_OK);
	CHECK(aspace_fault(t.as, BASE, MAP_EXEC) == ST_OK);
	e = entry_of(BASE, &level, &forbids);
	CHECK(!forbids && !(e & MMU_WRITE));
	CHECK(unmap(BASE, PAGES) == ST_OK && read_word(BASE, &value) == ST_BAD_ADDRESS);
	CHECK(entry_of(BASE, &level, &forbids) == 0 && level == MMU_LEVELS);
	end();
	CHECK((read_cr3() & MMU_ADDRESS) == mmu_kernel_root()); /* it was left in time */
}

TEST(user_roots_have_the_kernels_half)
{
	CHECK(begin(ASPACE_GUEST));
	const uint64_t *kernel = arch_phys_to_virt(mmu_kernel_root());
	for (unsigned which = 0; which < ROOTS; which++) {
		const uint64_t *root = arch_phys_to_virt(t.as->table.root[which].pa);

		for (unsigned i = MMU_ENTRIES / 2; i < MMU_ENTRIES; i++)
			CHECK(((root[i] ^ kernel[i]) & ~MMU_ACCESSED) == 0);
	}
	end();
}

TEST(user_guest_is_never_executed_by_its_personality)
{
	const unsigned rwx = RW | MAP_EXEC;
	uint64_t value;
	unsigned level;
	bool forbids;

	CHECK(begin(ASPACE_GUEST) && map(&t.to_as, BASE, PAGES, rwx) == ST_OK);
	CHECK(map(&t.to_half, ARCH_PERSONALITY, 1, MAP_READ | MAP_EXEC) == ST_OK);
	pagetable_load(&t.as->table, ROOT_GUEST);
	CHECK(write_word(BASE, 7) == ST_OK &&
	      aspace_fault(t.half, ARCH_PERSONALITY, MAP_EXEC) == ST_OK);
	CHECK(entry_of(BASE, &level, &forbids) & MMU_WRITE && !forbids);
	CHECK(!arch_copy_from_user(&value, (void *)ARCH_PERSONALITY, sizeof(value)));
	CHECK(!(entry_of(ARCH_PERSONALITY, &level, &forbids) & MMU_PRESENT) && level == MMU_LEVELS);

	pagetable_load(&t.as->table, ROOT_MAIN);
	CHECK(arch_copy_from_user(&value, (void *)BASE, sizeof(value)) && value == 7);
	CHECK(arch_copy_from_user(&value, (void *)ARCH_PERSONALITY, sizeof(value)) && value == 7);
	CHECK(entry_of(BASE, &level, &forbids) & MMU_WRITE && forbids);
	CHECK(entry_of(ARCH_PERSONALITY, &level, &forbids) & MMU_PRESENT && !forbids);
	end();
}

TEST(user_large_and_device_pages)
{
	struct memory *device;
	struct cap_ref to_device;
	uint64_t value;
	unsigned level;
	bool forbids;

	CHECK(begin(ASPACE_PLAIN));
	destroy(&t.m->obj);
	CHECK(make_memory(512, MEMORY_BLOCK) && map(&t.to_as, BASE, 512, RW) == ST_OK);
	pagetable_load(&t.as->table, ROOT_MAIN);
	CHECK(write_word(BASE + 300 * FRAME_SIZE, 5) == ST_OK);
	CHECK((entry_of(BASE, &level, &forbids) & MMU_LARGE) && level == 2);
	CHECK(unmap(BASE + 100 * FRAME_SIZE, 1) == ST_OK);
	CHECK(read_word(BASE + 100 * FRAME_SIZE, &value) == ST_BAD_ADDRESS);
	CHECK(read_word(BASE + 300 * FRAME_SIZE, &value) == ST_OK && value == 5);
	entry_of(BASE + 300 * FRAME_SIZE, &level, &forbids);
	CHECK(level == 1);

	/* Where no machine has RAM; the second page is the local APIC, which the kernel keeps. */
	CHECK(memory_create_device(quota_root, 0xfedff000, 2, &device) == ST_OK);
	CHECK(take(&device->obj, &to_device));
	struct map_request r = { .va = BASE + GIB(1), .page = 0, .count = 2, .access = MAP_READ };
	CHECK(aspace_map(&t.to_as, &to_device, &r) == ST_OK);
	CHECK(aspace_fault(t.as, r.va, MAP_READ) == ST_OK);
	CHECK(aspace_fault(t.as, r.va + FRAME_SIZE, MAP_READ) == ST_BAD_ADDRESS);
	uint64_t e = entry_of(r.va, &level, &forbids);
	CHECK((e & MMU_NO_CACHE) && (e & MMU_WRITE_THROUGH) && !(e & MMU_WRITE) && forbids);
	CHECK((e & MMU_ADDRESS) == 0xfedff000);
	end();
	destroy(&device->obj);
}

/* ---- other CPUs ---- */

static _Atomic uint64_t barrier;
static _Atomic uint32_t wrong;
static uint64_t rounds;

/* Everybody uses the pages; CPU 0 takes them away; nobody can use them then. */
static void use_and_lose(void *arg)
{
	bool first = arch_this_cpu()->id == 0;

	(void)arg;
	pagetable_load(&t.as->table, ROOT_MAIN);
	for (uint64_t n = 0; n < rounds; n++) {
		vaddr_t mine = BASE + arch_this_cpu()->id % PAGES * FRAME_SIZE;
		uint64_t value;

		if (first)
			wrong += map(&t.to_as, BASE, PAGES, RW) != ST_OK;
		smp_meet(&barrier, cpu_count());
		wrong += write_word(mine, n) != ST_OK || read_word(BASE, &value) != ST_OK;
		smp_meet(&barrier, cpu_count());
		if (first)
			wrong += n % 2 ? unmap(BASE, PAGES) != ST_OK
				       : protect(BASE, PAGES, MAP_READ) != ST_OK;
		smp_meet(&barrier, cpu_count());
		value = n;
		if (arch_copy_to_user((void *)mine, &value, sizeof(value)))
			wrong++;
		if (n % 2 && arch_copy_from_user(&value, (void *)BASE, sizeof(value)))
			wrong++;
		smp_meet(&barrier, cpu_count());
		if (first && n % 2 == 0)
			wrong += unmap(BASE, PAGES) != ST_OK;
	}
}

TEST(user_pages_are_lost_on_every_cpu)
{
	CHECK(begin(ASPACE_PLAIN));
	rounds = test_rounds(100) / cpu_count();
	atomic_store(&wrong, 0);
	smp_call(cpu_online_mask(), use_and_lose, NULL);
	CHECK(atomic_load(&wrong) == 0);
	end();
}

static void is_left(void *arg)
{
	(void)arg;
	if ((read_cr3() & MMU_ADDRESS) != mmu_kernel_root())
		atomic_fetch_add(&wrong, 1);
}

static void enter(void *arg)
{
	uint64_t value;

	(void)arg;
	pagetable_load(&t.as->table, ROOT_MAIN);
	if (read_word(BASE, &value) != ST_OK)
		atomic_fetch_add(&wrong, 1);
}

TEST(user_space_that_dies_is_left_by_every_cpu)
{
	CHECK(begin(ASPACE_PLAIN) && map(&t.to_as, BASE, PAGES, RW) == ST_OK);
	atomic_store(&wrong, 0);
	smp_call(cpu_online_mask(), enter, NULL);
	CHECK(atomic_load(&wrong) == 0);
	end();
	smp_call(cpu_online_mask(), is_left, NULL);
	CHECK(atomic_load(&wrong) == 0);
}
