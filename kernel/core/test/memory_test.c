/* SPDX-License-Identifier: MIT */
#include "vm.h"
#include <core/grace.h>
#include <test/test.h>
#include <string.h>

#define BASE 0x40000000ull

/* A word in a page. */
static uint64_t at(uint64_t page)
{
	return page * PAGE + 8 * (page % 512);
}

/* Everything that was made and charged went back. */
static bool all_gone(void)
{
	return used_after_all(quota_root) == quota_root->slab[OBJ_CSPACE].pages * PAGE + PAGE +
						     quota_root->slab[OBJ_QUOTA].pages * PAGE;
}

/* ---- creation ---- */

TEST(memory_create_checks_its_arguments)
{
	struct memory *m;

	vm_boot();
	CHECK(memory_create(quota_root, 0, 0, &m) == ST_BAD_ARG);
	CHECK(memory_create(quota_root, 1, MEMORY_BELOW_4G, &m) == ST_BAD_ARG);
	CHECK(memory_create(quota_root, 1, 4, &m) == ST_BAD_ARG);
	CHECK(memory_create(quota_root, MEMORY_PAGES_MAX + 1, 0, &m) == ST_TOO_BIG);
	CHECK(memory_create(quota_root, (1ull << FRAME_ORDER_MAX) + 1, MEMORY_CONTIGUOUS, &m) ==
	      ST_TOO_BIG);
	CHECK(memory_create(quota_root, 1ull << FRAME_ORDER_MAX, MEMORY_CONTIGUOUS, &m) ==
	      ST_NO_MEMORY);
	CHECK(memory_create_device(quota_root, 1, 1, &m) == ST_BAD_ARG);
	CHECK(memory_create_device(quota_root, 0, 0, &m) == ST_BAD_ARG);
	CHECK(memory_create_device(quota_root, 1ull << 52, 1, &m) == ST_BAD_ARG);
	CHECK(memory_create_device(quota_root, PAGE, 1ull << 40, &m) == ST_BAD_ARG);
	CHECK(all_gone());
}

TEST(memory_create_takes_nothing_but_its_page_of_objects)
{
	vm_boot();
	uint64_t before = quota_root->used;
	cap_t m = vm_memory(quota_root, MEMORY_PAGES_MAX, MEMORY_ANON);

	CHECK(m != CAP_NONE && quota_root->used <= before + PAGE);
	CHECK(vm_commit(m, MEMORY_PAGES_MAX - 1, 1) == ST_OK);
	CHECK(vm_memory_frames(vm_object(m)) == 4 && vm_committed(vm_object(m)) == 1);
	CHECK(quota_root->used <= before + 6 * PAGE); /* a node at each of 4 levels, the frame */
	CHECK(vm_memory_ok(m));
	CHECK(do_destroy(&vm_object(m)->obj));
	CHECK(all_gone());
}

/* Fails allocation number `step` of what comes next; says whether it was reached. */
static bool step_failed(void)
{
	bool reached = host_steps_left < 0;

	host_fail_step(-1);
	return reached;
}

TEST(memory_create_undoes_every_partial_failure)
{
	unsigned failed = 0;
	bool reached = true;

	vm_boot();
	uint64_t before = used_after_all(quota_root);
	for (int step = 0; reached; step++) {
		struct memory *m = NULL;

		host_fail_step(step);
		status_t st = memory_create(quota_root, 5, MEMORY_CONTIGUOUS, &m);
		reached = step_failed();
		CHECK((st == ST_OK) == (m != NULL) && (st == ST_OK || st == ST_NO_MEMORY));
		failed += st != ST_OK;
		CHECK(m == NULL || (frame_of(m->base)->order == 3 && vm_memory_frames(m) == 8));
		if (m != NULL)
			object_discard(&m->obj);
		CHECK(used_after_all(quota_root) == before);
	}
	CHECK(failed >= 3); /* at least the object, the charge and the frames of the block */
}

