/* SPDX-License-Identifier: MIT */
/* Four CPUs at once on the same memory. What a page holds tells who wrote it: each CPU
 * has a word of its own in every page, and writes numbers there that say whose memory
 * it is and only grow. */
#include "chance.h"
#include "vm.h"
#include <test/test.h>

#define CPUS   4
#define PAGES  48
#define FIRST  0x40000000ull /* two mappings of the common object, */
#define SECOND 0x50000000ull
#define THIRD  0x60000000ull /* one that is revoked and made again, */
#define OWN    0x70000000ull /* one of an object of each CPU, */
#define VIEW   0x80000000ull /* and of a view that each makes */
#define RW     (MAP_READ | MAP_WRITE)

static cap_t space_cap, common, own[CPUS], third_cap;
static struct aspace *space;
static struct quota *quota;
static _Atomic uint64_t revocations; /* odd: the third mapping is not there */

struct worker {
	struct chance chance;
	unsigned id;
	uint64_t last[PAGES]; /* what it wrote to the common object; or 0, if it may be gone */
	uint64_t number;
	vaddr_t own;
};

static uint64_t below(struct worker *w, uint64_t n)
{
	return chance_below(&w->chance, n);
}

/* ---- words, through the translations of this CPU ---- */

/* An access ends before the CPU takes the next interrupt, as on a real one. */
static status_t word_at(vaddr_t va, unsigned access, unsigned word, _Atomic uint64_t **out)
{
	paddr_t pa;
	status_t st = vm_touch(space, va + 8 * word, access, &pa);

	if (st == ST_OK)
		*out = arch_phys_to_virt(pa);
	return st;
}

static status_t load(vaddr_t va, unsigned word, uint64_t *value)
{
	_Atomic uint64_t *at;
	status_t st = word_at(va, MAP_READ, word, &at);

	if (st == ST_OK)
		*value = atomic_load_explicit(at, memory_order_relaxed);
	return st;
}

static status_t store(vaddr_t va, unsigned word, uint64_t value)
{
	_Atomic uint64_t *at;
	status_t st = word_at(va, MAP_WRITE, word, &at);

	if (st == ST_OK)
		atomic_store_explicit(at, value, memory_order_relaxed);
	return st;
}

#define COMMON (1ull << 56) /* in every number that is written to the common object */

/* ---- what a CPU does; false: something is wrong ---- */

/* Its own word is what it wrote last, or 0 where pages were taken away since; seen through
 * either mapping. */
static bool write_and_read(struct worker *w)
{
	uint64_t page = below(w, PAGES), value;
	vaddr_t va = (below(w, 2) ? FIRST : SECOND) + page * PAGE;

	status_t st = load(va, w->id, &value);
	if (st == ST_OK && value != 0 && value != w->last[page])
		return false;
	st = store(va, w->id, COMMON | ++w->number);
	if (st == ST_OK)
		w->last[page] = COMMON | w->number;
	return st == ST_OK || va >= SECOND; /* that one comes and goes */
}

/* After a share the copy does not change, whatever is written to the original. */
static bool snapshot(struct worker *w)
{
	uint64_t page = below(w, PAGES - 8), seen[8][CPUS], value, done;
	struct vm_share s = { .to = own[w->id], .from = common, .from_page = page, .count = 8 };

	if (vm_share(&s, &done) != ST_OK)
		return false;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 8 * CPUS; i++) {
			unsigned p = i / CPUS, c = i % CPUS;

			if (load(w->own + p * PAGE, c, &value) != ST_OK)
				return false;
			if (round == 0)
				seen[p][c] = value;
			else if (value != seen[p][c])
				return false;
			if (value != 0 && !(value & COMMON))
				return false;
		}
		for (unsigned i = 0; i < 5 && round == 0; i++) {
			if (!write_and_read(w))
				return false;
		}
	}
	/* Writing to the copy does not reach the original. */
	for (unsigned i = 0; i < 8; i++) {
		if (store(w->own + i * PAGE, w->id, COMMON | 1ull << 55) != ST_OK)
			return false;
	}
	return vm_decommit(own[w->id], 0, 8) == ST_OK;
}

/* Frames that others gave back a moment ago are zeros, and stay so. */
static bool fresh_pages_are_zeros(struct worker *w)
{
	uint64_t value;

	if (vm_commit(own[w->id], 8, 8) != ST_OK)
		return false;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 8 * CPUS; i++) {
			if (load(w->own + (8 + i / CPUS) * PAGE, i % CPUS, &value) != ST_OK ||
			    value != 0)
				return false;
		}
		host_user_mode();
	}
	return vm_decommit(own[w->id], 8, 8) == ST_OK;
}

static bool take_pages_away(struct worker *w)
{
	uint64_t page = below(w, PAGES - 4);

	return vm_decommit(common, page, 1 + below(w, 4)) == ST_OK;
}

static bool change_the_second_mapping(struct worker *w)
{
	uint64_t page = below(w, PAGES - 8), count = 1 + below(w, 8);
	struct map_request r = {
		.va = SECOND + page * PAGE, .page = page, .count = count, .access = RW
	};
	status_t st;

	switch (below(w, 4)) {
	case 0:
		return vm_unmap(space_cap, r.va, count) == ST_OK;
	case 1:
		st = vm_protect(space_cap, r.va, count, MAP_READ);
		return st == ST_OK || st == ST_BAD_ADDRESS;
	case 2:
		st = vm_protect(space_cap, r.va, count, RW);
		return st == ST_OK || st == ST_BAD_ADDRESS;
	default:
		st = vm_map_at(space_cap, common, &r);
		return st == ST_OK || st == ST_EXISTS;
	}
}

