/* SPDX-License-Identifier: MIT */
#include "vm.h"
#include <pte.h>
#include <test/test.h>

#define BASE 0x40000000ull
#define RW   (MAP_READ | MAP_WRITE)
#define RX   (MAP_READ | MAP_EXEC)
#define RWX  (MAP_READ | MAP_WRITE | MAP_EXEC)

static bool all_ok(cap_t aspace, cap_t memory)
{
	return vm_aspace_ok(aspace) && vm_memory_ok(memory) && vm_tlb_ok(vm_space(aspace));
}

/* ---- map ---- */

TEST(map_checks_its_arguments)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t device, slice;

	CHECK(vm_map(as, m, BASE, 0, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE + 1, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, 0, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, ASPACE_FIRST - PAGE, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, ARCH_USER_END, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, ARCH_USER_END - PAGE, 2, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, 0 - PAGE, 2, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE, UINT64_MAX / PAGE, RW) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE, 21, RW) == ST_BAD_ARG);
	struct map_request r = { .va = BASE, .page = 20, .count = 1, .access = RW };
	CHECK(vm_map_at(as, m, &r) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE, 1, 8) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE, 1, MAP_WRITE) == ST_BAD_ARG);
	CHECK(vm_map(as, m, BASE, 1, RWX) == ST_BAD_ARG); /* not in a plain space */
	CHECK(do_derive(home, home, m, RIGHTS_ALL, CAP_RANGE(5, 3), &slice) == ST_OK);
	r = (struct map_request){ .va = BASE, .page = 1, .count = 3, .access = RW };
	CHECK(vm_map_at(as, slice, &r) == ST_BAD_ARG);

	struct memory *d;
	CHECK(memory_create_device(quota_root, GIB(200), 16, &d) == ST_OK);
	CHECK(cap_insert(home, &d->obj, RIGHTS_ALL, 0, &device) == ST_OK);
	CHECK(vm_map(as, device, BASE, 1, RX) == ST_BAD_ARG);
	CHECK(vm_mapped(vm_space(as)) == 0 && tree_first(&vm_object(m)->mappings) == NULL);

	CHECK(vm_map(as, m, BASE, 20, RW) == ST_OK);
	CHECK(vm_map(as, m, BASE, 1, RW) == ST_EXISTS &&
	      vm_map(as, m, BASE + 19 * PAGE, 1, RW) == ST_EXISTS);
	CHECK(vm_map(as, m, BASE - PAGE, 2, RW) == ST_EXISTS);
	CHECK(vm_map(as, m, BASE - PAGE, 1, RW) == ST_OK &&
	      vm_map(as, m, BASE + 20 * PAGE, 1, 0) == ST_OK);
	CHECK(vm_mapped(vm_space(as)) == 22 && all_ok(as, m));
}

/* The shared-page rule: what the rights of the capability don't allow, no mapping does. */
TEST(map_obeys_the_rights_of_the_capability)
{
	static const struct {
		rights_t rights;
		unsigned access;
		status_t st;
	} want[] = {
		{ RIGHT_MAP | RIGHT_READ, MAP_READ, ST_OK },
		{ RIGHT_MAP | RIGHT_READ, RW, ST_NO_RIGHT },
		{ RIGHT_MAP | RIGHT_READ, RX, ST_NO_RIGHT },
		{ RIGHT_MAP | RIGHT_READ | RIGHT_WRITE, RW, ST_OK },
		{ RIGHT_MAP | RIGHT_READ | RIGHT_EXEC, RX, ST_OK },
		{ RIGHT_MAP | RIGHT_READ | RIGHT_EXEC, RW, ST_NO_RIGHT },
		{ RIGHT_MAP | RIGHT_WRITE, MAP_READ, ST_NO_RIGHT },
		{ RIGHT_READ | RIGHT_WRITE, MAP_READ, ST_NO_RIGHT },
	};
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 1, MEMORY_ANON);
	CHECK(vm_copy_in(m, 0, 5) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		vaddr_t va = BASE + i * 2 * PAGE;
		cap_t less;

		CHECK(do_derive(home, home, m, want[i].rights, 0, &less) == ST_OK);
		CHECK(vm_map(as, less, va, 1, want[i].access) == want[i].st);
		if (want[i].st != ST_OK)
			continue;
		CHECK(vm_read(vm_space(as), va, &value) == ST_OK && value == 5);
		status_t st = vm_write(vm_space(as), va, 5);
		CHECK(st == (want[i].access & MAP_WRITE ? ST_OK : ST_NO_RIGHT));
		st = vm_touch(vm_space(as), va, MAP_EXEC, &value);
		CHECK(st == (want[i].access & MAP_EXEC ? ST_OK : ST_NO_RIGHT));
		/* Nor does a later change of access. */
		st = vm_protect(as, va, 1, RW);
		CHECK(st == (want[i].rights & RIGHT_WRITE ? ST_OK : ST_NO_RIGHT));
	}
	CHECK(all_ok(as, m));
}

TEST(map_shows_the_pages_asked_for)
{
	uint64_t value;
	cap_t slice;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 100, MEMORY_ANON);
	for (uint64_t p = 0; p < 100; p++)
		CHECK(vm_copy_in(m, p * PAGE, p) == ST_OK);
	CHECK(do_derive(home, home, m, RIGHTS_ALL, CAP_RANGE(50, 30), &slice) == ST_OK);
	struct map_request r = { .va = BASE, .page = 10, .count = 20, .access = RW };
	CHECK(vm_map_at(as, slice, &r) == ST_OK);
	for (uint64_t i = 0; i < 20; i++)
		CHECK(vm_read(vm_space(as), BASE + i * PAGE, &value) == ST_OK && value == 60 + i);
	CHECK(vm_read(vm_space(as), BASE + 20 * PAGE, &value) == ST_BAD_ADDRESS);
	CHECK(vm_read(vm_space(as), BASE - 8, &value) == ST_BAD_ADDRESS);
	CHECK(vm_write(vm_space(as), BASE + 8, 7) == ST_OK);
	CHECK(vm_copy_out(m, 60 * PAGE + 8, &value) == ST_OK && value == 7 && all_ok(as, m));
}

TEST(map_and_unmap_leave_no_trace)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(2), 0);
	cap_t as = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 2000, MEMORY_ANON);
	uint64_t before = used_after_all(q);

	CHECK(before == 2 * PAGE); /* the page of the object, the root */
	for (unsigned round = 0; round < 3; round++) {
		vaddr_t va = BASE + round * GIB(64) + PAGE;

		CHECK(vm_map(as, m, va, 1500, RW) == ST_OK);
		for (uint64_t p = 0; p < 1500; p += 7)
			CHECK(vm_write(vm_space(as), va + p * PAGE, p) == ST_OK);
		CHECK(vm_table_frames(vm_space(as)) == 1 + 1 + 1 + 3);
		CHECK(all_ok(as, m));
		CHECK(vm_unmap(as, va, 1500) == ST_OK && vm_table_frames(vm_space(as)) == 1);
		CHECK(used_after_all(q) == before && all_ok(as, m));
	}
	CHECK(do_destroy(&vm_space(as)->obj) && used_after_all(q) == 0);
}