/* ---- contents ---- */

static void check_zeros_then_words(enum memory_kind kind, uint64_t pages)
{
	uint64_t value;
	cap_t m = vm_memory(quota_root, pages, kind);

	CHECK(m != CAP_NONE);
	for (uint64_t p = 0; p < pages; p++)
		CHECK(vm_copy_out(m, at(p), &value) == ST_OK && value == 0);
	CHECK(vm_committed(vm_object(m)) == 0); /* reading takes nothing */
	for (uint64_t p = 0; p < pages; p += 3)
		CHECK(vm_copy_in(m, at(p), ~p) == ST_OK);
	for (uint64_t p = 0; p < pages; p++) {
		CHECK(vm_copy_out(m, at(p), &value) == ST_OK && value == (p % 3 == 0 ? ~p : 0));
		CHECK(vm_copy_out(m, at(p) ^ 64, &value) == ST_OK && value == 0);
	}
	CHECK(vm_memory_ok(m));
	CHECK(do_destroy(&vm_object(m)->obj));
	CHECK(all_gone());
}

TEST(memory_begins_as_zeros)
{
	paddr_t pa[600];

	vm_boot();
	/* What others left in the frames. */
	for (unsigned i = 0; i < ARRAY_LEN(pa); i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &pa[i]));
		memset(arch_phys_to_virt(pa[i]), 0xa5, PAGE);
	}
	for (unsigned i = 0; i < ARRAY_LEN(pa); i++)
		frame_free(pa[i], 0);
	check_zeros_then_words(MEMORY_ANON, 1);
	check_zeros_then_words(MEMORY_ANON, MEMORY_FEW);
	check_zeros_then_words(MEMORY_ANON, MEMORY_FEW + 1);
	check_zeros_then_words(MEMORY_ANON, 512);
	check_zeros_then_words(MEMORY_ANON, 1100);
	check_zeros_then_words(MEMORY_BLOCK, 1);
	check_zeros_then_words(MEMORY_BLOCK, 100);
}

TEST(memory_bytes_stay_in_their_page)
{
	char bytes[16];
	struct cap_ref ref;

	vm_boot();
	cap_t m = vm_memory(quota_root, 2, MEMORY_ANON);
	CHECK(ref_lock(home, m, OBJ_MEMORY, 0, &ref) == ST_OK);
	for (unsigned out = 0; out < 2; out++) {
		CHECK(memory_copy(vm_object(m), PAGE - 8, bytes, 16, out) == ST_BAD_ARG);
		CHECK(memory_copy(vm_object(m), 2 * PAGE, bytes, 16, out) == ST_BAD_ARG);
		CHECK(memory_copy(vm_object(m), 2 * PAGE - 16, bytes, 16, out) == ST_OK);
	}
	spin_unlock(&ref.object->lock);
}

TEST(memory_range_is_that_of_the_capability)
{
	uint64_t page;

	vm_boot();
	struct memory *m = vm_object(vm_memory(quota_root, 10, MEMORY_ANON));
	page = 9;
	CHECK(memory_range(m, 0, &page, 1) && page == 9);
	page = 9;
	CHECK(!memory_range(m, 0, &page, 2));
	page = 10;
	CHECK(memory_range(m, 0, &page, 0) && !memory_range(m, 0, &page, 1));
	page = 1;
	CHECK(!memory_range(m, 0, &page, UINT64_MAX));
	page = 0;
	CHECK(memory_range(m, CAP_RANGE(4, 3), &page, 3) && page == 4);
	page = 2;
	CHECK(memory_range(m, CAP_RANGE(4, 3), &page, 1) && page == 6);
	page = 3;
	CHECK(!memory_range(m, CAP_RANGE(4, 3), &page, 1));
	page = 0;
	CHECK(!memory_range(m, CAP_RANGE(4, 3), &page, 4));
	/* A slice that the object does not have, whoever made it. */
	page = 0;
	CHECK(!memory_range(m, CAP_RANGE(8, 3), &page, 1) &&
	      !memory_range(m, CAP_RANGE(11, 1), &page, 1));
}