/* Once a revoke has returned, nobody gets through. CPU 0 alone revokes and maps again. */
static bool revoke_the_third(struct worker *w)
{
	uint64_t before = atomic_load(&revocations), value;

	if (w->id == 0) {
		if (before % 2 == 0) {
			if (do_revoke(home, third_cap) != ST_OK)
				return false;
			atomic_fetch_add(&revocations, 1);
			return true;
		}
		atomic_fetch_add(&revocations, 1);
		return vm_map(space_cap, third_cap, THIRD, PAGES, RW) == ST_OK;
	}
	status_t st = load(THIRD + below(w, PAGES) * PAGE, w->id, &value);
	if (st == ST_OK && before % 2 == 1 && atomic_load(&revocations) == before)
		return false;
	return st == ST_OK || st == ST_BAD_ADDRESS;
}

/* A space of its own, that comes and goes. */
static bool visit_another_space(struct worker *w)
{
	cap_t other = vm_aspace(quota, ASPACE_PLAIN, CAP_NONE);
	uint64_t value;

	if (other == CAP_NONE || vm_map(other, common, FIRST, PAGES, RW) != ST_OK)
		return false;
	struct aspace *as = vm_space(other);
	for (unsigned i = 0; i < 4; i++) {
		if (vm_read(as, FIRST + below(w, PAGES) * PAGE + 8 * w->id, &value) != ST_OK)
			return false;
	}
	return do_destroy(&as->obj);
}

#define SEALED (1ull << 57) /* in every number in a sealed object */

/* Views of sealed objects that die; the others look in meanwhile. */
static bool show_a_view(struct worker *w)
{
	vaddr_t mine = VIEW + w->id * MIB(2), any = VIEW + below(w, CPUS) * MIB(2);
	cap_t sealed = vm_memory(quota, 16, MEMORY_ANON);
	uint64_t value;

	for (uint64_t p = 0; p < 16; p++) {
		if (vm_copy_in(sealed, p * PAGE, SEALED | p) != ST_OK)
			return false;
	}
	if (vm_seal(sealed) != ST_OK)
		return false;
	cap_t view = vm_view(quota, sealed);
	if (vm_map(space_cap, view, mine, 16, RW) != ST_OK)
		return false;
	for (uint64_t p = 0; p < 16; p += 2) {
		if (load(mine + p * PAGE, 0, &value) != ST_OK || value != (SEALED | p))
			return false;
	}
	status_t st = load(any + 3 * PAGE, 0, &value);
	if (st == ST_OK ? value != (SEALED | 3) : st != ST_BAD_ADDRESS && st != ST_PEER_GONE)
		return false;
	/* What this CPU has written is its own, and survives. */
	if (store(mine + 5 * PAGE, 0, SEALED | 5) != ST_OK ||
	    !do_destroy(&vm_object(sealed)->obj) || load(mine, 0, &value) != ST_PEER_GONE ||
	    load(mine + 5 * PAGE, 0, &value) != ST_OK || value != (SEALED | 5))
		return false;
	return do_destroy(&vm_object(view)->obj) && load(mine, 0, &value) == ST_BAD_ADDRESS;
}

static bool scan(struct worker *w)
{
	uint8_t use[PAGES];

	(void)w;
	return vm_scan(space_cap, FIRST, PAGES, use) == ST_OK;
}

typedef bool deed(struct worker *w);

static void race(unsigned id)
{
	static deed *const deeds[] = {
		write_and_read,
		write_and_read,
		write_and_read,
		write_and_read,
		snapshot,
		fresh_pages_are_zeros,
		take_pages_away,
		change_the_second_mapping,
		revoke_the_third,
		revoke_the_third,
		visit_another_space,
		show_a_view,
		scan,
	};
	struct worker w = { .chance = { test_seed() * 100 + id },
			    .id = id,
			    .own = OWN + id * MIB(2) };

	for (uint64_t i = 0; i < test_rounds(400); i++) {
		CHECK(deeds[below(&w, ARRAY_LEN(deeds))](&w));
		host_user_mode();
	}
}

static void check_translations(unsigned id)
{
	(void)id;
	CHECK(vm_tlb_ok(space));
}

TEST(vm_survives_races)
{
	vm_boot();
	quota = test_quota(quota_root, MIB(16), 0);
	space_cap = vm_aspace(quota, ASPACE_PLAIN, CAP_NONE);
	space = vm_space(space_cap);
	common = vm_memory(quota, PAGES, MEMORY_ANON);
	CHECK(do_derive(home, home, common, RIGHTS_ALL, 0, &third_cap) == ST_OK);
	CHECK(vm_map(space_cap, common, FIRST, PAGES, RW) == ST_OK);
	CHECK(vm_map(space_cap, common, SECOND, PAGES, RW) == ST_OK);
	CHECK(vm_map(space_cap, third_cap, THIRD, PAGES, RW) == ST_OK);
	for (unsigned i = 0; i < CPUS; i++) {
		own[i] = vm_memory(quota, 16, MEMORY_ANON);
		CHECK(vm_map(space_cap, own[i], OWN + i * MIB(2), 16, RW) == ST_OK);
	}
	host_cpus_run(CPUS, race);
	host_cpus_run(CPUS, check_translations);
	CHECK(vm_aspace_ok(space_cap) && vm_memory_ok(common));
	CHECK(cap_tree_ok(&vm_object(common)->obj));
	for (unsigned i = 0; i < CPUS; i++)
		CHECK(vm_memory_ok(own[i]) && vm_committed(vm_object(own[i])) == 0);
	CHECK(vm_payer_frames(quota) == vm_committed(vm_object(common)));
	CHECK(do_destroy(&quota->obj));
	CHECK(vm_payer_frames(quota) == 0);
}