TEST(tables_go_when_the_last_mapping_under_them_does)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 2000, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	/* Two neighbours in one lowest table, one in another. */
	CHECK(vm_map(as, m, BASE, 10, RW) == ST_OK &&
	      vm_map(as, m, BASE + 10 * PAGE, 10, RW) == ST_OK);
	CHECK(vm_map(as, m, BASE + MIB(2), 10, RW) == ST_OK);
	CHECK(vm_write(space, BASE, 1) == ST_OK && vm_write(space, BASE + 10 * PAGE, 1) == ST_OK);
	CHECK(vm_write(space, BASE + MIB(2), 1) == ST_OK && vm_table_frames(space) == 5);
	CHECK(vm_unmap(as, BASE, 10) == ST_OK && vm_table_frames(space) == 5);
	CHECK(vm_unmap(as, BASE + 10 * PAGE, 10) == ST_OK && vm_table_frames(space) == 4);
	CHECK(vm_unmap(as, BASE + MIB(2) + PAGE, 9) == ST_OK && vm_table_frames(space) == 4);
	CHECK(vm_unmap(as, 0x10000, (ARCH_USER_END - 0x10000) / PAGE) == ST_OK);
	CHECK(vm_table_frames(space) == 1 && all_ok(as, m));
}

TEST(map_undoes_every_partial_failure)
{
	unsigned failed = 0;
	bool reached = true;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	for (int step = 0; reached; step++) {
		cap_t as = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
		uint64_t before = used_after_all(q);

		host_fail_step(step);
		status_t st = vm_map(as, m, BASE, 20, RW);
		if (st == ST_OK)
			st = vm_unmap(as, BASE + 5 * PAGE, 1); /* splits */
		reached = host_steps_left < 0;
		host_fail_step(-1);
		CHECK(st == ST_OK || st == ST_NO_MEMORY);
		failed += st != ST_OK;
		CHECK(vm_mapped(vm_space(as)) == (st == ST_OK                  ? 19
						  : vm_space(as)->regions.root ? 20
									       : 0));
		CHECK(all_ok(as, m) && cap_tree_ok(&vm_object(m)->obj));
		CHECK(vm_unmap(as, BASE, 20) == ST_OK && used_after_all(q) == before);
		CHECK(do_destroy(&vm_space(as)->obj) && used_after_all(q) == 0);
	}
	CHECK(failed >= 3); /* the mapping, and two to split it */
}

TEST(aspace_create_undoes_every_partial_failure)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);

	for (enum aspace_kind kind = ASPACE_PLAIN; kind <= ASPACE_GUEST; kind++) {
		unsigned failed = 0;
		bool reached = true;

		for (int step = 0; reached; step++) {
			host_fail_step(step);
			cap_t as = vm_aspace(q, kind, kind == ASPACE_GUEST ? half : CAP_NONE);
			reached = host_steps_left < 0;
			host_fail_step(-1);
			failed += as == CAP_NONE;
			CHECK(as != CAP_NONE || vm_status == ST_NO_MEMORY);
			CHECK(as == CAP_NONE ||
			      vm_table_frames(vm_space(as)) == (kind == ASPACE_PLAIN ? 1 : 2));
			CHECK(as == CAP_NONE || do_destroy(&vm_space(as)->obj));
			CHECK(used_after_all(q) == 0 && cap_tree_ok(&vm_space(half)->obj));
		}
		CHECK(failed >= (kind == ASPACE_PLAIN ? 3 : 5)); /* two for each table */
	}
	CHECK(vm_aspace(q, ASPACE_GUEST, CAP_NONE) == CAP_NONE && vm_status == ST_BAD_ARG);
	CHECK(vm_aspace(q, ASPACE_PLAIN, half) == CAP_NONE && vm_status == ST_BAD_ARG);
	cap_t plain = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	CHECK(vm_aspace(q, ASPACE_GUEST, plain) == CAP_NONE && vm_status == ST_BAD_ARG);
	CHECK(used_after_all(q) == 0);
}

/* ---- faults ---- */

TEST(faults_zero_on_demand)
{
	uint64_t value;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(q, 5, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	uint64_t before = q->used;

	CHECK(vm_map(as, m, BASE, 5, RW) == ST_OK && vm_map(as, m, BASE + MIB(4), 5, RW) == ST_OK);
	CHECK(vm_read(space, BASE, &value) == ST_OK && value == 0);
	CHECK(vm_read(space, BASE + MIB(4), &value) == ST_OK && value == 0);
	CHECK(q->used == before &&
	      vm_committed(vm_object(m)) == 0); /* a reader costs nobody anything */
	CHECK(vm_write(space, BASE, 3) == ST_OK && q->used == before + PAGE);
	/* The other mapping showed the page of zeros; it does no more. */
	CHECK(vm_read(space, BASE + MIB(4), &value) == ST_OK && value == 3);
	CHECK(vm_write(space, BASE + MIB(4) + 8, 4) == ST_OK && q->used == before + PAGE);
	CHECK(vm_read(space, BASE + 8, &value) == ST_OK && value == 4);
	CHECK(all_ok(as, m));
}

TEST(faults_copy_on_write)
{
	uint64_t value, done;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t a = vm_memory(quota_root, 100, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 100, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, a, BASE, 100, RW) == ST_OK &&
	      vm_map(as, a, BASE + MIB(8), 100, RW) == ST_OK);
	CHECK(vm_map(as, b, BASE + MIB(16), 100, RW) == ST_OK);
	for (uint64_t p = 0; p < 100; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(vm_read(space, BASE + MIB(8), &value) == ST_OK);
	CHECK(vm_read(space, BASE + MIB(16), &value) == ST_OK && value == 0); /* zeros are mapped */
	struct vm_share s = { .to = b, .from = a, .count = 100 };
	CHECK(vm_share(&s, &done) == ST_OK && all_ok(as, a) && all_ok(as, b));
	CHECK(vm_read(space, BASE + MIB(16), &value) == ST_OK && value == 0);
	CHECK(vm_read(space, BASE + MIB(16) + PAGE, &value) == ST_OK && value == 1);
	/* Each writes: none sees the other's; both mappings of one object see the same. */
	for (uint64_t p = 0; p < 100; p++) {
		CHECK(vm_write(space, BASE + p * PAGE, 1000 + p) == ST_OK);
		CHECK(vm_write(space, BASE + MIB(16) + p * PAGE, 2000 + p) == ST_OK);
		CHECK(vm_read(space, BASE + MIB(8) + p * PAGE, &value) == ST_OK &&
		      value == 1000 + p);
		CHECK(vm_read(space, BASE + p * PAGE, &value) == ST_OK && value == 1000 + p);
	}
	CHECK(all_ok(as, a) && all_ok(as, b));
}

TEST(faults_tell_why)
{
	uint64_t value, done;

	vm_boot();
	struct quota *q = test_quota(quota_root, 3 * PAGE, 0);
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t a = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t b = vm_memory(q, 5, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, a, BASE, 5, RX) == ST_OK && vm_map(as, b, BASE + MIB(2), 5, RW) == ST_OK);
	CHECK(vm_map(as, a, BASE + MIB(4), 5, 0) == ST_OK);
	CHECK(vm_write(space, BASE, 1) == ST_NO_RIGHT);
	CHECK(vm_touch(space, BASE + MIB(2), MAP_EXEC, &value) == ST_NO_RIGHT);
	CHECK(vm_read(space, BASE + MIB(4), &value) == ST_NO_RIGHT);
	CHECK(vm_read(space, 0, &value) == ST_BAD_ADDRESS);
	CHECK(vm_read(space, UINT64_MAX, &value) == ST_BAD_ADDRESS);
	CHECK(vm_write(space, BASE + MIB(2), 1) == ST_OK &&
	      vm_write(space, BASE + MIB(2) + PAGE, 1) == ST_OK);
	CHECK(vm_write(space, BASE + MIB(2) + 2 * PAGE, 1) == ST_NO_MEMORY);
	CHECK(vm_read(space, BASE + MIB(2) + 2 * PAGE, &value) == ST_OK && value == 0);
	struct vm_share s = { .to = a, .to_page = 10, .from = b, .count = 1, .read_only = true };
	CHECK(vm_share(&s, &done) == ST_OK);
	struct map_request r = { .va = BASE + MIB(6), .page = 10, .count = 1, .access = RW };
	CHECK(vm_map_at(as, a, &r) == ST_OK && vm_write(space, BASE + MIB(6), 1) == ST_NO_RIGHT);
	CHECK(vm_read(space, BASE + MIB(6), &value) == ST_OK && value == 1);
	CHECK(all_ok(as, a) && all_ok(as, b));
}