/* ---- commit, decommit ---- */

TEST(commit_and_decommit_count_frames)
{
	uint64_t value;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(4), 0);
	cap_t m = vm_memory(q, 300, MEMORY_ANON);
	uint64_t before = q->used;

	CHECK(vm_copy_in(m, 200 * PAGE, 7) == ST_OK);
	CHECK(vm_commit(m, 100, 150) == ST_OK && vm_committed(vm_object(m)) == 150);
	CHECK(q->used == before + 151 * PAGE); /* one node */
	CHECK(vm_copy_out(m, 200 * PAGE, &value) == ST_OK && value == 7);
	CHECK(vm_memory_ok(m));
	CHECK(vm_decommit(m, 0, 300) == ST_OK && vm_committed(vm_object(m)) == 0);
	CHECK(q->used == before + PAGE);
	CHECK(vm_copy_out(m, 200 * PAGE, &value) == ST_OK && value == 0);
	CHECK(vm_memory_ok(m) && do_destroy(&vm_object(m)->obj));
	CHECK(used_after_all(q) == 0);
}

TEST(commit_meets_the_quota)
{
	vm_boot();
	struct quota *q = test_quota(quota_root, 20 * PAGE, 0);
	cap_t m = vm_memory(q, 100, MEMORY_ANON);

	CHECK(vm_commit(m, 0, 100) == ST_NO_MEMORY);
	CHECK(vm_committed(vm_object(m)) == 18 && q->used == 20 * PAGE && vm_memory_ok(m));
	CHECK(vm_copy_in(m, 50 * PAGE, 1) == ST_NO_MEMORY);
	CHECK(vm_decommit(m, 3, 1) == ST_OK && vm_copy_in(m, 50 * PAGE, 1) == ST_OK);
	CHECK(q->used == 20 * PAGE && vm_memory_ok(m));
}

TEST(decommit_skips_what_was_never_there)
{
	vm_boot();
	cap_t m = vm_memory(quota_root, MEMORY_PAGES_MAX, MEMORY_ANON);
	CHECK(vm_copy_in(m, (1ull << 31) * PAGE, 1) == ST_OK);
	CHECK(vm_decommit(m, 0, MEMORY_PAGES_MAX) == ST_OK); /* and soon: the test ends */
	CHECK(vm_committed(vm_object(m)) == 0 && vm_memory_ok(m));
}

TEST(decommit_refuses_what_must_stay)
{
	paddr_t pa;

	vm_boot();
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	CHECK(vm_commit(m, 0, 20) == ST_OK && vm_pin(m, 7, &pa) == ST_OK);
	CHECK(vm_decommit(m, 0, 20) == ST_BAD_STATE && vm_committed(vm_object(m)) == 20);
	vm_unpin(m, 7);
	CHECK(vm_seal(m) == ST_OK && vm_decommit(m, 0, 1) == ST_BAD_STATE);
	CHECK(vm_commit(m, 0, 1) == ST_BAD_STATE && vm_committed(vm_object(m)) == 20);
	cap_t block = vm_memory(quota_root, 20, MEMORY_BLOCK);
	CHECK(vm_decommit(block, 0, 1) == ST_BAD_STATE && vm_commit(block, 0, 20) == ST_OK);
	CHECK(vm_object(block)->zeroed == 20 && vm_memory_ok(block));
}

/* ---- pins ---- */

