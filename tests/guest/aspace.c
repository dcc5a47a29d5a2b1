/* SPDX-License-Identifier: MIT */
/* Calls on address spaces. */
#include "job.h"
#include "refuse.h"
#include <lib/sys/calls.h>

#define PAGE ((uint64_t)MEMORY_PAGE)
#define RW   (MAP_READ | MAP_WRITE)
#define RX   (MAP_READ | MAP_EXEC)

#define FIRST       0x10000ull            /* the lowest address that can be mapped */
#define PERSONALITY 0x00007f8000000000ull /* the last 512 GiB */
#define END         (USER_ADDRESS_END & ~0xfffull)
#define VA          0x7000000000ull /* nothing is here in a new space */

static cap_t new_aspace(enum aspace_kind kind, cap_t half)
{
	return make(SYS_aspace_create, half, kind, 0);
}

static status_t map_at(cap_t as, cap_t memory, uint64_t va, uint64_t page, uint64_t count,
		       uint64_t access)
{
	return SYS(aspace_map, as, memory, va, page, count, access).status;
}

/* ---- create ---- */

TEST(aspace_create_of_each_kind)
{
	cap_t half = new_aspace(ASPACE_PERSONALITY, CAP_NONE);

	new_aspace(ASPACE_PLAIN, CAP_NONE);
	new_aspace(ASPACE_GUEST, half);
	new_aspace(ASPACE_GUEST, half); /* one serves many */
}

TEST(aspace_create_refuses)
{
	cap_t plain = new_aspace(ASPACE_PLAIN, CAP_NONE);
	cap_t half = new_aspace(ASPACE_PERSONALITY, CAP_NONE);
	cap_t guest = new_aspace(ASPACE_GUEST, half);

	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, CAP_NONE, 3));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, half, 3));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, CAP_NONE, UINT64_MAX));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, half, 1ull << 32 | ASPACE_GUEST));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, CAP_NONE, ASPACE_GUEST));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, half, ASPACE_PLAIN));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, half, ASPACE_PERSONALITY));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, plain, ASPACE_GUEST));
	CHECK(REFUSES(ST_BAD_ARG, aspace_create, quota, guest, ASPACE_GUEST));
}

/* ---- map ---- */

TEST(aspace_map_shows_the_memory)
{
	cap_t memory = new_memory(8);
	volatile uint64_t *all = map(memory, 8, RW), *part;
	char *here = (char *)(VA + 64 * PAGE);

	CHECK(map_at(start->aspace, memory, (uint64_t)here, 5, 2, RW) == ST_OK);
	part = (volatile uint64_t *)here;
	all[5 * 512] = 55;
	all[6 * 512] = 66;
	CHECK(part[0] == 55 && part[512] == 66);
	part[0] = 77;
	CHECK(all[5 * 512] == 77);
	CHECK(!can_read(here + 2 * PAGE) && !can_read(here - 1));
}

TEST(aspace_map_refuses_addresses)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(1ull << 32);
	static const uint64_t low[] = { 0, PAGE, FIRST - PAGE };
	static const uint64_t bad[] = {
		FIRST + 1,          VA + 1,
		VA + 2048,          END,
		END + PAGE,         0x0000800000000000,
		0x0100000000000000, 0xffff7ffffffff000,
		0xffff800000000000, 0xffffffff80000000,
		0xfffffffffffff000, UINT64_MAX,
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, bad[i], 0, 1, RW));
		CHECK(REFUSES(ST_BAD_ARG, aspace_unmap, as, bad[i], 1));
		CHECK(REFUSES(ST_BAD_ARG, aspace_protect, as, bad[i], 1, MAP_READ));
		CHECK(REFUSES(ST_BAD_ARG, aspace_scan, as, bad[i], 1, new_pages(1)));
	}
	for (unsigned i = 0; i < ARRAY_LEN(low); i++)
		CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, low[i], 0, 1, RW));
	CHECK(map_at(as, memory, FIRST, 0, 1, RW) == ST_OK);
	CHECK(map_at(as, memory, END - PAGE, 0, 1, RW) == ST_OK);
}