/* ---- unmap, protect, scan ---- */

TEST(unmap_splits_at_its_ends)
{
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 60, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_unmap(as, BASE, 0) == ST_BAD_ARG && vm_unmap(as, BASE + 1, 1) == ST_BAD_ARG);
	CHECK(vm_unmap(as, ARCH_USER_END, 1) == ST_BAD_ARG && vm_unmap(as, BASE, 1) == ST_OK);
	CHECK(vm_map(as, m, BASE, 30, RW) == ST_OK);
	struct map_request r = { .va = BASE + 30 * PAGE, .page = 30, .count = 30, .access = RW };
	CHECK(vm_map_at(as, m, &r) == ST_OK);
	for (uint64_t p = 0; p < 60; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(vm_unmap(as, BASE + 10 * PAGE, 5) == ST_OK);  /* the middle of one */
	CHECK(vm_unmap(as, BASE + 25 * PAGE, 10) == ST_OK); /* over the seam */
	CHECK(vm_unmap(as, BASE, 1) == ST_OK && vm_unmap(as, BASE + 59 * PAGE, 9) == ST_OK);
	CHECK(vm_mapped(space) == 60 - 17 && all_ok(as, m) && cap_tree_ok(&vm_object(m)->obj));
	for (uint64_t p = 0; p < 60; p++) {
		bool gone = p == 0 || (p >= 10 && p < 15) || (p >= 25 && p < 35) || p == 59;
		CHECK(vm_read(space, BASE + p * PAGE, &value) == (gone ? ST_BAD_ADDRESS : ST_OK));
		CHECK(gone || value == p);
	}
	CHECK(do_revoke(home, m) == ST_OK && vm_mapped(space) == 0 && all_ok(as, m));
	CHECK(vm_table_frames(space) == 1);
}

TEST(unmap_goes_on_where_it_stopped)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 5000, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	struct cap_ref by;
	unsigned calls = 1;

	CHECK(vm_map(as, m, BASE, 5000, RW) == ST_OK);
	for (uint64_t p = 0; p < 5000; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(cap_find(home, as, OBJ_ASPACE, 0, &by) == ST_OK);
	while (aspace_unmap(&by, BASE, 5000) == ST_LATER) {
		CHECK(all_ok(as, m));
		calls++;
	}
	CHECK(calls >= 4 && calls < 50);
	CHECK(vm_mapped(space) == 0 && vm_table_frames(space) == 1);
	/* One that is far and empty is no work. */
	CHECK(vm_map(as, m, BASE, 5000, RW) == ST_OK && aspace_unmap(&by, BASE, 5000) == ST_OK);
}

/* What is on its way goes whole, whoever comes by. */
TEST(unmap_is_finished_by_the_next_one)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 5000, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	struct cap_ref by;

	CHECK(vm_map(as, m, BASE, 5000, RW) == ST_OK);
	for (uint64_t p = 0; p < 5000; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(cap_find(home, as, OBJ_ASPACE, 0, &by) == ST_OK);
	CHECK(aspace_unmap(&by, BASE + 10 * PAGE, 4980) == ST_LATER && all_ok(as, m));
	CHECK(vm_map(as, m, BASE + 10 * PAGE, 1, RW) == ST_EXISTS);
	CHECK(vm_protect(as, BASE + 4000 * PAGE, 1, MAP_READ) == ST_BAD_ADDRESS);
	CHECK(vm_unmap(as, BASE + 4000 * PAGE, 1) == ST_OK && vm_mapped(space) == 20);
	CHECK(vm_unmap(as, BASE, 10) == ST_OK && vm_table_frames(space) == 4);
	CHECK(vm_unmap(as, BASE + 4990 * PAGE, 10) == ST_OK && vm_table_frames(space) == 1);
	CHECK(vm_object(m)->writers == 0 && all_ok(as, m));
}

/* Tables go with the last mapping under them, whatever order its neighbours end in. */
TEST(tables_go_though_a_neighbour_is_on_its_way)
{
	struct cap_ref by;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(2), 0);
	cap_t as = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 2000, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 10, RW) == ST_OK && vm_write(space, BASE, 1) == ST_OK);
	CHECK(vm_map(as, m, BASE + 10 * PAGE, 1500, RW) == ST_OK);
	for (uint64_t p = 10; p < 1510; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(cap_find(home, as, OBJ_ASPACE, 0, &by) == ST_OK);
	for (unsigned i = 0; i < 3; i++)
		CHECK(aspace_unmap(&by, BASE + 10 * PAGE, 1500) == ST_LATER);
	CHECK(vm_unmap(as, BASE, 10) == ST_OK && all_ok(as, m));
	CHECK(vm_unmap(as, BASE + 10 * PAGE, 1500) == ST_OK && vm_table_frames(space) == 1);
	CHECK(do_destroy(&space->obj) && used_after_all(q) == 0);
}