TEST(pins_keep_the_frame)
{
	uint64_t value;
	paddr_t pa, again;

	vm_boot();
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	CHECK(vm_pin(m, 3, &pa) == ST_OK && vm_pin(m, 3, &again) == ST_OK && pa == again);
	*(uint64_t *)arch_phys_to_virt(pa) = 99;
	CHECK(vm_copy_out(m, 3 * PAGE, &value) == ST_OK && value == 99);
	CHECK(vm_copy_in(m, 3 * PAGE, 98) == ST_OK && *(uint64_t *)arch_phys_to_virt(pa) == 98);
	vm_unpin(m, 3);
	CHECK(vm_seal(m) == ST_BAD_STATE && vm_memory_ok(m)); /* somebody may write */
	vm_unpin(m, 3);
	CHECK(vm_pins(vm_object(m)) == 0 && vm_seal(m) == ST_OK && vm_memory_ok(m));
	CHECK(vm_pin(m, 3, &pa) == ST_BAD_STATE && vm_memory_ok(m));
}

TEST(pins_are_bounded)
{
	paddr_t pa;

	vm_boot();
	cap_t m = vm_memory(quota_root, 1, MEMORY_ANON);
	for (unsigned i = 0; i < 4095; i++)
		CHECK(vm_pin(m, 0, &pa) == ST_OK);
	CHECK(vm_pin(m, 0, &pa) == ST_NO_QUOTA && vm_memory_ok(m));
	vm_unpin(m, 0);
	CHECK(vm_pin(m, 0, &pa) == ST_OK);
}

/* ---- share ---- */

TEST(share_is_a_snapshot)
{
	uint64_t value, done;

	vm_boot();
	cap_t a = vm_memory(quota_root, 200, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 200, MEMORY_ANON);
	for (uint64_t p = 0; p < 200; p += 2)
		CHECK(vm_copy_in(a, at(p), p + 1) == ST_OK);
	struct vm_share s = { .to = b, .from = a, .count = 200 };
	uint64_t used = quota_root->used;
	CHECK(vm_share(&s, &done) == ST_OK && done == 200);
	CHECK(quota_root->used == used + PAGE); /* the node of b, and no frame */
	CHECK(vm_committed(vm_object(b)) == 100);
	CHECK(vm_copy_in(a, at(10), 1000) == ST_OK && vm_copy_in(b, at(20), 2000) == ST_OK);
	CHECK(vm_copy_in(b, at(21), 3000) == ST_OK); /* was not committed */
	CHECK(quota_root->used == used + 4 * PAGE);
	for (uint64_t p = 0; p < 200; p++) {
		uint64_t was = p % 2 == 0 ? p + 1 : 0;

		CHECK(vm_copy_out(a, at(p), &value) == ST_OK && value == (p == 10 ? 1000 : was));
		CHECK(vm_copy_out(b, at(p), &value) == ST_OK);
		CHECK(value == (p == 20 ? 2000 : p == 21 ? 3000 : was));
	}
	CHECK(vm_memory_ok(a) && vm_memory_ok(b));
	CHECK(do_destroy(&vm_object(a)->obj));
	CHECK(vm_copy_out(b, at(10), &value) == ST_OK && value == 11 && vm_memory_ok(b));
	CHECK(do_destroy(&vm_object(b)->obj));
	CHECK(all_gone());
}

TEST(share_refuses)
{
	uint64_t done;

	vm_boot();
	cap_t a = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t block = vm_memory(quota_root, 20, MEMORY_BLOCK);
	struct vm_share s = { .to = a, .from = a, .count = 2 };

	CHECK(vm_share(&s, &done) == ST_BAD_ARG);
	s.to = block;
	CHECK(vm_share(&s, &done) == ST_BAD_ARG);
	s.to = b;
	CHECK(vm_copy_in(a, 0, 1) == ST_OK && vm_copy_in(b, 5 * PAGE, 2) == ST_OK);
	s.count = 10;
	CHECK(vm_share(&s, &done) == ST_EXISTS && done == 5); /* as far as it went */
	CHECK(vm_committed(vm_object(b)) == 2);
	CHECK(vm_seal(b) == ST_OK);
	s.to_page = 10;
	CHECK(vm_share(&s, &done) == ST_BAD_STATE && done == 0);
	s.count = 0;
	CHECK(vm_share(&s, &done) == ST_BAD_STATE);
}

