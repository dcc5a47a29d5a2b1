/* SPDX-License-Identifier: MIT */
/* Calls on memory. */
#include "job.h"
#include "refuse.h"
#include <lib/sys/calls.h>

#define PAGE                      ((uint64_t)MEMORY_PAGE)
#define HUGE                      (1ull << 32) /* pages: the most that there can be */
#define TO_SHARE(to, from, count) (&(const struct memory_pages){ to, from, count })

static cap_t block(uint64_t pages)
{
	return make(SYS_memory_create, pages, MEMORY_CONTIGUOUS, 0);
}

static cap_t sealed(uint64_t pages)
{
	cap_t memory = new_memory(pages);

	for (uint64_t i = 0; i < pages; i++)
		(void)sys_memory_write(memory, i * PAGE, &(const uint64_t){ i + 100 }, 8);
	(void)sys_memory_seal(memory);
	return memory;
}

static uint64_t word_at(cap_t memory, uint64_t offset)
{
	uint64_t word = 0xdeaddead;

	(void)sys_memory_read(memory, offset, &word, 8);
	return word;
}

static status_t put(cap_t memory, uint64_t offset, uint64_t word)
{
	return sys_memory_write(memory, offset, &word, 8);
}

/* ---- create ---- */

TEST(memory_create_refuses)
{
	cap_t q = quota;

	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 0, 0));
	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 0, MEMORY_CONTIGUOUS));
	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 1, MEMORY_BELOW_4G));
	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 1, 4));
	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 1, 1ull << 32 | MEMORY_CONTIGUOUS));
	CHECK(REFUSES(ST_BAD_ARG, memory_create, q, 1, UINT64_MAX));
	CHECK(REFUSES(ST_TOO_BIG, memory_create, q, HUGE + 1, 0));
	CHECK(REFUSES(ST_TOO_BIG, memory_create, q, UINT64_MAX, 0));
	CHECK(REFUSES(ST_TOO_BIG, memory_create, q, 1ull << 31, MEMORY_CONTIGUOUS));
	CHECK(REFUSES(ST_TOO_BIG, memory_create, q, UINT64_MAX, MEMORY_CONTIGUOUS));
	CHECK(REFUSES(ST_NO_MEMORY, memory_create, new_quota(1 << 16), 32, MEMORY_CONTIGUOUS));
}

/* However large, it costs nothing before it is written. */
TEST(memory_is_paid_for_when_it_is_written)
{
	uint64_t before = used_of(quota);
	cap_t memory = new_memory(HUGE);

	CHECK(used_of(quota) <= before + 4 * PAGE);
	before = used_of(quota);
	CHECK(word_at(memory, 0) == 0 && word_at(memory, HUGE * PAGE - 8) == 0);
	CHECK(used_of(quota) == before);
	CHECK(put(memory, HUGE / 2 * PAGE, 7) == ST_OK);
	CHECK(used_of(quota) > before && used_of(quota) <= before + 8 * PAGE);
	CHECK(word_at(memory, HUGE / 2 * PAGE) == 7);
	/* The page and the way to it. */
	CHECK(put(memory, HUGE * PAGE - 8, 9) == ST_OK && word_at(memory, HUGE * PAGE - 8) == 9);
}

/* What others have left behind is never seen. */
TEST(memory_begins_as_zeros)
{
	for (unsigned round = 0; round < 4; round++) {
		cap_t one = new_memory(16), two = block(16);
		uint64_t *a = map(one, 16, MAP_READ | MAP_WRITE);
		uint64_t *b = map(two, 16, MAP_READ | MAP_WRITE);
		for (unsigned i = 0; i < 16 * PAGE / 8; i++) {
			CHECK(a[i] == 0 && b[i] == 0);
			a[i] = b[i] = 0x5ec5ec5ec5ec5ecull;
		}
		CHECK(sys_object_destroy(one) == ST_OK && sys_object_destroy(two) == ST_OK);
	}
}