TEST(protect_changes_what_is_allowed)
{
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 60, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 60, RW) == ST_OK);
	for (uint64_t p = 0; p < 60; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(vm_object(m)->writers == 1);
	CHECK(vm_protect(as, BASE + 20 * PAGE, 10, MAP_READ) == ST_OK && all_ok(as, m));
	CHECK(vm_object(m)->writers == 2); /* on both sides */
	CHECK(vm_protect(as, BASE + 40 * PAGE, 10, 0) == ST_OK && all_ok(as, m));
	for (uint64_t p = 0; p < 60; p++) {
		bool read = p < 40 || p >= 50, write = read && (p < 20 || p >= 30);

		CHECK(vm_read(space, BASE + p * PAGE, &value) == (read ? ST_OK : ST_NO_RIGHT));
		CHECK(vm_write(space, BASE + p * PAGE, p + 1) == (write ? ST_OK : ST_NO_RIGHT));
	}
	CHECK(vm_protect(as, BASE + 10 * PAGE, 40, RX) == ST_OK && all_ok(as, m));
	CHECK(vm_touch(space, BASE + 45 * PAGE, MAP_EXEC, &value) == ST_OK);
	CHECK(vm_protect(as, BASE, 60, RWX) == ST_BAD_ARG && vm_protect(as, BASE, 60, RW) == ST_OK);
	CHECK(vm_object(m)->writers > 0);
	CHECK(vm_touch(space, BASE + 45 * PAGE, MAP_EXEC, &value) == ST_NO_RIGHT);
	for (uint64_t p = 0; p < 60; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	/* All together, or not at all. */
	CHECK(vm_unmap(as, BASE + 30 * PAGE, 1) == ST_OK);
	CHECK(vm_protect(as, BASE, 60, MAP_READ) == ST_BAD_ADDRESS);
	CHECK(vm_protect(as, BASE + 59 * PAGE, 2, MAP_READ) == ST_BAD_ADDRESS);
	CHECK(vm_write(space, BASE, 1) == ST_OK && vm_write(space, BASE + 59 * PAGE, 1) == ST_OK);
	CHECK(vm_protect(as, BASE, 30, MAP_READ) == ST_OK &&
	      vm_protect(as, BASE + 31 * PAGE, 29, 0) == ST_OK);
	CHECK(vm_object(m)->writers == 0 && vm_seal(m) == ST_OK && all_ok(as, m));
	CHECK(vm_protect(as, BASE, 30, RW) == ST_BAD_STATE &&
	      vm_protect(as, BASE, 30, RX) == ST_OK);
}

TEST(protect_goes_on_where_it_stopped)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 5000, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	struct map_request r = { BASE, 5000, MAP_READ, 0 };
	struct cap_ref by;

	CHECK(vm_map(as, m, BASE, 5000, RW) == ST_OK);
	for (uint64_t p = 0; p < 5000; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(cap_find(home, as, OBJ_ASPACE, 0, &by) == ST_OK);
	CHECK(aspace_protect(&by, &r) == ST_LATER && r.va == BASE && r.count == 5000);
	/* Some of it may be written yet, so it counts as a writer. */
	CHECK(vm_object(m)->writers == 1 && vm_seal(m) == ST_BAD_STATE && all_ok(as, m));
	CHECK(vm_write(space, BASE, 1) == ST_NO_RIGHT);
	/* Half way, somebody wants a piece. */
	CHECK(vm_unmap(as, BASE + 2000 * PAGE, 10) == ST_OK && all_ok(as, m));
	CHECK(vm_protect(as, BASE, 2000, MAP_READ) == ST_OK && vm_seal(m) == ST_BAD_STATE);
	CHECK(vm_protect(as, BASE + 2010 * PAGE, 2990, MAP_READ) == ST_OK);
	CHECK(vm_object(m)->writers == 0 && all_ok(as, m));
	CHECK(vm_write(space, BASE + 4999 * PAGE, 1) == ST_NO_RIGHT && vm_seal(m) == ST_OK);
}

/* More than it can look at before it changes the first are refused. */
TEST(protect_of_many_mappings_is_all_or_nothing)
{
	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 1, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	const uint64_t many = PROTECT_MAX;
	cap_t weak;

	for (uint64_t p = 0; p <= many; p++)
		CHECK(vm_map(as, m, BASE + p * PAGE, 1, RW) == ST_OK);
	CHECK(vm_protect(as, BASE, many + 1, MAP_READ) == ST_TOO_BIG);
	CHECK(vm_object(m)->writers == many + 1 && vm_write(space, BASE, 1) == ST_OK);
	CHECK(vm_protect(as, BASE, many, MAP_READ) == ST_OK && vm_object(m)->writers == 1);
	CHECK(vm_write(space, BASE + (many - 1) * PAGE, 1) == ST_NO_RIGHT);
	CHECK(vm_write(space, BASE + many * PAGE, 1) == ST_OK && all_ok(as, m));
	/* The last one does not allow it. */
	CHECK(vm_unmap(as, BASE + (many - 1) * PAGE, 1) == ST_OK);
	CHECK(do_derive(home, home, m, RIGHT_MAP | RIGHT_READ, 0, &weak) == ST_OK);
	CHECK(vm_map(as, weak, BASE + (many - 1) * PAGE, 1, MAP_READ) == ST_OK);
	CHECK(vm_protect(as, BASE, many, RW) == ST_NO_RIGHT && vm_object(m)->writers == 1);
	CHECK(vm_write(space, BASE, 1) == ST_NO_RIGHT && all_ok(as, m));
}

TEST(scan_tells_what_was_used)
{
	uint8_t use[8];
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 8, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 8, RW) == ST_OK);
	CHECK(vm_scan(as, BASE, SCAN_MAX + 1, use) == ST_TOO_BIG &&
	      vm_scan(as, 1, 1, use) == ST_BAD_ARG);
	CHECK(vm_write(space, BASE, 1) == ST_OK && vm_read(space, BASE + PAGE, &value) == ST_OK);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(vm_scan(as, BASE, 8, use) == ST_OK);
		CHECK(use[0] == (SCAN_PRESENT | SCAN_ACCESSED | SCAN_DIRTY));
		CHECK(use[1] == (SCAN_PRESENT | SCAN_ACCESSED) && use[2] == 0);
		CHECK(vm_scan(as, BASE, 8, use) == ST_OK);
		CHECK(use[0] == SCAN_PRESENT && use[1] == SCAN_PRESENT && use[7] == 0);
		/* Though this CPU had them in its TLB. */
		CHECK(vm_write(space, BASE, 1) == ST_OK &&
		      vm_read(space, BASE + PAGE, &value) == ST_OK);
	}
	CHECK(all_ok(as, m));
}

/* ---- who flushes what ---- */

/* Takes the translation of a page out of the tables, as another CPU may just have done that
 * has not come to the flush yet. */
static void take_out(struct aspace *as, vaddr_t va)
{
	struct pagetable_cut c;

	pagetable_cut_init(&c, &as->table, 1);
	pagetable_restrict(&as->table, va, 1, 0, &c);
}

TEST(transition_flushes_a_busy_mapping)
{
	paddr_t pa;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 8, MEMORY_ANON);
	CHECK(vm_map(as, m, BASE, 8, RW) == ST_OK);
	CHECK(vm_touch(vm_space(as), BASE + PAGE, MAP_WRITE, &pa) == ST_OK);
	struct mapping *map =
		container_of(tree_first(&vm_object(m)->mappings), struct mapping, pagewise);
	map->busy = true;
	take_out(vm_space(as), BASE + PAGE);
	CHECK(vm_decommit(m, 0, 8) == ST_OK);
	CHECK(!host_user_access(BASE + PAGE, ARCH_READ, &pa));
}

TEST(unmap_flushes_what_is_in_transition)
{
	paddr_t pa;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 8, MEMORY_ANON);
	CHECK(vm_map(as, m, BASE, 8, RW) == ST_OK && vm_map(as, m, BASE + MIB(1), 8, RW) == ST_OK);
	CHECK(vm_touch(vm_space(as), BASE + PAGE, MAP_WRITE, &pa) == ST_OK);
	vm_object(m)->transit.page = 1;
	vm_object(m)->transit.count = 1;
	vm_object(m)->transit.running = true;
	take_out(vm_space(as), BASE + PAGE);
	CHECK(vm_unmap(as, BASE, 8) == ST_OK);
	CHECK(!host_user_access(BASE + PAGE, ARCH_READ, &pa));
}

/* A CPU that faulted has a table cached, though nothing in it. */
TEST(tables_are_forgotten_before_they_go)
{
	paddr_t pa, frame;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 8, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 8, RW) == ST_OK && vm_write(space, BASE, 1) == ST_OK);
	CHECK(vm_decommit(m, 0, 8) == ST_OK && !host_user_access(BASE + PAGE, ARCH_READ, &pa));
	CHECK(vm_unmap(as, BASE, 8) == ST_OK && vm_table_frames(space) == 1);
	/* The next owner of one of its frames writes what looks like an entry. */
	for (unsigned i = 0; i < 3; i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &frame));
		*((uint64_t *)arch_phys_to_virt(frame) + 1) = pte_page(frame, 0, ARCH_READ);
	}
	CHECK(!host_user_access(BASE + PAGE, ARCH_READ, &pa));
}

static cap_t space_handle;
static struct aspace *left, *entered;
static _Atomic unsigned phase;

/* CPU 1 visits a space and leaves it; asked to flush one page there, it need not be asked
 * again, so it has to forget the others as well. */