TEST(share_read_only_is_for_ever)
{
	uint64_t value, done;
	paddr_t pa;

	vm_boot();
	cap_t a = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t c = vm_memory(quota_root, 20, MEMORY_ANON);
	CHECK(vm_copy_in(a, 0, 1) == ST_OK);
	struct vm_share s = { .to = b, .from = a, .count = 2, .read_only = true };
	CHECK(vm_share(&s, &done) == ST_OK);
	CHECK(vm_copy_in(b, 0, 5) == ST_NO_RIGHT && vm_copy_in(b, PAGE, 5) == ST_NO_RIGHT);
	CHECK(vm_pin(b, 0, &pa) == ST_NO_RIGHT && vm_pin(b, 1, &pa) == ST_NO_RIGHT);
	CHECK(vm_commit(b, 0, 2) == ST_OK && vm_committed(vm_object(b)) == 1);
	CHECK(vm_copy_in(a, 0, 6) == ST_OK && vm_copy_out(b, 0, &value) == ST_OK && value == 1);
	CHECK(do_destroy(&vm_object(a)->obj));
	CHECK(vm_copy_in(b, 0, 5) == ST_NO_RIGHT && vm_memory_ok(b)); /* alone by now */
	/* What is shared from there is a copy like any other. */
	s = (struct vm_share){ .to = c, .from = b, .count = 2 };
	CHECK(vm_share(&s, &done) == ST_OK && vm_copy_in(c, 0, 7) == ST_OK);
	CHECK(vm_copy_out(b, 0, &value) == ST_OK && value == 1);
	CHECK(vm_decommit(b, 0, 2) == ST_OK && vm_copy_in(b, PAGE, 5) == ST_OK);
}

TEST(share_copies_what_is_pinned)
{
	uint64_t value, done;
	paddr_t pa;

	vm_boot();
	cap_t a = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t b = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t block = vm_memory(quota_root, 20, MEMORY_BLOCK);
	for (uint64_t p = 1; p < 20; p++) /* nobody counts there; it is what a free list left */
		frame_of(vm_object(block)->base + p * PAGE)->uses = 7;
	CHECK(vm_pin(a, 3, &pa) == ST_OK);
	*(uint64_t *)arch_phys_to_virt(pa) = 1;
	CHECK(vm_copy_in(block, 3 * PAGE, 2) == ST_OK);
	struct vm_share s = { .to = b, .from = a, .count = 10 };
	CHECK(vm_share(&s, &done) == ST_OK && vm_committed(vm_object(b)) == 1);
	*(uint64_t *)arch_phys_to_virt(pa) = 9; /* by the device, at any time */
	CHECK(vm_copy_out(b, 3 * PAGE, &value) == ST_OK && value == 1);
	CHECK(vm_copy_out(a, 3 * PAGE, &value) == ST_OK && value == 9 && vm_memory_ok(a));
	s = (struct vm_share){ .to = b, .to_page = 10, .from = block, .count = 10 };
	CHECK(vm_share(&s, &done) == ST_OK && vm_copy_in(block, 3 * PAGE, 8) == ST_OK);
	CHECK(vm_copy_out(b, 13 * PAGE, &value) == ST_OK && value == 2);
	CHECK(vm_copy_out(b, 12 * PAGE, &value) == ST_OK && value == 0 && vm_memory_ok(b));
}

/* ---- who pays ---- */