TEST(aspace_map_refuses_lengths)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(1ull << 32);
	uint64_t rest = (END - VA) / PAGE;
	const uint64_t bad[] = {
		0, rest + 1, 1ull << 51, 1ull << 52, (1ull << 52) + 1, UINT64_MAX
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, 0, bad[i], RW));
		CHECK(REFUSES(ST_BAD_ARG, aspace_unmap, as, VA, bad[i]));
		CHECK(REFUSES(ST_BAD_ARG, aspace_protect, as, VA, bad[i], MAP_READ));
	}
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, END - PAGE, 0, 2, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, FIRST, 0, (1ull << 32) + 1, RW));
	CHECK(map_at(as, memory, VA, 0, 1ull << 32, RW) == ST_OK);
	CHECK(REFUSES(ST_EXISTS, aspace_map, as, memory, VA + (1ull << 43), 0, 1, RW));
}

TEST(aspace_map_refuses_pages)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(4);

	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, 0, 5, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, 4, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, UINT64_MAX, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, UINT64_MAX, 2, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, 1ull << 52, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, copy_of(memory, 0xffff, 1ull << 32 | 2), VA, 1, 2,
		      RW));
}

TEST(aspace_map_refuses_access)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(4);
	static const uint64_t bad[] = {
		MAP_WRITE,
		MAP_EXEC,
		MAP_WRITE | MAP_EXEC,
		MAP_READ | MAP_WRITE | MAP_EXEC,
		8,
		8 | RW,
		1ull << 31 | RW,
		1ull << 32,
		1ull << 32 | MAP_READ,
		UINT64_MAX,
	};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(REFUSES(ST_BAD_ARG, aspace_map, as, memory, VA, 0, 1, bad[i]));
	CHECK(map_at(as, memory, VA, 0, 4, RX) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(REFUSES(ST_BAD_ARG, aspace_protect, as, VA, 4, bad[i]));
}

TEST(aspace_map_gives_what_the_capability_allows)
{
	cap_t memory = new_memory(1), as = new_aspace(ASPACE_PLAIN, CAP_NONE);
	static const struct {
		rights_t rights;
		uint64_t access;
	} no[] = {
		{ RIGHT_MAP, MAP_READ },        { RIGHT_MAP | RIGHT_WRITE, MAP_READ },
		{ RIGHT_MAP | RIGHT_READ, RW }, { RIGHT_MAP | RIGHT_READ | RIGHT_EXEC, RW },
		{ RIGHT_MAP | RIGHT_READ, RX }, { RIGHT_MAP | RIGHT_READ | RIGHT_WRITE, RX },
		{ RIGHT_MAP | RIGHT_EXEC, RX }, { RIGHT_READ | RIGHT_WRITE, MAP_READ },
	};

	for (unsigned i = 0; i < ARRAY_LEN(no); i++)
		CHECK(REFUSES(ST_NO_RIGHT, aspace_map, as, copy_of(memory, no[i].rights, 0), VA, 0,
			      1, no[i].access));
	cap_t read = copy_of(memory, RIGHT_MAP | RIGHT_READ, 0);
	CHECK(map_at(as, read, VA, 0, 1, MAP_READ) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, VA, 1, RW));
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, VA, 1, RX));
}

TEST(aspace_map_leaves_what_is_there)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(16);

	CHECK(map_at(as, memory, VA + 4 * PAGE, 0, 4, RW) == ST_OK);
	for (uint64_t at = 4; at < 8; at++)
		CHECK(REFUSES(ST_EXISTS, aspace_map, as, memory, VA + at * PAGE, 0, 1, RW));
	CHECK(REFUSES(ST_EXISTS, aspace_map, as, memory, VA, 0, 16, RW));
	CHECK(REFUSES(ST_EXISTS, aspace_map, as, memory, VA, 0, 5, RW));
	CHECK(REFUSES(ST_EXISTS, aspace_map, as, memory, VA + 7 * PAGE, 0, 5, RW));
	CHECK(map_at(as, memory, VA, 0, 4, RW) == ST_OK);
	CHECK(map_at(as, memory, VA + 8 * PAGE, 0, 4, RW) == ST_OK);
}

