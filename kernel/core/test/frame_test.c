/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "child.h"
#include "frame_ok.h"
#include <arch/host/host.h>
#include <core/boot.h>
#include <core/frame.h>
#include <core/spinlock.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* The usual machine has less. */
#define BLOCKS_MAX 20000

struct block {
	paddr_t pa;
	unsigned order;
};

static uint64_t free_frames(void)
{
	struct frame_stats s;

	frame_stats(&s);
	return s.free;
}

/* ---- what boot makes of the memory map ---- */

/* How many bytes of [base, base + size) the ranges of `kind` or `or_kind` cover. */
static uint64_t covered(const struct boot_info *info, uint64_t base, uint64_t size, uint32_t kind,
			uint32_t or_kind)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *r = &info->range[i];
		uint64_t from = r->base > base ? r->base : base;
		uint64_t to = r->base + r->size < base + size ? r->base + r->size : base + size;

		if ((r->kind == kind || r->kind == or_kind) && from < to)
			sum += to - from;
	}
	return sum;
}

static bool touches(uint64_t pa, uint64_t base, uint64_t size)
{
	return size > 0 && pa < base + size && base < pa + FRAME_SIZE;
}

static bool is_ram(const struct boot_info *info, paddr_t pa)
{
	return covered(info, pa, FRAME_SIZE, BOOT_RAM, BOOT_LOADER) == FRAME_SIZE;
}

static bool is_occupied(const struct boot_info *info, paddr_t pa)
{
	return pa == 0 || touches(pa, info->kernel_base, info->kernel_size) ||
	       touches(pa, info->archive_base, info->archive_size);
}

/* A few ranges with odd edges, in few regions of 1 GiB, so that the test is fast. */
static struct boot_info random_machine(struct chance *chance)
{
	static const uint32_t kinds[] = { BOOT_RAM, BOOT_RAM, BOOT_LOADER, BOOT_ACPI,
					  BOOT_RESERVED };
	static const uint64_t starts[] = { 0, GIB(4) - MIB(9), GIB(33) + MIB(3) };
	struct boot_range map[BOOT_RANGES];
	uint32_t count = 0;

	for (unsigned s = 0; s < ARRAY_LEN(starts); s++) {
		uint64_t at = starts[s] + chance_below(chance, 3) * 0x800;

		if (s == 0) { /* where the kernel is */
			map[count++] = (struct boot_range){ at, MIB(8), BOOT_RAM, 0 };
			at += MIB(8);
		}
		for (uint64_t n = chance_below(chance, 6); n > 0; n--) {
			uint64_t size = 1 + chance_below(chance, MIB(2));

			if (chance_below(chance, 2))
				size = ALIGN_UP(size, FRAME_SIZE);
			if (chance_below(chance, 2))
				at += chance_below(chance, KIB(700));
			map[count++] = (struct boot_range){
				at, size, kinds[chance_below(chance, ARRAY_LEN(kinds))], 0
			};
			at += size;
		}
	}
	struct boot_info info = host_machine_of(map, count);
	info.kernel_base = map[0].base + MIB(1) + chance_below(chance, FRAME_SIZE);
	info.kernel_size = 1 + chance_below(chance, MIB(1));
	info.archive_base = map[0].base + MIB(3) + chance_below(chance, FRAME_SIZE);
	info.archive_size = chance_below(chance, KIB(100));
	return info;
}