TEST(shared_frames_are_paid_for_exactly)
{
	uint64_t done;

	vm_boot();
	struct quota *p = test_quota(quota_root, MIB(1), 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t a = vm_memory(p, 4, MEMORY_ANON); /* few pages: no nodes in the way */
	cap_t b = vm_memory(p, 4, MEMORY_ANON);
	cap_t c = vm_memory(q, 4, MEMORY_ANON);
	cap_t d = vm_memory(q, 4, MEMORY_ANON);
	uint64_t in_p = p->used, in_q = q->used;

	CHECK(vm_commit(a, 0, 4) == ST_OK && p->used == in_p + 4 * PAGE);
	struct vm_share s = { .to = b, .from = a, .count = 4 };
	CHECK(vm_share(&s, &done) == ST_OK && p->used == in_p + 4 * PAGE); /* the payer's again */
	s.to = c;
	CHECK(vm_share(&s, &done) == ST_OK && q->used == in_q + 4 * PAGE);
	s.to = d;
	s.from = c; /* each slot for itself */
	CHECK(vm_share(&s, &done) == ST_OK && q->used == in_q + 8 * PAGE);
	CHECK(p->used == in_p + 4 * PAGE);

	CHECK(vm_decommit(a, 0, 1) == ST_OK && p->used == in_p + 4 * PAGE); /* b has it yet */
	CHECK(vm_decommit(b, 0, 1) == ST_OK && p->used == in_p + 3 * PAGE); /* p has left */
	CHECK(q->used == in_q + 8 * PAGE);
	/* A payer that comes back pays for his slot as others do. */
	s = (struct vm_share){ .to = a, .from = c, .count = 1 };
	CHECK(vm_share(&s, &done) == ST_OK && p->used == in_p + 4 * PAGE);
	s.to = b;
	CHECK(vm_share(&s, &done) == ST_OK && p->used == in_p + 5 * PAGE);
	CHECK(vm_memory_ok(a) && vm_memory_ok(b) && vm_memory_ok(c) && vm_memory_ok(d));

	CHECK(vm_decommit(c, 0, 4) == ST_OK && q->used == in_q + 4 * PAGE);
	CHECK(do_destroy(&vm_object(d)->obj) && do_destroy(&vm_object(a)->obj));
	CHECK(used_after_all(q) == in_q && vm_memory_ok(b)); /* c is left */
	CHECK(vm_decommit(b, 0, 4) == ST_OK && used_after_all(p) == in_p);
}

TEST(share_meets_the_quota)
{
	uint64_t done;

	vm_boot();
	struct quota *q = test_quota(quota_root, 10 * PAGE, 0);
	cap_t a = vm_memory(quota_root, 200, MEMORY_ANON);
	cap_t b = vm_memory(q, 200, MEMORY_ANON);
	CHECK(vm_commit(a, 0, 200) == ST_OK);
	struct vm_share s = { .to = b, .from = a, .count = 200 };
	CHECK(vm_share(&s, &done) == ST_NO_MEMORY && done == 8); /* object page and node */
	CHECK(q->used == 10 * PAGE && vm_committed(vm_object(b)) == 8);
	CHECK(vm_memory_ok(a) && vm_memory_ok(b));
	CHECK(do_destroy(&vm_object(b)->obj) && used_after_all(q) == 0 && vm_memory_ok(a));
}

TEST(share_undoes_every_partial_failure)
{
	unsigned failed = 0;
	bool reached = true;
	uint64_t done;
	paddr_t pa;

	vm_boot();
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t a = vm_memory(quota_root, 20, MEMORY_ANON);
	CHECK(vm_commit(a, 0, 2) == ST_OK && vm_pin(a, 1, &pa) == ST_OK);
	for (int step = 0; reached; step++) {
		cap_t b = vm_memory(q, 20, MEMORY_ANON);
		struct vm_share s = { .to = b, .from = a, .count = 2 };

		host_fail_step(step);
		status_t st = vm_share(&s, &done);
		reached = step_failed();
		CHECK(st == ST_OK ? done == 2 : st == ST_NO_MEMORY && done < 2);
		CHECK(vm_committed(vm_object(b)) == done && vm_memory_ok(a) && vm_memory_ok(b));
		failed += st != ST_OK;
		CHECK(do_destroy(&vm_object(b)->obj) && used_after_all(q) == 0 && vm_memory_ok(a));
	}
	CHECK(failed >= 5); /* slot; charge and frame of the node; charge and frame of a copy */
}

/* ---- seal, views ---- */

TEST(seal_ends_all_writing)
{
	uint64_t value;

	vm_boot();
	cap_t m = vm_memory(quota_root, 20, MEMORY_ANON);
	cap_t block = vm_memory(quota_root, 20, MEMORY_BLOCK);
	CHECK(vm_copy_in(m, 0, 1) == ST_OK && vm_seal(m) == ST_OK && vm_seal(m) == ST_OK);
	CHECK(vm_copy_in(m, 0, 2) == ST_BAD_STATE && vm_copy_in(m, PAGE, 2) == ST_BAD_STATE);
	CHECK(vm_copy_out(m, 0, &value) == ST_OK && value == 1 && vm_memory_ok(m));
	CHECK(vm_seal(block) == ST_OK && vm_object(block)->zeroed == 20);
	CHECK(vm_copy_in(block, 0, 2) == ST_BAD_STATE);
}

TEST(view_shows_the_sealed_object)
{
	uint64_t value;

	vm_boot();
	cap_t m = vm_memory(quota_root, 40, MEMORY_ANON);
	CHECK(vm_copy_in(m, 25 * PAGE, 25) == ST_OK);
	CHECK(vm_view(quota_root, m) == CAP_NONE && vm_status == ST_BAD_STATE);
	CHECK(vm_seal(m) == ST_OK);
	cap_t slice;
	CHECK(do_derive(home, home, m, RIGHTS_ALL, CAP_RANGE(20, 12), &slice) == ST_OK);

	struct quota *q = test_quota(quota_root, MIB(1), 0);
	cap_t v = vm_view(q, slice);
	CHECK(v != CAP_NONE && vm_object(v)->pages == 12 && q->used == PAGE);
	CHECK(vm_copy_out(v, 5 * PAGE, &value) == ST_OK && value == 25);
	CHECK(vm_copy_out(v, 6 * PAGE, &value) == ST_OK && value == 0);
	CHECK(q->used == PAGE && vm_committed(vm_object(v)) == 0);
	/* What is written is its own. */
	CHECK(vm_copy_in(v, 5 * PAGE + 8, 26) == ST_OK &&
	      vm_copy_out(v, 5 * PAGE, &value) == ST_OK);
	CHECK(value == 25 && vm_copy_out(m, 25 * PAGE + 8, &value) == ST_OK && value == 0);
	CHECK(q->used == 3 * PAGE && vm_memory_ok(v));
	CHECK(vm_seal(v) == ST_BAD_STATE && vm_view(q, v) == CAP_NONE);

	/* Without the object, only that is left. */
	CHECK(do_revoke(home, slice) == ST_OK);
	CHECK(vm_copy_out(v, 6 * PAGE, &value) == ST_PEER_GONE);
	CHECK(vm_copy_in(v, 6 * PAGE, 1) == ST_PEER_GONE);
	CHECK(vm_copy_out(v, 5 * PAGE + 8, &value) == ST_OK && value == 26);
	CHECK(do_destroy(&vm_object(v)->obj) && used_after_all(q) == 0);
}

/* A capability may name more pages than there are; what is made by it does not. */
TEST(view_beyond_the_end_is_refused)
{
	static const uint64_t bad[] = { CAP_RANGE(0, 5), CAP_RANGE(4, 1), CAP_RANGE(3, 2),
					CAP_RANGE(1, UINT32_MAX), CAP_RANGE(UINT32_MAX, 1) };
	cap_t slice;

	vm_boot();
	cap_t m = vm_memory(quota_root, 4, MEMORY_ANON);
	CHECK(vm_commit(m, 0, 4) == ST_OK && vm_seal(m) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(do_derive(home, home, m, RIGHTS_ALL, bad[i], &slice) == ST_OK);
		CHECK(vm_view(quota_root, slice) == CAP_NONE && vm_status == ST_BAD_ARG);
	}
	CHECK(do_derive(home, home, m, RIGHTS_ALL, CAP_RANGE(3, 1), &slice) == ST_OK);
	CHECK(vm_view(quota_root, slice) != CAP_NONE);
}

TEST(view_of_a_view_is_refused)
{
	vm_boot();
	cap_t m = vm_memory(quota_root, 4, MEMORY_BLOCK);
	CHECK(vm_seal(m) == ST_OK);
	cap_t v = vm_view(quota_root, m);
	CHECK(v != CAP_NONE && vm_view(quota_root, v) == CAP_NONE && vm_status == ST_BAD_STATE);
	CHECK(do_destroy(&vm_object(m)->obj)); /* the view is cut, and stays */
	uint64_t value;
	CHECK(vm_copy_out(v, 0, &value) == ST_PEER_GONE);
	CHECK(do_destroy(&vm_object(v)->obj));
	CHECK(all_gone());
}

TEST(view_create_undoes_every_partial_failure)
{
	unsigned failed = 0;
	bool reached = true;

	vm_boot();
	cap_t m = vm_memory(quota_root, 40, MEMORY_ANON);
	CHECK(vm_seal(m) == ST_OK);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	for (int step = 0; reached; step++) {
		host_fail_step(step);
		cap_t v = vm_view(q, m);
		reached = step_failed();
		failed += v == CAP_NONE;
		CHECK(v != CAP_NONE || vm_status == ST_NO_MEMORY);
		CHECK(v == CAP_NONE || do_destroy(&vm_object(v)->obj));
		CHECK(used_after_all(q) == 0 && cap_tree_ok(&vm_object(m)->obj));
	}
	CHECK(failed >= 1); /* the object */
}

/* Fork of a process with private mappings of files: views of the same object. */
TEST(share_between_views)
{
	uint64_t value, done;

	vm_boot();
	cap_t m = vm_memory(quota_root, 40, MEMORY_ANON);
	for (uint64_t p = 0; p < 40; p += 2)
		CHECK(vm_copy_in(m, p * PAGE, p + 1) == ST_OK);
	CHECK(vm_seal(m) == ST_OK);
	cap_t a = vm_view(quota_root, m);
	cap_t b = vm_view(quota_root, m);
	cap_t c = vm_memory(quota_root, 40, MEMORY_ANON);
	CHECK(vm_copy_in(a, 3 * PAGE, 33) == ST_OK);
	struct vm_share s = { .to = b, .from = a, .count = 30 };
	CHECK(vm_share(&s, &done) == ST_OK && done == 30);
	CHECK(vm_committed(vm_object(b)) == 1); /* the rest shows through anyway */
	s = (struct vm_share){ .to = b, .to_page = 30, .from = a, .from_page = 1, .count = 10 };
	CHECK(vm_share(&s, &done) == ST_OK);
	s = (struct vm_share){ .to = c, .from = a, .count = 40 };
	CHECK(vm_share(&s, &done) == ST_OK);
	for (uint64_t p = 0; p < 40; p++) {
		uint64_t from = p < 30 ? p : p - 29;

		CHECK(vm_copy_out(b, p * PAGE, &value) == ST_OK);
		CHECK(value == (from == 3 ? 33 : from % 2 == 0 ? from + 1 : 0));
		CHECK(vm_copy_out(c, p * PAGE, &value) == ST_OK);
		CHECK(value == (p == 3 ? 33 : p % 2 == 0 ? p + 1 : 0));
	}
	CHECK(vm_memory_ok(m) && vm_memory_ok(a) && vm_memory_ok(b) && vm_memory_ok(c));
	CHECK(do_destroy(&vm_object(m)->obj));
	CHECK(vm_copy_out(c, 4 * PAGE, &value) == ST_OK && value == 5); /* a snapshot */
	CHECK(vm_copy_out(b, 3 * PAGE, &value) == ST_OK && value == 33);
}