static void leave_and_come_back(unsigned id)
{
	uint64_t value;

	if (id == 0) {
		while (phase != 1)
			host_user_mode();
		CHECK(vm_unmap(space_handle, BASE, 1) == ST_OK);
		CHECK(!(left->table.cpus & 2));
		CHECK(vm_unmap(space_handle, BASE + PAGE, 1) == ST_OK);
		phase = 2;
		return;
	}
	CHECK(vm_write(left, BASE, 1) == ST_OK && vm_write(left, BASE + PAGE, 1) == ST_OK);
	vm_switch(entered, ROOT_MAIN);
	phase = 1;
	while (phase != 2)
		host_user_mode();
	CHECK(vm_read(left, BASE + PAGE, &value) == ST_BAD_ADDRESS);
}

TEST(space_left_is_forgotten_whole)
{
	vm_boot();
	space_handle = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	left = vm_space(space_handle);
	entered = vm_space(vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE));
	cap_t m = vm_memory(quota_root, 8, MEMORY_ANON);
	CHECK(vm_map(space_handle, m, BASE, 8, RW) == ST_OK);
	host_cpus_run(2, leave_and_come_back);
}

static cap_t beside[2];
static _Atomic unsigned arrived;

/* Two neighbours that share all their tables go at once. */
static void take_neighbours(unsigned id)
{
	vaddr_t va = BASE + id * PAGE;

	for (unsigned round = 1; round <= 50; round++) {
		CHECK(vm_map(space_handle, beside[id], va, 1, RW) == ST_OK);
		CHECK(vm_write(left, va, round) == ST_OK);
		arrived++;
		while (arrived < 4 * round - 2)
			tlb_serve();
		CHECK(vm_unmap(space_handle, va, 1) == ST_OK);
		arrived++;
		while (arrived < 4 * round)
			host_user_mode();
	}
}

TEST(neighbours_go_at_once)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(2), 0);
	space_handle = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
	left = vm_space(space_handle);
	for (unsigned i = 0; i < 2; i++)
		beside[i] = vm_memory(quota_root, 1, MEMORY_ANON);
	host_cpus_run(2, take_neighbours);
	CHECK(vm_table_frames(left) == 1 && left->removed == 100);
	CHECK(do_destroy(&left->obj) && used_after_all(q) == 0);
}

/* ---- tables that several CPUs need at once ---- */

#define TABLE_CPUS   4
#define TABLE_ROUNDS 60

static cap_t table_space, table_memory[TABLE_CPUS];
static _Atomic unsigned arrived;

/* Each has an object of its own; in every round all are mapped side by side where there are no
 * tables yet. */
static void touch_side_by_side(unsigned id)
{
	struct aspace *space = vm_space(table_space);

	for (unsigned round = 0; round < TABLE_ROUNDS; round++) {
		arrived++;
		while (arrived < (round + 1) * TABLE_CPUS)
			host_user_mode();
		CHECK(vm_write(space, BASE + round * GIB(1) + id * PAGE, round) == ST_OK);
	}
}

TEST(tables_are_put_in_once)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(8), 0);
	table_space = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
	for (unsigned id = 0; id < TABLE_CPUS; id++) {
		table_memory[id] = vm_memory(quota_root, 1, MEMORY_ANON);
		for (uint64_t round = 0; round < TABLE_ROUNDS; round++)
			CHECK(vm_map(table_space, table_memory[id],
				     BASE + round * GIB(1) + id * PAGE, 1, RW) == ST_OK);
	}
	host_cpus_run(TABLE_CPUS, touch_side_by_side);
	CHECK(vm_table_frames(vm_space(table_space)) == 2 + 2 * TABLE_ROUNDS);
	CHECK(vm_aspace_ok(table_space) && do_destroy(&vm_space(table_space)->obj));
	CHECK(used_after_all(q) == 0);
}

/* ---- many mappings ---- */

#define MANY 1500

/* The first page of `m` in every page from `va` on, and a translation of each. */
static bool map_many(cap_t as, cap_t m, vaddr_t va)
{
	uint64_t value;

	for (uint64_t i = 0; i < MANY; i++) {
		if (vm_map(as, m, va + i * PAGE, 1, RW) != ST_OK ||
		    vm_read(vm_space(as), va + i * PAGE, &value) != ST_OK)
			return false;
	}
	return true;
}

static bool all_show(cap_t as, vaddr_t va, uint64_t value)
{
	uint64_t is;

	for (uint64_t i = 0; i < MANY; i++) {
		if (vm_read(vm_space(as), va + i * PAGE, &is) != ST_OK || is != value)
			return false;
	}
	return true;
}

/* However many see a page: each step is short, and the steps come to an end. */
TEST(many_mappings_lose_a_page_in_steps)
{
	struct cap_ref ref;
	unsigned steps = 0;
	uint64_t done;
	paddr_t pa;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 4, MEMORY_ANON);
	CHECK(vm_copy_in(m, 0, 7) == ST_OK && map_many(as, m, BASE) && all_show(as, BASE, 7));
	for (status_t st = ST_LATER; st == ST_LATER; steps++) {
		CHECK(ref_lock(home, m, OBJ_MEMORY, 0, &ref) == ST_OK);
		st = memory_decommit(&ref, 0, 4, &done);
		spin_unlock(&ref.object->lock);
		CHECK(st == ST_OK || st == ST_LATER);
		/* Somebody who wants the page back meanwhile is kept out, not let in. */
		CHECK(aspace_fault(vm_space(as), BASE + steps * PAGE, MAP_READ) == ST_OK);
		CHECK(st == ST_OK || !host_user_access(BASE + steps * PAGE, ARCH_READ, &pa));
	}
	CHECK(steps > MANY / (MEMORY_WALK / MEMORY_HEAVY));
	CHECK(steps < 4 * MANY / (MEMORY_WALK / MEMORY_HEAVY));
	CHECK(all_show(as, BASE, 0) && all_ok(as, m));
}

TEST(many_mappings_are_no_obstacle)
{
	uint64_t done;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t a = vm_memory(quota_root, 4, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 4, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(map_many(as, a, BASE) && all_show(as, BASE, 0)); /* the page of zeros */
	CHECK(vm_write(space, BASE + 9 * PAGE, 1) == ST_OK && all_show(as, BASE, 1));
	CHECK(map_many(as, b, BASE + GIB(1)));
	struct vm_share s = { .to = b, .from = a, .count = 4 };
	CHECK(vm_share(&s, &done) == ST_OK && all_show(as, BASE + GIB(1), 1));
	CHECK(all_ok(as, a) && all_ok(as, b));
	CHECK(vm_write(space, BASE + GIB(1), 2) == ST_OK && all_show(as, BASE + GIB(1), 2));
	CHECK(vm_write(space, BASE + MANY * PAGE / 2, 3) == ST_OK && all_show(as, BASE, 3));
	CHECK(all_show(as, BASE + GIB(1), 2) && all_ok(as, a) && all_ok(as, b));
}

/* The mapping at which a step stopped may be cut apart before the next: its pieces come first
 * then, and those that are new never. */
TEST(many_mappings_change_meanwhile)
{
	const uint64_t length = 16, starts = MEMORY_BATCH - length;
	struct cap_ref ref;
	unsigned steps = 0;
	uint64_t done, value;
	paddr_t pa;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 64, MEMORY_ANON);
	struct memory *object = vm_object(m);
	CHECK(vm_commit(m, 0, 64) == ST_OK);
	for (uint64_t i = 0; i < starts; i++) {
		struct map_request r = {
			.va = BASE + i * length * PAGE, .page = i, .count = length, .access = RW
		};

		CHECK(vm_map_at(as, m, &r) == ST_OK);
		for (uint64_t p = 0; p < length; p++)
			CHECK(vm_read(vm_space(as), r.va + p * PAGE, &value) == ST_OK);
	}
	for (status_t st = ST_LATER; st == ST_LATER; steps++) {
		CHECK(ref_lock(home, m, OBJ_MEMORY, 0, &ref) == ST_OK);
		st = memory_decommit(&ref, 0, MEMORY_BATCH, &done);
		spin_unlock(&ref.object->lock);
		CHECK(st == ST_OK || st == ST_LATER);
		if (st == ST_LATER) { /* the next one is cut apart, and its first piece goes */
			vaddr_t at = object->transit.next->base;

			CHECK(vm_unmap(as, at + 14 * PAGE, 1) == ST_OK);
			CHECK(vm_unmap(as, at, 2) == ST_OK);
			CHECK(object->transit.next->pagewise.linked);
		}
		CHECK(vm_map(as, m, BASE + GIB(2) + steps * PAGE, 1, RW) == ST_OK);
	}
	CHECK(steps > 1 && steps < 10 && all_ok(as, m));
	for (vaddr_t va = BASE; va < BASE + starts * length * PAGE; va += PAGE)
		CHECK(!host_user_access(va, ARCH_READ, &pa));
}