/* Looks at every frame of the map and some around it. */
static void check_map(const struct boot_info *info)
{
	uint64_t ram = 0, usable = 0, chunks = 0, regions = 0;
	uint64_t last_chunk = UINT64_MAX, last_region = UINT64_MAX;
	struct frame_stats s;

	for (uint32_t i = 0; i < info->range_count; i++) {
		const struct boot_range *r = &info->range[i];
		paddr_t pa = ALIGN_DOWN(r->base, FRAME_SIZE);

		if (i > 0 && info->range[i - 1].base + info->range[i - 1].size > pa)
			pa += FRAME_SIZE; /* seen with the range before */
		for (; pa < r->base + r->size; pa += FRAME_SIZE) {
			CHECK(frame_exists(pa) == is_ram(info, pa));
			CHECK(frame_exists(pa + FRAME_SIZE - 1) == is_ram(info, pa));
			if (!is_ram(info, pa))
				continue;
			ram++;
			bool free =
				covered(info, pa, FRAME_SIZE, BOOT_RAM, BOOT_RAM) == FRAME_SIZE &&
				!is_occupied(info, pa);
			usable += free;
			if (!free)
				CHECK(frame_of(pa)->state == FRAME_BOOT);
			chunks += pa / MIB(1) != last_chunk;
			regions += pa / GIB(1) != last_region;
			last_chunk = pa / MIB(1);
			last_region = pa / GIB(1);
		}
	}
	frame_stats(&s);
	CHECK(s.total == ram);
	/* Taken: a frame of the table for each MiB with RAM, one for all others, two
	 * page tables for each region, and a root. */
	CHECK(s.free == usable - chunks - 1 - 2 * regions - 1);
	CHECK(frame_ok());
}

static uint64_t map_seed;

static void boot_random_map(void)
{
	struct chance chance = { map_seed };
	struct boot_info info = random_machine(&chance);

	host_boot(&info);
	check_map(&info);
}

TEST(frame_boot_maps_are_used_exactly)
{
	static struct child c;

	for (uint64_t i = 0; i < test_rounds(20); i++) {
		map_seed = test_seed() * 1000 + i;
		child_run(&c, boot_random_map);
		CHECK(!c.failed);
	}
}

TEST(frame_exists_is_safe_for_any_number)
{
	struct chance chance = { test_seed() };

	host_boot_usual();
	CHECK(!frame_exists(UINT64_MAX));
	CHECK(!frame_exists(FRAME_LIMIT));
	CHECK(!frame_exists(FRAME_LIMIT - 1));
	CHECK(!frame_exists(MIB(1) - 1));
	CHECK(frame_exists(MIB(1)));
	CHECK(frame_exists(MIB(25) - 1));
	CHECK(!frame_exists(MIB(25)));
	CHECK(!frame_exists(MIB(56)));
	for (unsigned i = 0; i < 100000; i++)
		frame_exists(chance_next(&chance) >> chance_below(&chance, 64));
}

TEST(frame_boot_takes_little_of_128_mib)
{
	static const struct boot_range map[] = {
		{ 0, KIB(636), BOOT_RAM, 0 },
		{ MIB(1), MIB(127), BOOT_RAM, 0 },
	};
	struct boot_info info = host_machine_of(map, ARRAY_LEN(map));
	struct frame_stats s;

	info.kernel_base = MIB(2);
	info.kernel_size = KIB(512);
	host_boot(&info);
	frame_stats(&s);
	CHECK(s.total == (MIB(127) + KIB(636)) / FRAME_SIZE);
	CHECK((s.total - s.free) * FRAME_SIZE < MIB(4));
	/* The table is 16 bytes a frame, give or take its pages' edges. */
	CHECK((s.total - s.free) * FRAME_SIZE < KIB(512) + 16 * s.total + 8 * FRAME_SIZE);
}

TEST(frame_loader_memory_is_freed_when_told)
{
	struct boot_info info = host_usual_machine();
	uint64_t before;

	/* A joint in the middle of a page, and the archive in the loader's range. */
	info.range[1].size += 0x800;
	info.range[2].base += 0x800;
	info.range[2].size -= 0x800;
	info.archive_base = MIB(53) + 100;
	info.archive_size = 5 * FRAME_SIZE;
	host_boot(&info);
	before = free_frames();
	CHECK(frame_of(MIB(54))->state == FRAME_BOOT);

	frame_free_loader();
	/* Not freed: the page that both ranges share, and the two that the archive shares. */
	CHECK(free_frames() == before + MIB(4) / FRAME_SIZE - 3);
	CHECK(frame_of(MIB(52))->state == FRAME_BOOT);
	CHECK(frame_of(MIB(53))->state == FRAME_BOOT);
	CHECK(frame_of(MIB(53) + FRAME_SIZE)->state != FRAME_BOOT);
	CHECK(frame_of(MIB(53) + 5 * FRAME_SIZE)->state == FRAME_BOOT);
	CHECK(frame_of(MIB(53) + 6 * FRAME_SIZE)->state != FRAME_BOOT);
	CHECK(frame_ok());
}