TEST(memory_contiguous_is_paid_for_at_once)
{
	uint64_t before = used_of(quota);
	cap_t memory = block(5);

	CHECK(used_of(quota) >= before + 8 * PAGE); /* a power of two */
	CHECK(word_at(memory, 4 * PAGE) == 0);
	CHECK(REFUSES(ST_BAD_ARG, memory_read, memory, 5 * PAGE, &before, 8));
	CHECK(sys_object_destroy(memory) == ST_OK);
	CHECK(used_of(quota) <= before + PAGE);
}

/* ---- bytes ---- */

TEST(memory_bytes_of_every_length)
{
	static const uint64_t sizes[] = { 0, 1, 7, 8, 511, 512, 513, 4095, 4096, 4097, 9000 };
	static const uint64_t offsets[] = { 0, 1, 511, 4000, 4095, 4096, 5000 };
	uint8_t *in = new_pages(4), *out = new_pages(4);
	cap_t memory = new_memory(4);

	for (unsigned i = 0; i < 4 * PAGE; i++)
		in[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned s = 0; s < ARRAY_LEN(sizes); s++) {
		for (unsigned o = 0; o < ARRAY_LEN(offsets); o++) {
			memset(out, 0xee, sizes[s] + 1);
			CHECK(sys_memory_write(memory, offsets[o], in + s, sizes[s]) == ST_OK);
			CHECK(sys_memory_read(memory, offsets[o], out, sizes[s]) == ST_OK);
			CHECK(memcmp(in + s, out, sizes[s]) == 0 && out[sizes[s]] == 0xee);
		}
	}
}

TEST(memory_bytes_stay_within_the_range)
{
	cap_t memory = new_memory(2);
	uint64_t *buffer = new_pages(3);
	const struct {
		uint64_t offset, size;
	} beyond[] = {
		{ 2 * PAGE, 1 },   { 2 * PAGE - 1, 2 },         { 0, 2 * PAGE + 1 },
		{ 1, 2 * PAGE },   { UINT64_MAX, 1 },           { UINT64_MAX, UINT64_MAX },
		{ 0, UINT64_MAX }, { 8, UINT64_MAX - 7 },       { PAGE, UINT64_MAX - PAGE + 1 },
		{ 3 * PAGE, 0 },   { UINT64_MAX - PAGE, 8 },    { 1ull << 44, 8 },
		{ 1ull << 63, 8 }, { 4095, UINT64_MAX - 4095 }, { UINT64_MAX - 4094, 4095 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(beyond); i++) {
		CHECK(REFUSES(ST_BAD_ARG, memory_read, memory, beyond[i].offset, buffer,
			      beyond[i].size));
		CHECK(REFUSES(ST_BAD_ARG, memory_write, memory, beyond[i].offset, buffer,
			      beyond[i].size));
	}
	CHECK(sys_memory_read(memory, 2 * PAGE, buffer, 0) == ST_OK); /* nothing, at the end */
}

/* The kernel copies from and to a caller's page that is not there yet. */
TEST(memory_bytes_bring_in_pages)
{
	cap_t memory = new_memory(2);
	uint64_t *fresh = new_pages(2);

	CHECK(put(memory, PAGE, 11) == ST_OK);
	CHECK(sys_memory_read(memory, PAGE - 8, fresh + 511, 16) == ST_OK);
	CHECK(fresh[511] == 0 && fresh[512] == 11);
	uint64_t *other = new_pages(1);
	CHECK(sys_memory_write(memory, PAGE, other, 8) == ST_OK && word_at(memory, PAGE) == 0);
}

/* From a part of the object to another, through a mapping of it: it has no lock of its own. */
TEST(memory_bytes_from_itself)
{
	cap_t memory = new_memory(2);
	uint64_t *va = map(memory, 2, MAP_READ | MAP_WRITE);

	va[0] = 5;
	CHECK(sys_memory_write(memory, PAGE, va, 8) == ST_OK && va[512] == 5);
	va[0] = 6;
	CHECK(sys_memory_read(memory, 0, va + 512, 8) == ST_OK && va[512] == 6);
	cap_t fresh = new_memory(1);
	char *self = map(fresh, 1, MAP_READ | MAP_WRITE);
	CHECK(sys_memory_read(fresh, 0, self, PAGE) == ST_OK);
	CHECK(sys_memory_write(fresh, 0, self, PAGE) == ST_OK);
}

/* ---- bad pointers ---- */

static cap_t victim;

static bool read_to(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, memory_read, victim, 0, va, 16);
}