/* Who is killed between two steps does not take the pages with him. */
TEST(transition_that_is_abandoned_gives_way)
{
	struct cap_ref ref;
	uint64_t done;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 4, MEMORY_ANON);
	CHECK(vm_copy_in(m, 0, 7) == ST_OK && map_many(as, m, BASE));
	CHECK(ref_lock(home, m, OBJ_MEMORY, 0, &ref) == ST_OK);
	CHECK(memory_decommit(&ref, 0, 4, &done) == ST_LATER);
	spin_unlock(&ref.object->lock);
	CHECK(all_show(as, BASE, 7) && all_ok(as, m));
	CHECK(vm_decommit(m, 0, 4) == ST_OK && all_show(as, BASE, 0) && all_ok(as, m));
}

/* ---- large pages ---- */

static unsigned level_at(cap_t as, vaddr_t va)
{
	struct pagetable_page page;

	return pagetable_find(&vm_space(as)->table, va, &page) ? page.level : 99;
}

TEST(large_pages_where_they_fit)
{
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 1024, MEMORY_BLOCK);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 1024, RW) == ST_OK);
	CHECK(vm_write(space, BASE + 700 * PAGE, 700) == ST_OK &&
	      level_at(as, BASE + 700 * PAGE) == 1);
	CHECK(vm_read(space, BASE, &value) == ST_OK && value == 0 && level_at(as, BASE) == 1);
	CHECK(vm_table_frames(space) == 3); /* no lowest table */
	CHECK(vm_copy_out(m, 700 * PAGE, &value) == ST_OK && value == 700);
	/* One that begins or ends elsewhere does not fit. */
	CHECK(vm_map(as, m, BASE + MIB(64) + PAGE, 1024, RW) == ST_OK);
	CHECK(vm_read(space, BASE + MIB(66), &value) == ST_OK && level_at(as, BASE + MIB(66)) == 0);
	CHECK(vm_map(as, m, BASE + MIB(128), 1023, RW) == ST_OK);
	CHECK(vm_read(space, BASE + MIB(130), &value) == ST_OK &&
	      level_at(as, BASE + MIB(130)) == 0);
	CHECK(vm_read(space, BASE + MIB(128), &value) == ST_OK &&
	      level_at(as, BASE + MIB(128)) == 1);
	CHECK(all_ok(as, m));
	/* What is noted of it holds for all its pages, each time that one asks. */
	uint8_t use[2];
	for (unsigned round = 0; round < 2; round++) {
		CHECK(vm_scan(as, BASE + 3 * PAGE, 2, use) == ST_OK && use[0] == use[1]);
		CHECK(use[0] == (SCAN_PRESENT | SCAN_ACCESSED));
		CHECK(vm_scan(as, BASE + 701 * PAGE, 2, use) == ST_OK && use[0] == use[1]);
		CHECK(use[0] == (SCAN_PRESENT | SCAN_ACCESSED | SCAN_DIRTY));
	}
	CHECK(vm_unmap(as, BASE, 1024) == ST_OK && do_revoke(home, m) == ST_OK);
	CHECK(vm_table_frames(space) == 1 && all_ok(as, m));
}

TEST(large_pages_are_cut)
{
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 1536, MEMORY_BLOCK);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 1536, RW) == ST_OK);
	for (uint64_t p = 0; p < 1536; p += 100)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(level_at(as, BASE) == 1 && level_at(as, BASE + MIB(4)) == 1);
	CHECK(vm_protect(as, BASE + 100 * PAGE, 600, MAP_READ) == ST_OK && all_ok(as, m));
	for (uint64_t p = 0; p < 1536; p += 100) {
		bool write = p < 100 || p >= 700;

		CHECK(vm_read(space, BASE + p * PAGE, &value) == ST_OK && value == p);
		CHECK(vm_write(space, BASE + p * PAGE, p) == (write ? ST_OK : ST_NO_RIGHT));
	}
	CHECK(level_at(as, BASE) == 0 && level_at(as, BASE + MIB(4)) == 1 && all_ok(as, m));
	CHECK(vm_unmap(as, BASE + 1100 * PAGE, 1) == ST_OK && all_ok(as, m));
	CHECK(vm_read(space, BASE + 1100 * PAGE, &value) == ST_BAD_ADDRESS);
	CHECK(vm_read(space, BASE + 1200 * PAGE, &value) == ST_OK && value == 1200);
	CHECK(level_at(as, BASE + MIB(4)) == 99 && level_at(as, BASE + 1200 * PAGE) == 0);
	CHECK(all_ok(as, m) && vm_unmap(as, BASE, 1536) == ST_OK && vm_table_frames(space) == 1);
}

TEST(device_pages_are_outside_memory)
{
	struct memory *d;
	cap_t device;
	paddr_t pa;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	struct aspace *space = vm_space(as);
	/* From below the end of a stretch of RAM up. */
	CHECK(memory_create_device(quota_root, GIB(4) + MIB(32) - 4 * PAGE, MIB(4) / PAGE, &d) ==
	      ST_OK);
	CHECK(cap_insert(home, &d->obj, RIGHTS_ALL, 0, &device) == ST_OK);
	CHECK(vm_map(as, device, BASE, MIB(4) / PAGE, RW) == ST_OK);
	for (uint64_t p = 0; p < 4; p++)
		CHECK(vm_touch(space, BASE + p * PAGE, MAP_READ, &pa) == ST_BAD_ADDRESS);
	CHECK(vm_touch(space, BASE + 4 * PAGE, MAP_WRITE, &pa) == ST_OK && pa == GIB(4) + MIB(32));
	CHECK(vm_touch(space, BASE + 4 * PAGE, MAP_EXEC, &pa) == ST_NO_RIGHT);
	struct pagetable_page page;
	CHECK(pagetable_find(&space->table, BASE + 4 * PAGE, &page));
	CHECK(page.access == (ARCH_READ | ARCH_WRITE | ARCH_DEVICE) && page.level == 0);
	CHECK(vm_memory_ok(device));

	/* As a large page, where all of it is outside. */
	struct map_request r = { .va = BASE + MIB(64), .page = 4, .count = 512, .access = RW };
	CHECK(vm_map_at(as, device, &r) == ST_OK);
	CHECK(vm_touch(space, BASE + MIB(65), MAP_WRITE, &pa) == ST_OK && pa == GIB(4) + MIB(33));
	CHECK(level_at(as, BASE + MIB(65)) == 1 && vm_memory_ok(device));
	uint64_t value;
	CHECK(vm_copy_out(device, 0, &value) == ST_BAD_STATE &&
	      vm_copy_in(device, 0, 0) == ST_BAD_STATE);
	CHECK(vm_pin(device, 0, &pa) == ST_BAD_STATE && vm_seal(device) == ST_BAD_STATE);
}