/* ---- before frame_init ---- */

TEST(frame_boot_allocations_stay_taken)
{
	struct boot_info info = host_usual_machine();
	paddr_t pa[8];

	host_machine(&info);
	memset(arch_phys_to_virt(MIB(40)), 0xaa, MIB(12));
	for (unsigned i = 0; i < ARRAY_LEN(pa); i++) {
		unsigned count = 1 + i % 3;
		const uint8_t *byte;

		pa[i] = frame_alloc_boot(count);
		CHECK(pa[i] % FRAME_SIZE == 0 && pa[i] + count * FRAME_SIZE <= GIB(4));
		byte = arch_phys_to_virt(pa[i]);
		for (size_t b = 0; b < count * FRAME_SIZE; b++)
			CHECK(byte[b] == 0);
		memset(arch_phys_to_virt(pa[i]), 0x55, count * FRAME_SIZE);
	}
	CHECK(!frame_ready());
	frame_init();
	CHECK(frame_ready());
	for (unsigned i = 0; i < ARRAY_LEN(pa); i++) {
		for (unsigned n = 0; n < 1 + i % 3; n++)
			CHECK(frame_of(pa[i] + n * FRAME_SIZE)->state == FRAME_BOOT);
		CHECK(*(uint8_t *)arch_phys_to_virt(pa[i]) == 0x55);
	}
	CHECK(frame_ok());
}

static void boot_alloc_too_much(void)
{
	struct boot_info info = host_usual_machine();

	host_machine(&info);
	for (unsigned i = 0; i < 36; i++)
		frame_alloc_boot(MIB(1) / FRAME_SIZE);
}

TEST(frame_boot_refuses_when_memory_is_short)
{
	static struct child c;

	child_run(&c, boot_alloc_too_much);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "cannot start: too little memory: no 256 free frames in a row") == 1);
}

/* ---- allocation ---- */

/* Empties the allocator in the largest blocks that there are, and fills it again. */
static unsigned shape(uint8_t order_of[BLOCKS_MAX])
{
	static struct block taken[BLOCKS_MAX];
	unsigned count = 0;

	frame_cache_drain();
	for (unsigned order = FRAME_ORDER_MAX + 1; order-- > 0;) {
		paddr_t pa;

		while (count < BLOCKS_MAX && frame_alloc(order, FRAME_ANY, &pa)) {
			taken[count] = (struct block){ pa, order };
			order_of[count++] = (uint8_t)order;
		}
	}
	for (unsigned i = 0; i < count; i++)
		frame_free(taken[i].pa, taken[i].order);
	frame_cache_drain();
	return count;
}

/* One byte for each frame that the usual machine has, by number. */
static uint8_t *owner_of(paddr_t pa)
{
	static uint8_t low[MIB(64) / FRAME_SIZE], high[MIB(64) / FRAME_SIZE];

	return pa < GIB(4) ? &low[pa / FRAME_SIZE] : &high[(pa - GIB(4)) / FRAME_SIZE];
}

static void take_checked(struct chance *chance, struct block *b)
{
	enum frame_want want = chance_below(chance, 4) ? FRAME_ANY : FRAME_BELOW_4G;

	b->pa = 1;
	b->order = chance_below(chance, 3) ? 0 : (unsigned)chance_below(chance, 9);
	if (!frame_alloc(b->order, want, &b->pa)) {
		CHECK(b->pa == 1);
		b->pa = 0;
		return;
	}
	CHECK(b->pa % (FRAME_SIZE << b->order) == 0);
	CHECK(want == FRAME_ANY || b->pa < GIB(4));
	for (unsigned i = 0; i < 1u << b->order; i++) {
		CHECK(is_ram(&boot_info, b->pa + i * FRAME_SIZE));
		CHECK(!is_occupied(&boot_info, b->pa + i * FRAME_SIZE));
		CHECK(*owner_of(b->pa + i * FRAME_SIZE) == 0);
		*owner_of(b->pa + i * FRAME_SIZE) = 1;
	}
	CHECK(frame_of(b->pa)->state == FRAME_USED && frame_of(b->pa)->order == b->order);
	CHECK(frame_of(b->pa)->uses == 0);
	CHECK(frame_of(b->pa)->payer == 0 && frame_of(b->pa)->flags == 0);
	frame_of(b->pa)->uses = 7; /* what an owner may leave */
	frame_of(b->pa)->payer = 9;
	frame_of(b->pa)->flags = 10;
}