static bool write_from(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, memory_write, victim, 0, va, 16);
}

TEST(memory_read_to_bad_addresses)
{
	victim = new_memory(1);
	CHECK(put(victim, 0, 1) == ST_OK);
	CHECK(each_bad_address(16, true, read_to));
}

TEST(memory_write_from_bad_addresses)
{
	victim = new_memory(1);
	CHECK(put(victim, 0, 0x1122) == ST_OK);
	CHECK(each_bad_address(16, false, write_from));
	CHECK(word_at(victim, 0) == 0x1122 && word_at(victim, 8) == 0);
}

/* What comes before the bad page has been copied; nothing behind it. */
TEST(memory_bytes_stop_at_a_hole)
{
	cap_t memory = new_memory(4);
	uint8_t *two = new_pages(2);

	memset(two, 0x77, 2 * PAGE);
	CHECK(sys_memory_write(memory, 0, two, 3 * PAGE) == ST_BAD_ADDRESS);
	CHECK(word_at(memory, 2 * PAGE) == 0 && word_at(memory, 3 * PAGE) == 0);
	CHECK(sys_memory_read(memory, 0, two, 3 * PAGE) == ST_BAD_ADDRESS);
}

static void map_and_unmap(struct actor *a)
{
	const struct aspace_range r = { a->arg[1], 0, 4 };

	while (!a->seen) {
		(void)sys_aspace_unmap(start->aspace, a->arg[1], 4);
		(void)sys_aspace_map(start->aspace, a->arg[0], &r, MAP_READ | MAP_WRITE);
		(void)sys_aspace_protect(start->aspace, a->arg[1], 4, MAP_READ);
	}
}

/* Somebody else takes the buffer away and brings it back, at any time. */
TEST(memory_bytes_while_the_buffer_comes_and_goes)
{
	cap_t buffer = new_memory(4), memory = new_memory(4);
	void *va = map(buffer, 4, MAP_READ | MAP_WRITE);
	struct actor *a = actor_new(map_and_unmap);

	a->arg[0] = buffer;
	a->arg[1] = (uint64_t)va;
	actor_start(a);
	for (uint64_t i = 0; i < test_rounds(2000); i++) {
		status_t in = sys_memory_write(memory, 0, va, 4 * PAGE);
		status_t out = sys_memory_read(memory, 0, va, 4 * PAGE);
		CHECK(in == ST_OK || in == ST_BAD_ADDRESS);
		CHECK(out == ST_OK || out == ST_BAD_ADDRESS);
		if (i % 16 == 0)
			yield();
	}
	a->seen = 1;
	actor_await(a);
	for (uint64_t i = 0; i < 4 * PAGE; i += 8)
		CHECK(word_at(memory, i) == 0);
}

/* ---- commit, decommit ---- */

TEST(memory_commit_pays_now)
{
	cap_t memory = new_memory(100);
	uint64_t before = used_of(quota);

	CHECK(sys_memory_commit(memory, 10, 80) == ST_OK);
	uint64_t now = used_of(quota);
	CHECK(now >= before + 80 * PAGE && now <= before + 84 * PAGE);
	CHECK(put(memory, 10 * PAGE, 1) == ST_OK && put(memory, 89 * PAGE, 1) == ST_OK);
	CHECK(used_of(quota) == now);
	CHECK(sys_memory_commit(memory, 10, 80) == ST_OK && used_of(quota) == now);
	CHECK(sys_memory_commit(memory, 100, 0) == ST_OK);
}