/* ---- revoke, destroy ---- */

TEST(revoke_takes_mappings)
{
	uint64_t value;
	cap_t child, other;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 3000, MEMORY_ANON);
	struct aspace *space = vm_space(as);
	struct object *o = &vm_object(m)->obj;

	CHECK(do_derive(home, home, m, RIGHTS_ALL, 0, &child) == ST_OK);
	CHECK(do_derive(home, home, m, RIGHTS_ALL, 0, &other) == ST_OK);
	CHECK(vm_map(as, child, BASE, 3000, RW) == ST_OK &&
	      vm_map(as, other, BASE + MIB(64), 10, RW) == ST_OK);
	for (uint64_t p = 0; p < 3000; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(vm_unmap(as, BASE + 1000 * PAGE, 1) == ST_OK); /* pieces stand beside each other */
	CHECK(vm_write(space, BASE + MIB(64), 9) == ST_OK && cap_tree_ok(o));
	/* Its mappings outlive a capability, below its parent. */
	CHECK(do_revoke_some(home, child) == ST_LATER && all_ok(as, m));
	/* Half way, nothing is entered any more, nor can a piece be cut off and saved. */
	CHECK(vm_mapped(space) > 1500 && vm_unmap(as, BASE + 2500 * PAGE, 1) == ST_OK);
	CHECK(aspace_fault(space, BASE + 2400 * PAGE, MAP_READ) == ST_BAD_ADDRESS);
	CHECK(aspace_fault(space, BASE + 2600 * PAGE, MAP_READ) == ST_BAD_ADDRESS);
	CHECK(do_revoke(home, child) == ST_OK && vm_mapped(space) == 10 && all_ok(as, m));
	CHECK(vm_read(space, BASE, &value) == ST_BAD_ADDRESS);
	CHECK(vm_read(space, BASE + MIB(64), &value) == ST_OK && value == 9);
	CHECK(do_drop(home, other) == ST_OK && vm_read(space, BASE + MIB(64), &value) == ST_OK);
	CHECK(do_revoke(home, m) == ST_OK && vm_mapped(space) == 0 && vm_table_frames(space) == 1);
	CHECK(vm_copy_out(m, 5 * PAGE, &value) == ST_OK && value == 5 && all_ok(as, m));
}

TEST(destroying_memory_takes_its_mappings)
{
	uint64_t value;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(q, 100, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	CHECK(vm_map(as, m, BASE, 100, RW) == ST_OK &&
	      vm_map(as, m, BASE + MIB(4), 100, RX) == ST_OK);
	for (uint64_t p = 0; p < 100; p++)
		CHECK(vm_write(space, BASE + p * PAGE, p) == ST_OK);
	CHECK(do_destroy(&vm_object(m)->obj) && vm_mapped(space) == 0 && vm_tlb_ok(space));
	CHECK(vm_read(space, BASE, &value) == ST_BAD_ADDRESS && used_after_all(q) == 0);
	CHECK(vm_aspace_ok(as) && vm_table_frames(space) == 1);
}

TEST(destroying_a_space_takes_all_of_it)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t as = vm_aspace(q, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 100, MEMORY_ANON);

	for (unsigned i = 0; i < 20; i++) {
		CHECK(vm_map(as, m, BASE + i * GIB(1), 100, RW) == ST_OK);
		CHECK(vm_write(vm_space(as), BASE + i * GIB(1) + i * PAGE, 1) == ST_OK);
	}
	struct object *o = &vm_space(as)->obj;
	CHECK(arch_this_cpu()->tables.table == &vm_space(as)->table);
	CHECK(do_destroy(o) && used_after_all(q) == 0);
	CHECK(arch_this_cpu()->tables.table == NULL && host_user_root() == 0); /* it was left */
	CHECK(vm_object(m)->writers == 0 && vm_memory_ok(m) && cap_tree_ok(&vm_object(m)->obj));
	CHECK(vm_committed(vm_object(m)) == 20);
}

TEST(cut_views_are_mapped_no_more)
{
	uint64_t value;

	vm_boot();
	cap_t as = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	cap_t m = vm_memory(quota_root, 2000, MEMORY_ANON);
	struct aspace *space = vm_space(as);

	for (uint64_t p = 0; p < 2000; p++)
		CHECK(vm_copy_in(m, p * PAGE, p) == ST_OK);
	CHECK(vm_seal(m) == ST_OK);
	cap_t v = vm_view(quota_root, m);
	CHECK(vm_map(as, v, BASE, 2000, RW) == ST_OK &&
	      vm_map(as, v, BASE + GIB(1), 2000, RX) == ST_OK);
	for (uint64_t p = 0; p < 2000; p++) {
		CHECK(vm_read(space, BASE + GIB(1) + p * PAGE, &value) == ST_OK && value == p);
		CHECK(vm_read(space, BASE + p * PAGE, &value) == ST_OK && value == p);
	}
	CHECK(vm_write(space, BASE + 7 * PAGE, 77) == ST_OK && vm_committed(vm_object(v)) == 1);
	CHECK(vm_read(space, BASE + GIB(1) + 7 * PAGE, &value) == ST_OK && value == 77);
	CHECK(vm_copy_out(m, 7 * PAGE, &value) == ST_OK && value == 7 && all_ok(as, v));
	CHECK(do_destroy(&vm_object(m)->obj) && all_ok(as, v));
	for (uint64_t p = 0; p < 2000; p++)
		CHECK(vm_read(space, BASE + p * PAGE, &value) == (p == 7 ? ST_OK : ST_PEER_GONE));
	CHECK(vm_write(space, BASE + 8 * PAGE, 1) == ST_PEER_GONE && all_ok(as, v));
}

/* ---- guests ---- */