static void give_checked(struct block *b)
{
	for (unsigned i = 0; i < 1u << b->order; i++)
		*owner_of(b->pa + i * FRAME_SIZE) = 0;
	frame_free(b->pa, b->order);
	b->pa = 0;
}

TEST(frame_random_operations_keep_the_books)
{
	static uint8_t before[BLOCKS_MAX], after[BLOCKS_MAX];
	static struct block held[700];
	struct chance chance = { test_seed() };

	host_boot_usual();
	uint64_t free = free_frames();
	unsigned blocks = shape(before);
	CHECK(blocks < BLOCKS_MAX && free_frames() == free);

	uint64_t out = 0;
	for (uint64_t i = 0; i < test_rounds(100000); i++) {
		struct block *b = &held[chance_below(&chance, ARRAY_LEN(held))];

		if (b->pa != 0) {
			out -= 1u << b->order;
			give_checked(b);
		} else {
			take_checked(&chance, b);
			if (b->pa != 0)
				out += 1u << b->order;
		}
		CHECK(free_frames() == free - out);
		if (i % 10000 == 0)
			CHECK(frame_ok());
	}
	for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
		if (held[i].pa != 0)
			give_checked(&held[i]);
	}
	CHECK(free_frames() == free);
	CHECK(frame_ok());
	CHECK(shape(after) == blocks && memcmp(before, after, blocks) == 0);
}

TEST(frame_zones_are_kept_apart)
{
	paddr_t pa;
	uint64_t high = 0, low = 0;

	host_boot_usual();
	uint64_t free = free_frames();
	while (frame_alloc(0, FRAME_BELOW_4G, &pa)) {
		CHECK(pa < GIB(4));
		low++;
	}
	while (frame_alloc(0, FRAME_ANY, &pa)) {
		CHECK(pa >= GIB(4));
		high++;
	}
	CHECK(low > 0 && high > 0 && low + high == free);
	CHECK(!frame_alloc(1, FRAME_ANY, &pa));
	CHECK(frame_ok());
}

TEST(frame_any_prefers_high_and_falls_back)
{
	paddr_t pa;

	host_boot_usual();
	uint64_t free = free_frames();
	CHECK(frame_alloc(3, FRAME_ANY, &pa) && pa >= GIB(4));
	frame_free(pa, 3);
	bool was_high = true;
	for (uint64_t i = 0; i < free; i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &pa));
		CHECK(was_high || pa < GIB(4)); /* never up again */
		was_high = pa >= GIB(4);
	}
	CHECK(!was_high);
	CHECK(!frame_alloc(0, FRAME_ANY, &pa));
	CHECK(frame_ok());
}

TEST(frame_exhaustion_is_an_answer)
{
	static paddr_t held[BLOCKS_MAX];
	uint64_t count = 0;
	paddr_t untouched = 12345;

	host_boot_usual();
	uint64_t free = free_frames();
	while (count < BLOCKS_MAX && frame_alloc(0, FRAME_ANY, &held[count])) {
		CHECK((*owner_of(held[count]))++ == 0);
		count++;
	}
	CHECK(count == free && free_frames() == 0);
	CHECK(!frame_alloc(0, FRAME_ANY, &untouched) &&
	      !frame_alloc(0, FRAME_BELOW_4G, &untouched));
	CHECK(!frame_alloc(5, FRAME_ANY, &untouched) && untouched == 12345);
	for (uint64_t i = 0; i < count; i++)
		frame_free(held[i], 0);
	CHECK(free_frames() == free);
	CHECK(frame_ok());
}