TEST(memory_commit_refuses)
{
	cap_t memory = new_memory(4);

	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, 0, 5));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, 4, 1));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, 5, 0));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, 1, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, UINT64_MAX, 1));
	CHECK(REFUSES(ST_BAD_ARG, memory_commit, memory, UINT64_MAX, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_STATE, memory_commit, sealed(4), 0, 4));
	CHECK(REFUSES(ST_BAD_STATE, memory_commit, start->device, 0, 1));
	CHECK(sys_memory_commit(block(4), 0, 4) == ST_OK);
}

TEST(memory_commit_without_enough)
{
	cap_t q = new_quota(40 * PAGE), memory = SYS(memory_create, q, 100, 0).out[0];

	CHECK(sys_memory_commit(memory, 0, 100) == ST_NO_MEMORY);
	CHECK(used_of(q) <= 40 * PAGE);
	CHECK(sys_memory_decommit(memory, 0, 100) == ST_OK);
	CHECK(used_of(q) <= 4 * PAGE);
	CHECK(sys_memory_commit(memory, 60, 20) == ST_OK);
}

TEST(memory_decommit_gives_back)
{
	cap_t memory = new_memory(64);
	uint64_t *va = map(memory, 64, MAP_READ | MAP_WRITE);

	for (unsigned i = 0; i < 64; i++)
		va[i * 512] = i + 1;
	uint64_t before = used_of(quota);
	CHECK(sys_memory_decommit(memory, 8, 32) == ST_OK);
	CHECK(used_of(quota) <= before - 32 * PAGE);
	for (unsigned i = 0; i < 64; i++)
		CHECK(va[i * 512] == (i >= 8 && i < 40 ? 0 : i + 1));
	va[8 * 512] = 77; /* and it can be written again */
	CHECK(word_at(memory, 8 * PAGE) == 77);
}

TEST(memory_decommit_refuses)
{
	cap_t memory = new_memory(4);

	CHECK(REFUSES(ST_BAD_ARG, memory_decommit, memory, 0, 5));
	CHECK(REFUSES(ST_BAD_ARG, memory_decommit, memory, 5, 0));
	CHECK(REFUSES(ST_BAD_ARG, memory_decommit, memory, UINT64_MAX, 2));
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, sealed(4), 0, 1));
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, block(4), 0, 1));
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, start->device, 0, 1));
}

/* A message block stays where it is. */
TEST(memory_decommit_of_a_pinned_page)
{
	cap_t memory = job_block(job_new());

	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, memory, 0, 1));
}

/* ---- share ---- */

TEST(memory_share_is_a_snapshot)
{
	cap_t from = new_memory(4), to = new_memory(8);

	for (uint64_t i = 0; i < 4; i++)
		CHECK(put(from, i * PAGE, i + 1) == ST_OK);
	uint64_t before = used_of(quota);
	CHECK(sys_memory_share(to, from, TO_SHARE(2, 0, 4), SHARE_COPY) == ST_OK);
	CHECK(used_of(quota) <= before + PAGE); /* one payer, once */
	for (uint64_t i = 0; i < 4; i++)
		CHECK(word_at(to, (i + 2) * PAGE) == i + 1);
	CHECK(put(from, 0, 50) == ST_OK && word_at(to, 2 * PAGE) == 1);
	CHECK(put(to, 3 * PAGE, 60) == ST_OK && word_at(from, PAGE) == 2);
	CHECK(sys_object_destroy(from) == ST_OK);
	CHECK(word_at(to, 2 * PAGE) == 1 && word_at(to, 5 * PAGE) == 4);
}

/* What is mapped and written by somebody at that moment is a snapshot as well. */
TEST(memory_share_of_what_is_mapped)
{
	cap_t from = new_memory(4), to = new_memory(4);
	uint64_t *a = map(from, 4, MAP_READ | MAP_WRITE), *b = map(to, 4, MAP_READ | MAP_WRITE);

	a[0] = 1;
	a[512] = 2;
	CHECK(b[0] == 0);
	CHECK(sys_memory_share(to, from, TO_SHARE(0, 0, 4), SHARE_COPY) == ST_OK);
	CHECK(b[0] == 1 && b[512] == 2);
	a[0] = 10;
	b[512] = 20;
	CHECK(b[0] == 1 && a[512] == 2 && a[0] == 10 && b[512] == 20);
}