/* Device memory is never code. */
TEST(aspace_map_of_devices)
{
	CHECK(REFUSES(ST_NO_RIGHT, aspace_map, start->aspace, start->device, VA, 0xfee00, 1, RX));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, start->aspace, start->device, VA, 1ull << 40, 1,
		      MAP_READ));
}

TEST(aspace_map_halves_keep_to_themselves)
{
	cap_t half = new_aspace(ASPACE_PERSONALITY, CAP_NONE);
	cap_t guest = new_aspace(ASPACE_GUEST, half), memory = new_memory(16);

	CHECK(REFUSES(ST_BAD_ARG, aspace_map, half, memory, PERSONALITY - PAGE, 0, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, half, memory, VA, 0, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, guest, memory, PERSONALITY, 0, 1, RW));
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, guest, memory, PERSONALITY - PAGE, 0, 2, RW));
	CHECK(map_at(half, memory, PERSONALITY, 0, 4, RW) == ST_OK);
	CHECK(map_at(guest, memory, PERSONALITY - 4 * PAGE, 0, 4, RW) == ST_OK);
	/* Writing and executing is for a guest's own code makers alone. */
	CHECK(REFUSES(ST_BAD_ARG, aspace_map, half, memory, PERSONALITY + 8 * PAGE, 0, 1, RW | RX));
	CHECK(map_at(guest, memory, VA, 0, 1, RW | RX) == ST_OK);
}

TEST(aspace_mappings_are_paid_by_the_space)
{
	cap_t q = new_quota(16 * PAGE), as = SYS(aspace_create, q, CAP_NONE, ASPACE_PLAIN).out[0];
	cap_t memory = new_memory(4);
	uint64_t used = used_of(quota), count = 0;

	while (map_at(as, memory, VA + count * 2 * PAGE, 0, 1, RW) == ST_OK)
		count++;
	CHECK(count > 30 && used_of(q) <= 16 * PAGE && used_of(quota) <= used + 16 * PAGE);
	CHECK(REFUSES(ST_NO_MEMORY, aspace_map, as, memory, VA + count * 2 * PAGE, 0, 1, RW));
	CHECK(sys_aspace_unmap(as, VA, count * 2) == ST_OK);
	CHECK(map_at(as, memory, VA, 0, 1, RW) == ST_OK);
}

/* ---- unmap ---- */

TEST(aspace_unmap_cuts_out_a_piece)
{
	cap_t memory = new_memory(9);
	uint64_t *va = map(memory, 9, RW);

	for (unsigned i = 0; i < 9; i++)
		va[i * 512] = i + 1;
	CHECK(sys_aspace_unmap(start->aspace, (uint64_t)(va + 3 * 512), 3) == ST_OK);
	for (unsigned i = 0; i < 9; i++)
		CHECK(can_read(va + i * 512) == (i < 3 || i >= 6));
	for (unsigned i = 0; i < 9; i++)
		CHECK((i >= 3 && i < 6) || va[i * 512] == i + 1);
	/* What lies in it is still there, and the place is free. */
	CHECK(map_at(start->aspace, memory, (uint64_t)(va + 3 * 512), 0, 3, MAP_READ) == ST_OK);
	CHECK(va[3 * 512] == 1);
}

TEST(aspace_unmap_over_holes)
{
	cap_t as = new_aspace(ASPACE_PLAIN, CAP_NONE), memory = new_memory(64);

	CHECK(sys_aspace_unmap(as, FIRST, (END - FIRST) / PAGE) == ST_OK); /* nothing at all */
	for (uint64_t i = 0; i < 200; i++)
		CHECK(map_at(as, memory, VA + i * 5 * PAGE, i % 60, 3, RW) == ST_OK);
	CHECK(sys_aspace_unmap(as, FIRST, (END - FIRST) / PAGE) == ST_OK);
	CHECK(map_at(as, memory, VA, 0, 64, RW) == ST_OK);
}