/* Frames in the cache can be all that keeps a block from being whole. */
TEST(frame_block_is_made_whole_from_the_cache)
{
	static const struct boot_range map[] = { { MIB(1), KIB(640), BOOT_RAM, 0 } };
	struct boot_info info = host_machine_of(map, ARRAY_LEN(map));
	static paddr_t held[200];
	unsigned count = 0;
	struct frame_stats s;
	paddr_t block;

	host_boot(&info);
	frame_stats(&s);
	unsigned largest = (unsigned)s.largest;
	CHECK(frame_alloc(largest, FRAME_ANY, &block));
	frame_free(block, largest);
	while (frame_alloc(0, FRAME_ANY, &held[count]))
		count++;
	for (unsigned inside = 0; inside < 2; inside++) { /* the block's own come last */
		for (unsigned i = 0; i < count; i++) {
			if ((held[i] - block < FRAME_SIZE << largest) == inside)
				frame_free(held[i], 0);
		}
	}
	frame_stats(&s);
	CHECK(s.largest < largest); /* else this shows nothing */
	CHECK(frame_alloc(largest, FRAME_ANY, &block));
	CHECK(frame_ok());
}

TEST(frame_low_machine_caches_low_frames)
{
	static const struct boot_range map[] = { { MIB(1), MIB(16), BOOT_RAM, 0 } };
	struct boot_info info = host_machine_of(map, ARRAY_LEN(map));
	paddr_t pa, again;

	host_boot(&info);
	CHECK(frame_alloc(0, FRAME_ANY, &pa));
	frame_free(pa, 0);
	CHECK(frame_alloc(0, FRAME_BELOW_4G, &again) && again == pa);
	frame_free(again, 0);
	CHECK(frame_alloc(0, FRAME_ANY, &again) && again == pa);
}

TEST(frame_zero_clears_the_block_and_no_more)
{
	paddr_t pa;

	host_boot_usual();
	CHECK(frame_alloc(3, FRAME_ANY, &pa));
	uint8_t *byte = arch_phys_to_virt(pa);
	memset(byte, 0xff, 8 * FRAME_SIZE);
	frame_zero(pa + FRAME_SIZE, 0);
	frame_zero(pa + 4 * FRAME_SIZE, 1);
	for (size_t i = 0; i < 8 * FRAME_SIZE; i++) {
		size_t frame = i / FRAME_SIZE;
		CHECK((byte[i] == 0) == (frame == 1 || frame == 4 || frame == 5));
	}
}

TEST(frame_failed_step_changes_nothing)
{
	paddr_t pa = 1;

	host_boot_usual();
	uint64_t free = free_frames();
	host_fail_step(1);
	CHECK(frame_alloc(0, FRAME_ANY, &pa));
	frame_free(pa, 0);
	pa = 1;
	CHECK(!frame_alloc(0, FRAME_ANY, &pa) && pa == 1);
	CHECK(frame_alloc(4, FRAME_ANY, &pa));
	frame_free(pa, 4);
	CHECK(free_frames() == free && frame_ok());
}

/* ---- misuse ends the kernel ---- */

static paddr_t take(unsigned order)
{
	paddr_t pa;

	host_boot_usual();
	if (!frame_alloc(order, FRAME_ANY, &pa))
		exit(0);
	return pa;
}

static void free_twice(void)
{
	paddr_t pa = take(0);

	frame_free(pa, 0);
	frame_free(pa, 0);
}

static void free_twice_behind_the_cache(void)
{
	paddr_t pa = take(0);

	frame_free(pa, 0);
	frame_cache_drain();
	frame_free(pa, 0);
}

static void free_block_twice(void)
{
	paddr_t pa = take(4);

	frame_free(pa, 4);
	frame_free(pa, 4);
}

static void free_wrong_order(void)
{
	frame_free(take(2), 3);
}

static void free_wrong_order_single(void)
{
	frame_free(take(2), 0);
}

static void free_inside(void)
{
	frame_free(take(2) + FRAME_SIZE, 0);
}