TEST(memory_share_read_only_for_ever)
{
	cap_t from = new_memory(2), to = new_memory(2);
	uint64_t *va = map(to, 2, MAP_READ | MAP_WRITE);

	CHECK(put(from, 0, 3) == ST_OK);
	CHECK(sys_memory_share(to, from, TO_SHARE(0, 0, 2), SHARE_READ_ONLY) == ST_OK);
	CHECK(va[0] == 3 && !can_write(va) && !can_write(va + 512));
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, to, 0, &(uint64_t){ 4 }, 8));
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, to, PAGE, &(uint64_t){ 4 }, 8));
	CHECK(va[0] == 3 && put(from, 0, 5) == ST_OK && va[0] == 3);
	/* Given back it is a page like any other. */
	CHECK(sys_memory_decommit(to, 0, 1) == ST_OK);
	CHECK(put(to, 0, 6) == ST_OK && va[0] == 6);
}

TEST(memory_share_refuses)
{
	cap_t to = new_memory(8), from = new_memory(4);

	CHECK(put(from, 0, 1) == ST_OK && put(to, 5 * PAGE, 1) == ST_OK);
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 0, 0, 1, 2));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 0, 0, 1, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, to, 0, 4, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, copy_of(to, 0xffff, 0), 0, 4, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 5, 0, 4, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 0, 1, 4, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, UINT64_MAX, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 0, UINT64_MAX, 2, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, from, 0, 0, UINT64_MAX, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, block(4), from, 0, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, start->device, from, 0, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, to, start->device, 0, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_STATE, memory_share, sealed(4), from, 0, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_EXISTS, memory_share, to, from, 5, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_NO_RIGHT, memory_share, to, copy_of(from, RIGHT_MAP, 0), 0, 0, 1, 0));
	CHECK(word_at(to, 0) == 0 && word_at(to, 5 * PAGE) == 1);
	CHECK(sys_memory_share(to, from, TO_SHARE(8, 4, 0), SHARE_COPY) == ST_OK);
}

/* Slices are counted from their first page, on both sides. */
TEST(memory_share_between_slices)
{
	cap_t to = new_memory(8), from = new_memory(8);
	cap_t low = copy_of(to, 0xffff, 2ull << 32 | 3),
	      high = copy_of(from, 0xffff, 5ull << 32 | 2);

	CHECK(put(from, 6 * PAGE, 66) == ST_OK);
	CHECK(sys_memory_share(low, high, TO_SHARE(1, 0, 2), SHARE_COPY) == ST_OK);
	CHECK(word_at(to, 4 * PAGE) == 66);
	CHECK(REFUSES(ST_BAD_ARG, memory_share, low, high, 2, 0, 2, SHARE_COPY));
	CHECK(REFUSES(ST_BAD_ARG, memory_share, low, high, 0, 1, 2, SHARE_COPY));
}

/* From contiguous memory pages are copied; they stay with it. */
TEST(memory_share_from_contiguous)
{
	cap_t from = block(2), to = new_memory(2);

	CHECK(put(from, PAGE, 8) == ST_OK);
	CHECK(sys_memory_share(to, from, TO_SHARE(0, 0, 2), SHARE_COPY) == ST_OK);
	CHECK(word_at(to, PAGE) == 8);
	CHECK(put(from, PAGE, 9) == ST_OK && word_at(to, PAGE) == 8);
	CHECK(sys_object_destroy(from) == ST_OK && word_at(to, PAGE) == 8);
}