TEST(aspace_unmap_without_enough_to_split)
{
	cap_t q = new_quota(24 * PAGE), as = SYS(aspace_create, q, CAP_NONE, ASPACE_PLAIN).out[0];
	cap_t memory = new_memory(1 << 16), poor;
	status_t st = ST_OK;
	uint64_t n = 0;

	CHECK(map_at(as, memory, VA, 0, 1 << 16, RW) == ST_OK);
	while (SYS(memory_create, q, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		continue;
	while ((poor = SYS(quota_create, q, 0, 0).out[0]) != CAP_NONE)
		continue;
	while (st == ST_OK && n < 4096)
		st = sys_aspace_unmap(as, VA + (n++ * 4 + 1) * PAGE, 1);
	CHECK(st == ST_NO_MEMORY);
	CHECK(REFUSES(ST_NO_MEMORY, aspace_protect, as, VA + (n * 4 + 1) * PAGE, 1, MAP_READ));
	/* The page is mapped as before; all together can go. */
	CHECK(map_at(as, memory, VA + ((n - 1) * 4 + 1) * PAGE, 0, 1, RW) != ST_OK);
	CHECK(sys_aspace_unmap(as, VA, 1 << 16) == ST_OK);
}

/* ---- protect ---- */

TEST(aspace_protect_takes_and_gives)
{
	uint64_t *va = new_pages(4), at = (uint64_t)va;
	cap_t as = start->aspace;

	va[0] = va[512] = 1;
	CHECK(sys_aspace_protect(as, at, 2, MAP_READ) == ST_OK);
	CHECK(can_read(va) && !can_write(va) && !can_write(va + 512) && can_write(va + 1024));
	CHECK(sys_aspace_protect(as, at, 1, 0) == ST_OK);
	CHECK(!can_read(va) && can_read(va + 512));
	CHECK(sys_aspace_protect(as, at, 4, RW) == ST_OK);
	CHECK(va[512] == 1 && can_write(va) && can_write(va + 512));
	CHECK(sys_aspace_protect(as, at, 4, RX) == ST_OK);
	CHECK(!can_write(va) && can_read(va));
}

TEST(aspace_protect_of_a_hole_changes_nothing)
{
	uint64_t *a = new_pages(2), *b = new_pages(2), at = (uint64_t)a;
	cap_t as = start->aspace;

	CHECK(b == a + 3 * 512); /* one page lies between them */
	CHECK(REFUSES(ST_BAD_ADDRESS, aspace_protect, as, at, 5, MAP_READ));
	CHECK(REFUSES(ST_BAD_ADDRESS, aspace_protect, as, at, 3, MAP_READ));
	CHECK(REFUSES(ST_BAD_ADDRESS, aspace_protect, as, at + 2 * PAGE, 1, MAP_READ));
	CHECK(can_write(a) && can_write(a + 512) && can_write(b));
}

/* All or nothing, if one mapping of several does not allow it. */
TEST(aspace_protect_of_what_does_not_allow_it)
{
	cap_t memory = new_memory(4), read = copy_of(memory, RIGHT_MAP | RIGHT_READ, 0);
	cap_t as = start->aspace;
	uint64_t *va = new_pages(2), at = (uint64_t)va;

	CHECK(map_at(as, read, at + 2 * PAGE, 0, 2, MAP_READ) == ST_OK);
	CHECK(sys_aspace_protect(as, at, 4, MAP_READ) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, at, 4, RW));
	CHECK(!can_write(va) && !can_write(va + 1024));
	CHECK(sys_aspace_unmap(as, at + 2 * PAGE, 2) == ST_OK);
}

/* More than can be looked at before the first is changed. */
TEST(aspace_protect_of_too_many_mappings)
{
	cap_t memory = new_memory(1), as = start->aspace;
	uint64_t *va = new_pages(PROTECT_MAX + 1), at = (uint64_t)va;

	CHECK(sys_aspace_unmap(as, at, PROTECT_MAX + 1) == ST_OK);
	for (uint64_t i = 0; i <= PROTECT_MAX; i++)
		CHECK(map_at(as, memory, at + i * PAGE, 0, 1, RW) == ST_OK);
	CHECK(REFUSES(ST_TOO_BIG, aspace_protect, as, at, PROTECT_MAX + 1, MAP_READ));
	CHECK(can_write(va) && can_write(va + PROTECT_MAX * 512));
	CHECK(sys_aspace_protect(as, at, PROTECT_MAX, MAP_READ) == ST_OK);
	CHECK(!can_write(va) && can_write(va + PROTECT_MAX * 512));
	CHECK(sys_aspace_unmap(as, at, PROTECT_MAX + 1) == ST_OK);
}

/* ---- scan ---- */

TEST(aspace_scan_tells_what_happened)
{
	cap_t as = start->aspace;
	uint64_t *va = new_pages(4), at = (uint64_t)va;
	uint8_t bytes[5] = { 0, 0, 0, 0, 0xee };

	CHECK(sys_aspace_scan(as, at, 4, bytes) == ST_OK);
	for (unsigned i = 0; i < 4; i++)
		CHECK(!(bytes[i] & SCAN_PRESENT));
	va[512] = 1;
	(void)*(volatile uint64_t *)(va + 1024);
	CHECK(sys_aspace_scan(as, at, 4, bytes) == ST_OK);
	CHECK(!(bytes[0] & SCAN_PRESENT) && !(bytes[3] & SCAN_PRESENT) && bytes[4] == 0xee);
	CHECK(bytes[1] == (SCAN_PRESENT | SCAN_ACCESSED | SCAN_DIRTY));
	CHECK(bytes[2] == (SCAN_PRESENT | SCAN_ACCESSED));
	CHECK(sys_aspace_scan(as, at, 4, bytes) == ST_OK);
	CHECK(bytes[1] == SCAN_PRESENT && bytes[2] == SCAN_PRESENT);
	va[513] = 1; /* seen again although this CPU had it cached */
	CHECK(sys_aspace_scan(as, at, 4, bytes) == ST_OK);
	CHECK(bytes[1] == (SCAN_PRESENT | SCAN_ACCESSED | SCAN_DIRTY) && bytes[2] == SCAN_PRESENT);
}

TEST(aspace_scan_refuses)
{
	cap_t as = start->aspace;
	uint8_t *bytes = new_pages(1);
	uint64_t at = (uint64_t)new_pages(100);

	CHECK(REFUSES(ST_TOO_BIG, aspace_scan, as, at, SCAN_MAX + 1, bytes));
	CHECK(REFUSES(ST_TOO_BIG, aspace_scan, as, at, UINT64_MAX, bytes));
	CHECK(REFUSES(ST_BAD_ARG, aspace_scan, as, at, 0, bytes));
	CHECK(REFUSES(ST_BAD_ARG, aspace_scan, as, END - PAGE, 2, bytes));
	CHECK(sys_aspace_scan(as, at, SCAN_MAX, bytes) == ST_OK);
}

static bool scan_to(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, aspace_scan, start->aspace, VA, 16, va);
}