static void free_unaligned(void)
{
	frame_free(take(0) + 8, 0);
}

static void free_reserved(void)
{
	take(0);
	frame_free(boot_info.kernel_base, 0);
}

static void free_nothing(void)
{
	take(0);
	frame_free(MIB(30), 0);
}

static void free_beyond(void)
{
	take(0);
	frame_free(FRAME_LIMIT + MIB(4), 0);
}

static void alloc_boot_late(void)
{
	take(0);
	frame_alloc_boot(1);
}

TEST(frame_misuse_panics)
{
	static const struct {
		void (*misuse)(void);
		const char *words;
	} cases[] = {
		{ free_twice, "order 0: it is free already" },
		{ free_twice_behind_the_cache, "order 0: it is " },
		{ free_block_twice, "order 4: it is " },
		{ free_wrong_order, "order 3: it is allocated, of order 2" },
		{ free_wrong_order_single, "order 0: it is allocated, of order 2" },
		{ free_inside, "it is inside a block" },
		{ free_unaligned, "it is allocated" },
		{ free_reserved, "it is taken for ever" },
		{ free_nothing, "frame_free: 0x1e00000 is not RAM" },
		{ free_beyond, "is not RAM" },
		{ alloc_boot_late, "assertion failed: !ready" },
	};
	static struct child c;

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		child_run(&c, cases[i].misuse);
		CHECK(child_gave_up(&c));
		CHECK(child_said(&c, cases[i].words) == 1);
	}
}

/* ---- many CPUs ---- */

#define STORM_HELD 100

/* Each CPU signs what it holds; the signature is still there when it frees. */
static void storm(unsigned id)
{
	struct chance chance = { test_seed() * 64 + id };
	struct block held[STORM_HELD] = { 0 };

	for (uint64_t i = 0; i < test_rounds(20000); i++) {
		struct block *b = &held[chance_below(&chance, STORM_HELD)];

		if (b->pa != 0) {
			for (unsigned n = 0; n < 1u << b->order; n++) {
				uint64_t *word = arch_phys_to_virt(b->pa + n * FRAME_SIZE);
				CHECK(*word == ((uint64_t)id << 32) + n);
			}
			frame_free(b->pa, b->order);
			b->pa = 0;
			continue;
		}
		b->order = chance_below(&chance, 8) ? 0 : (unsigned)chance_below(&chance, 5);
		if (!frame_alloc(b->order, i % 3 ? FRAME_ANY : FRAME_BELOW_4G, &b->pa)) {
			b->pa = 0;
			continue;
		}
		for (unsigned n = 0; n < 1u << b->order; n++) {
			uint64_t *word = arch_phys_to_virt(b->pa + n * FRAME_SIZE);
			*word = ((uint64_t)id << 32) + n;
		}
	}
	for (unsigned i = 0; i < STORM_HELD; i++) {
		if (held[i].pa != 0)
			frame_free(held[i].pa, held[i].order);
	}
}

static void drain(unsigned id)
{
	(void)id;
	frame_cache_drain();
}

TEST(frame_storm_on_four_cpus)
{
	static uint8_t before[BLOCKS_MAX], after[BLOCKS_MAX];

	host_boot_usual();
	uint64_t free = free_frames();
	unsigned blocks = shape(before);
	host_cpus_run(4, storm);
	CHECK(free_frames() == free);
	CHECK(frame_ok());
	host_cpus_run(4, drain);
	CHECK(free_frames() == free && frame_ok());
	CHECK(shape(after) == blocks && memcmp(before, after, blocks) == 0);
}

static void alloc_and_free(unsigned id)
{
	paddr_t pa;

	(void)id;
	for (unsigned i = 0; i < 20000; i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &pa));
		frame_free(pa, 0);
	}
}

/* What one CPU frees it allocates again, without meeting the others at a lock. */
TEST(frame_caches_take_no_common_lock)
{
	host_boot_usual();
	host_cpus_run(4, drain); /* start them */
	uint64_t waits = spin_contended_total();
	host_cpus_run(4, alloc_and_free);
	CHECK(spin_contended_total() - waits <= 4); /* each filled its cache once */
}