TEST(memory_share_without_enough)
{
	cap_t q = new_quota(16 * PAGE), to = SYS(memory_create, q, 64, 0).out[0];
	cap_t from = new_memory(64);

	CHECK(sys_memory_commit(from, 0, 64) == ST_OK && put(from, 0, 1) == ST_OK);
	CHECK(sys_memory_share(to, from, TO_SHARE(0, 0, 64), SHARE_COPY) == ST_NO_MEMORY);
	CHECK(used_of(q) <= 16 * PAGE);
	CHECK(word_at(from, 0) == 1 && put(from, 0, 2) == ST_OK);
	CHECK(sys_object_destroy(to) == ST_OK);
	CHECK(used_of(q) <= PAGE);
}

/* Another quota pays for each page that it shares, and gets all of it back. */
TEST(memory_share_with_another_payer)
{
	cap_t q = new_quota(1 << 20), to = SYS(memory_create, q, 8, 0).out[0];
	cap_t from = new_memory(8);

	CHECK(sys_memory_commit(from, 0, 8) == ST_OK);
	uint64_t before = used_of(q);
	CHECK(sys_memory_share(to, from, TO_SHARE(0, 0, 8), SHARE_COPY) == ST_OK);
	CHECK(used_of(q) == before + 8 * PAGE);
	CHECK(sys_object_destroy(from) == ST_OK);
	CHECK(used_of(q) == before + 8 * PAGE);
	CHECK(sys_memory_decommit(to, 0, 8) == ST_OK);
	CHECK(used_of(q) == before);
}

/* ---- seal ---- */

TEST(memory_seal_is_for_ever)
{
	cap_t memory = new_memory(2);

	CHECK(put(memory, 0, 5) == ST_OK);
	CHECK(sys_memory_seal(memory) == ST_OK);
	CHECK(REFUSES(ST_BAD_STATE, memory_write, memory, 0, &(uint64_t){ 6 }, 8));
	CHECK(REFUSES(ST_BAD_STATE, memory_write, memory, PAGE, &(uint64_t){ 6 }, 8));
	CHECK(REFUSES(ST_BAD_STATE, memory_commit, memory, 1, 1));
	CHECK(REFUSES(ST_BAD_STATE, memory_decommit, memory, 0, 1));
	CHECK(REFUSES(ST_BAD_STATE, aspace_map, start->aspace, memory, 0x7000000000, 0, 1,
		      MAP_READ | MAP_WRITE));
	CHECK(REFUSES(ST_BAD_STATE, thread_configure, start->thread, 0, 0, 0, memory, 0));
	char *va = map(memory, 2, MAP_READ);
	CHECK(va[0] == 5 && va[PAGE] == 0);
	CHECK(REFUSES(ST_BAD_STATE, aspace_protect, start->aspace, va, 2, MAP_READ | MAP_WRITE));
	CHECK(va[0] == 5 && !can_write(va));
}

TEST(memory_seal_waits_for_no_writer)
{
	cap_t memory = new_memory(2);
	char *va = map(memory, 2, MAP_READ | MAP_WRITE);

	va[0] = 1;
	CHECK(REFUSES(ST_BAD_STATE, memory_seal, memory));
	va[0] = 2;
	CHECK(sys_aspace_protect(start->aspace, (uint64_t)va, 2, MAP_READ) == ST_OK);
	CHECK(sys_memory_seal(memory) == ST_OK);
	CHECK(va[0] == 2 && !can_write(va));
	/* A pin for writing is a writer as well. */
	cap_t blocks = job_block(job_new());
	CHECK(REFUSES(ST_BAD_STATE, memory_seal, blocks));
}

TEST(memory_seal_refuses)
{
	cap_t memory = new_memory(4);

	CHECK(REFUSES(ST_BAD_ARG, memory_seal, copy_of(memory, 0xffff, 0ull << 32 | 4)));
	CHECK(REFUSES(ST_BAD_ARG, memory_seal, copy_of(memory, 0xffff, 1ull << 32 | 1)));
	CHECK(put(memory, 0, 1) == ST_OK);
	CHECK(REFUSES(ST_BAD_STATE, memory_seal, make(SYS_memory_view, sealed(1), 0, 0)));
	CHECK(sys_memory_seal(block(4)) == ST_OK);
}

/* ---- views ---- */