TEST(guest_has_two_roots)
{
	paddr_t pa;

	vm_boot();
	cap_t half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);
	cap_t guest = vm_aspace(quota_root, ASPACE_GUEST, half);
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t p = vm_memory(quota_root, 20, MEMORY_ANON);
	struct aspace *g = vm_space(guest), *h = vm_space(half);

	CHECK(vm_map(guest, m, BASE, 20, RWX) == ST_OK); /* a compiler's */
	CHECK(vm_map(guest, m, ARCH_PERSONALITY, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(guest, m, ARCH_PERSONALITY - PAGE, 2, RW) == ST_BAD_ARG);
	CHECK(vm_map(half, p, ARCH_PERSONALITY - PAGE, 1, RW) == ST_BAD_ARG);
	CHECK(vm_map(half, p, ARCH_PERSONALITY, 10, RWX) == ST_BAD_ARG);
	CHECK(vm_map(half, p, ARCH_PERSONALITY, 10, RW) == ST_OK);
	CHECK(vm_map(half, p, ARCH_PERSONALITY + MIB(2), 10, RX) == ST_OK);

	/* The guest: all of its own, nothing of the other's. */
	CHECK(vm_touch(g, BASE, MAP_WRITE, &pa) == ST_OK &&
	      vm_touch(g, BASE, MAP_EXEC, &pa) == ST_OK);
	CHECK(vm_touch(h, ARCH_PERSONALITY, MAP_WRITE, &pa) == ST_OK);
	CHECK(vm_touch(h, ARCH_PERSONALITY + MIB(2), MAP_EXEC, &pa) == ST_OK);
	vm_switch(g, ROOT_GUEST);
	CHECK(!host_user_access(ARCH_PERSONALITY, ARCH_READ, &pa));
	CHECK(vm_touch(g, ARCH_PERSONALITY, MAP_READ, &pa) == ST_BAD_ADDRESS);
	/* The personality: both, but the guest's code never. */
	vm_switch(g, ROOT_MAIN);
	CHECK(host_user_access(ARCH_PERSONALITY, ARCH_WRITE, &pa));
	CHECK(host_user_access(ARCH_PERSONALITY + MIB(2), ARCH_EXEC, &pa));
	CHECK(host_user_access(BASE, ARCH_WRITE, &pa) && !host_user_access(BASE, ARCH_EXEC, &pa));
	/* What comes later, in tables that come later, likewise. */
	CHECK(vm_map(guest, m, BASE + GIB(600), 20, RWX) == ST_OK);
	CHECK(vm_touch(g, BASE + GIB(600), MAP_EXEC, &pa) == ST_OK);
	vm_switch(g, ROOT_MAIN);
	CHECK(host_user_access(BASE + GIB(600), ARCH_READ, &pa));
	CHECK(!host_user_access(BASE + GIB(600), ARCH_EXEC, &pa));
	CHECK(all_ok(guest, m) && all_ok(half, p));
}

/* Between programs of different payers, and never between a guest and its personality. */
TEST(predictors_are_emptied_between_containers)
{
	vm_boot();
	host_predictors_leak = true;
	struct quota *q[2] = { test_quota(quota_root, MIB(1), 0),
			       test_quota(quota_root, MIB(1), 0) };
	struct aspace *as[2][3];
	for (unsigned i = 0; i < 2; i++) {
		cap_t half = vm_aspace(q[i], ASPACE_PERSONALITY, CAP_NONE);
		as[i][0] = vm_space(half);
		as[i][1] = vm_space(vm_aspace(q[i], ASPACE_GUEST, half));
		as[i][2] = vm_space(vm_aspace(q[i], ASPACE_PLAIN, CAP_NONE));
	}
	struct pagetable_cpu *c = &cpu_boot.tables;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = host_predictors_emptied;
		for (unsigned k = 0; k < 3; k++)
			pagetable_switch(c, &as[i % 2][k]->table, 1);
		CHECK(host_predictors_emptied == before + 1);
		pagetable_switch(c, &as[i % 2][1]->table, 1);
		pagetable_flip(c, c->table, ROOT_GUEST);
		pagetable_flip(c, c->table, ROOT_MAIN);
		CHECK(host_predictors_emptied == before + 1);
	}
}

/* A range that two roots show is flushed under both tags; that of the half under each guest's. */
TEST(guest_is_flushed_under_both_tags)
{
	cap_t guest[3];
	paddr_t pa;

	vm_boot();
	cap_t half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	for (unsigned i = 0; i < 3; i++)
		guest[i] = vm_aspace(quota_root, ASPACE_GUEST, half);
	for (unsigned round = 0; round < 6; round++) {
		struct aspace *g = vm_space(guest[round % 3]);

		CHECK(vm_map(guest[round % 3], m, BASE, 20, RW) == ST_OK);
		CHECK(vm_map(half, m, ARCH_PERSONALITY, 20, RW) == ST_OK);
		CHECK(vm_touch(vm_space(half), ARCH_PERSONALITY, MAP_WRITE, &pa) == ST_OK);
		CHECK(vm_touch(g, BASE, MAP_WRITE, &pa) == ST_OK);
		for (unsigned i = 0; i < 3; i++) { /* leaves translations under all tags */
			vm_switch(vm_space(guest[i]), ROOT_MAIN);
			CHECK(host_user_access(ARCH_PERSONALITY, ARCH_WRITE, &pa));
		}
		vm_switch(g, ROOT_MAIN);
		CHECK(host_user_access(BASE, ARCH_WRITE, &pa));
		if (round % 2 == 0)
			vm_switch(g, ROOT_GUEST);
		CHECK(vm_unmap(guest[round % 3], BASE, 20) == ST_OK);
		for (unsigned which = 0; which < ROOTS; which++) {
			vm_switch(g, which);
			CHECK(!host_user_access(BASE, ARCH_READ, &pa));
		}
		CHECK(vm_unmap(half, ARCH_PERSONALITY, 20) == ST_OK);
		for (unsigned i = 0; i < 3; i++) {
			vm_switch(vm_space(guest[i]), ROOT_MAIN);
			CHECK(!host_user_access(BASE, ARCH_READ, &pa));
			CHECK(!host_user_access(ARCH_PERSONALITY, ARCH_READ, &pa));
		}
		vm_switch(vm_space(half), ROOT_MAIN);
		CHECK(!host_user_access(ARCH_PERSONALITY, ARCH_READ, &pa));
	}
}

TEST(guest_loses_the_half_that_dies)
{
	paddr_t pa;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t half = vm_aspace(q, ASPACE_PERSONALITY, CAP_NONE);
	cap_t guest = vm_aspace(quota_root, ASPACE_GUEST, half);
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	struct aspace *g = vm_space(guest);

	CHECK(vm_map(half, m, ARCH_PERSONALITY, 20, RW) == ST_OK &&
	      vm_map(guest, m, BASE, 20, RW) == ST_OK);
	CHECK(vm_touch(vm_space(half), ARCH_PERSONALITY, MAP_WRITE, &pa) == ST_OK);
	CHECK(vm_touch(g, BASE, MAP_WRITE, &pa) == ST_OK);
	vm_switch(g, ROOT_MAIN);
	CHECK(host_user_access(ARCH_PERSONALITY, ARCH_WRITE, &pa));
	CHECK(do_destroy(&vm_space(half)->obj) && used_after_all(q) == 0);
	vm_switch(g, ROOT_GUEST);
	CHECK(host_user_access(BASE, ARCH_WRITE, &pa));
	vm_switch(g, ROOT_MAIN);
	CHECK(!host_user_access(ARCH_PERSONALITY, ARCH_READ, &pa));
	CHECK(all_ok(guest, m) && do_destroy(&g->obj) && vm_memory_ok(m));
	/* The other way round. */
	half = vm_aspace(q, ASPACE_PERSONALITY, CAP_NONE);
	guest = vm_aspace(quota_root, ASPACE_GUEST, half);
	CHECK(do_destroy(&vm_space(guest)->obj) && do_destroy(&vm_space(half)->obj));
	CHECK(used_after_all(q) == 0);
}

/* Another CPU has taken the binding to the half to cut it, and is about to write to the root. */
TEST(guest_stays_while_its_half_is_being_cut)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(4), 0);
	cap_t half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);
	struct aspace *guest = vm_space(vm_aspace(q, ASPACE_GUEST, half));

	STORE(guest->half.node.flags, CAP_BUSY);
	uint64_t ticket = do_kill(&guest->obj);
	for (unsigned i = 0; i < 4; i++)
		CHECK(!object_destroy_some(ticket));
	CHECK(guest->table.root[ROOT_MAIN].pa != 0 && guest->table.root[ROOT_GUEST].pa != 0);
	STORE(guest->half.node.flags, 0);
	while (!object_destroy_some(ticket))
		;
	CHECK(used_after_all(q) == 0 && cap_tree_ok(&vm_space(half)->obj));
	CHECK(do_destroy(&vm_space(half)->obj));
}