TEST(aspace_scan_to_bad_addresses)
{
	CHECK(each_bad_address(16, true, scan_to));
}

/* ---- several CPUs ---- */

static void write_on(struct actor *a)
{
	volatile uint64_t *va = (volatile uint64_t *)a->arg[0];

	for (uint64_t n = 1;; n++) {
		*va = n;
		a->seen++;
	}
}

/* What unmap and protect take is gone on every CPU when they return. */
TEST(aspace_access_is_gone_everywhere)
{
	cap_t memory = new_memory(1), handler = new_endpoint();
	volatile uint64_t *here = map(memory, 1, MAP_READ);

	for (unsigned i = 0; i < 20; i++) {
		struct actor *a = job_new();
		a->run = write_on;
		a->arg[0] = (uint64_t)map(memory, 1, RW);
		actor_configure(a, CAP_NONE, handler, CAP_NONE);
		actor_start(a);
		while (a->seen == 0)
			yield();
		if (i % 2 == 0)
			CHECK(sys_aspace_unmap(start->aspace, a->arg[0], 1) == ST_OK);
		else
			CHECK(sys_aspace_protect(start->aspace, a->arg[0], 1, MAP_READ) == ST_OK);
		uint64_t last = *here;
		for (unsigned n = 0; n < 50; n++) {
			yield();
			CHECK(*here == last);
		}
		struct message_in m;
		CHECK(sys_endpoint_receive(handler, NEVER, &m) == ST_OK && (m.info & MSG_FAULT));
		CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
		job_kill(a);
	}
}