TEST(memory_view_writes_are_its_own)
{
	cap_t file = sealed(4), a = make(SYS_memory_view, file, 0, 0);
	cap_t b = make(SYS_memory_view, file, 0, 0);

	CHECK(word_at(a, PAGE) == 101);
	uint64_t before = used_of(quota);
	CHECK(put(a, PAGE, 7) == ST_OK);
	CHECK(used_of(quota) >= before + PAGE);
	CHECK(word_at(a, PAGE) == 7 && word_at(b, PAGE) == 101 && word_at(file, PAGE) == 101);
	CHECK(sys_memory_decommit(a, 1, 1) == ST_OK && word_at(a, PAGE) == 101);
}

TEST(memory_view_of_a_slice)
{
	cap_t file = sealed(4), part = copy_of(file, 0xffff, 1ull << 32 | 2);
	cap_t view = make(SYS_memory_view, part, 0, 0);
	uint64_t word;

	CHECK(word_at(view, 0) == 101 && word_at(view, PAGE) == 102);
	CHECK(REFUSES(ST_BAD_ARG, memory_read, view, 2 * PAGE, &word, 8));
}

TEST(memory_view_refuses)
{
	cap_t file = sealed(2);

	CHECK(REFUSES(ST_BAD_STATE, memory_view, quota, new_memory(2)));
	CHECK(REFUSES(ST_BAD_STATE, memory_view, quota, start->device));
	CHECK(REFUSES(ST_NO_RIGHT, memory_view, quota, copy_of(file, RIGHT_MAP, 0)));
	CHECK(REFUSES(ST_BAD_STATE, memory_view, quota, make(SYS_memory_view, file, 0, 0)));
}

/* With the capability that it was made by, what a view shows goes: but not what is its own. */
TEST(memory_view_ends_with_its_capability)
{
	cap_t file = sealed(2), mine = copy_of(file, 0xffff, 0);
	cap_t view = make(SYS_memory_view, copy_of(mine, 0xffff, 0), 0, 0);
	uint64_t *va = map(view, 2, MAP_READ | MAP_WRITE);
	uint64_t word = 0;

	va[0] = 1;
	CHECK(va[512] == 101);
	CHECK(sys_cap_revoke(start->cspace, mine) == ST_OK);
	CHECK(va[0] == 1 && !can_read(va + 512));
	CHECK(sys_memory_read(view, PAGE, &word, 8) == ST_PEER_GONE && word == 0);
	CHECK(REFUSES(ST_PEER_GONE, memory_write, view, PAGE, &word, 8));
	CHECK(REFUSES(ST_PEER_GONE, memory_commit, view, 1, 1));
	CHECK(REFUSES(ST_PEER_GONE, memory_share, new_memory(1), view, 0, 1, 1, SHARE_COPY));
	CHECK(REFUSES(ST_PEER_GONE, thread_configure, start->thread, 0, 0, 0, view, PAGE));
	CHECK(word_at(view, 0) == 1 && word_at(file, PAGE) == 101);
}

/* ---- devices ---- */

TEST(memory_of_devices_is_no_memory_of_bytes)
{
	uint64_t word;

	CHECK(REFUSES(ST_BAD_STATE, memory_read, start->device, 0, &word, 8));
	CHECK(REFUSES(ST_BAD_STATE, memory_write, start->device, 0, &word, 8));
	CHECK(REFUSES(ST_NO_RIGHT, memory_seal, start->device));
}

/* The RAM of the machine is no device, whatever its number. */
TEST(memory_of_devices_is_not_the_kernels)
{
	cap_t ram = copy_of(start->device, 0xffff, 0x1000ull << 32 | 1); /* at 16 MiB */
	char *va = map(ram, 1, MAP_READ | MAP_WRITE);

	bool reached = can_read(va) || can_write(va);
	/* Nothing of this goes with the case's quota. */
	CHECK(sys_aspace_unmap(start->aspace, (uint64_t)va, 1) == ST_OK);
	CHECK(sys_cap_drop(start->cspace, ram) == ST_OK);
	CHECK(!reached);
}
