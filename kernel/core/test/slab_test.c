/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "child.h"
#include <arch/host/host.h>
#include <core/frame.h>
#include <core/grace.h>
#include <core/slab.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define TYPE 3

static struct slab_cache cache;
static struct slab_magazine magazine[CPU_MAX];

static struct slab_stats stats(void)
{
	struct slab_stats s;

	slab_stats(&cache, &s);
	return s;
}

static uint64_t free_frames(void)
{
	struct frame_stats s;

	frame_stats(&s);
	return s.free;
}

static void begin(size_t size)
{
	host_boot_usual();
	slab_cache_init(&cache, TYPE, size, LOCK_IPC);
}

/* Everything behind the header. */
static uint8_t *body(struct object *o)
{
	return (uint8_t *)(o + 1);
}

static bool body_is_zero(struct object *o)
{
	for (size_t i = 0; i < cache.size - sizeof(*o); i++) {
		if (body(o)[i] != 0)
			return false;
	}
	return true;
}

static void dirty(struct object *o)
{
	memset(body(o), 0xa5, cache.size - sizeof(*o));
}

/* Leaves the kernel and reclaims until nothing more comes. */
static unsigned reclaim_all(void)
{
	unsigned freed = 0;

	for (unsigned i = 0; i < 5; i++) {
		freed += slab_reclaim(&cache);
		host_user_mode();
	}
	return freed;
}

/* ---- slots ---- */

static void check_slots(size_t size)
{
	static struct object *held[200];
	uint64_t used = 0;

	slab_cache_init(&cache, TYPE, size, LOCK_IPC);
	for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
		held[i] = slab_alloc(&cache);
		CHECK(held[i] != NULL && stats().slots_used == ++used);
		CHECK((uintptr_t)held[i] % OBJECT_GRANULE == 0);
		CHECK(held[i]->type == TYPE && held[i]->lock.rank == LOCK_IPC);
		CHECK(body_is_zero(held[i]));
		dirty(held[i]);
		held[i]->gen = (object_gen_t)i;
	}
	CHECK(slab_ok(&cache));
	for (unsigned i = 0; i < ARRAY_LEN(held); i++) { /* nobody wrote into another */
		CHECK(held[i]->gen == i && held[i]->type == TYPE);
		for (size_t b = 0; b < size - sizeof(struct object); b++)
			CHECK(body(held[i])[b] == 0xa5);
	}
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		slab_free(&cache, held[i]);
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
	CHECK(reclaim_all() > 0 && stats().pages == 0);
}

TEST(slab_slots_of_every_size)
{
	begin(OBJECT_GRANULE);
	uint64_t free = free_frames();
	for (size_t size = OBJECT_GRANULE; size <= SLAB_SIZE_MAX; size += OBJECT_GRANULE) {
		check_slots(size);
		CHECK(free_frames() == free);
	}
	CHECK(frame_ok());
}

/* The slots of a dirty page keep type and generation, and are handed out clean. */
TEST(slab_reuse_keeps_the_generation)
{
	static struct object *held[105]; /* 5 pages of 21 */
	;

	begin(192);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
			held[i] = slab_alloc(&cache);
			CHECK(held[i]->gen == round);
			CHECK(held[i]->type == TYPE && body_is_zero(held[i]));
			dirty(held[i]);
			object_start(held[i]);
		}
		for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
			CHECK(object_kill(held[i]));
			slab_free(&cache, held[i]);
			CHECK(held[i]->gen == round + 1 && held[i]->type == TYPE);
		}
	}
	CHECK(stats().pages == 5); /* none was added */
}

/* Pages that hold slots in use are filled up first, so that others get empty. */
TEST(slab_fills_pages_in_use_first)
{
	static struct object *held[42];

	begin(192);
	for (unsigned i = 0; i < 42; i++)
		held[i] = slab_alloc(&cache);
	for (unsigned i = 0; i < 41; i++)
		slab_free(&cache, held[i]);
	struct object *again = slab_alloc(&cache);
	CHECK(ALIGN_DOWN((uintptr_t)again, FRAME_SIZE) ==
	      ALIGN_DOWN((uintptr_t)held[41], FRAME_SIZE));
	CHECK(reclaim_all() == 1);
}

TEST(slab_objects_have_ids)
{
	static const struct boot_range map[] = {
		{ MIB(1), MIB(8), BOOT_RAM, 0 },
		{ GIB(256) - MIB(1), MIB(8), BOOT_RAM, 0 },
	};
	struct boot_info info = host_machine_of(map, ARRAY_LEN(map));
	unsigned below = 0;

	host_boot(&info);
	slab_cache_init(&cache, TYPE, 2048, LOCK_IPC);
	uint64_t free = free_frames();
	for (unsigned i = 0; i < 1000; i++) {
		const struct object *o = slab_alloc(&cache);

		CHECK(o != NULL);
		CHECK(arch_virt_to_phys(o) < OBJECT_LIMIT && object_at(object_id(o)) == o);
		below += arch_virt_to_phys(o) < GIB(4);
	}
	CHECK(below > 0);
	CHECK(free_frames() == free - stats().pages);
}

/* ---- shortage ---- */

static void fail_each_step(void)
{
	static struct object *held[100];
	unsigned count = 0;

	for (uint64_t pages = stats().pages; stats().pages < pages + 2;) {
		struct slab_stats before = stats();
		uint64_t free = free_frames();
		int64_t step = 0;

		for (;; step++) {
			host_fail_step(step);
			struct object *o = slab_alloc(&cache);
			host_fail_step(-1);
			if (o != NULL) {
				held[count++] = o;
				break;
			}
			CHECK(stats().pages == before.pages);
			CHECK(stats().slots_used == before.slots_used);
			CHECK(free_frames() == free && slab_ok(&cache));
		}
		CHECK(step == 1 || step == 2); /* the slot, and with a new page its frame */
		CHECK((step == 2) == (stats().pages > before.pages));
	}
	for (unsigned i = 0; i < count; i++)
		slab_free(&cache, held[i]);
}

TEST(slab_failed_step_changes_nothing)
{
	begin(256);
	fail_each_step();
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
}

TEST(slab_failed_step_changes_nothing_with_magazines)
{
	begin(256);
	slab_cache_magazines(&cache, magazine);
	fail_each_step();
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
}

TEST(slab_exhaustion_is_an_answer)
{
	paddr_t pa, last = 0;

	begin(1024);
	while (frame_alloc(0, FRAME_ANY, &pa))
		last = pa;
	CHECK(slab_alloc(&cache) == NULL && stats().pages == 0);
	frame_free(last, 0);
	CHECK(slab_alloc(&cache) != NULL && stats().pages == 1);
}

/* ---- pages go back after a grace period ---- */

TEST(slab_page_waits_for_the_grace_period)
{
	begin(512);
	uint64_t free = free_frames();
	struct object *o = slab_alloc(&cache);
	slab_free(&cache, o);
	CHECK(free_frames() == free - 1 && stats().pages == 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK(slab_reclaim(&cache) == 0); /* this CPU is inside the kernel */
	CHECK(stats().pages == 1);
	host_user_mode();
	CHECK(stats().pages == 1);
	CHECK(slab_reclaim(&cache) == 1);
	CHECK(stats().pages == 0 && free_frames() == free);
}

/* A page on its way out is taken into use again rather than a new one; when it gets
 * empty the next time, the old period does not count. */
TEST(slab_waiting_page_is_used_again)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	slab_free(&cache, o);
	CHECK(slab_reclaim(&cache) == 0);
	CHECK(slab_alloc(&cache) == o && stats().pages == 1);
	host_user_mode();
	CHECK(slab_reclaim(&cache) == 0 && stats().pages == 1);
	CHECK(slab_ok(&cache));
	slab_free(&cache, o);
	CHECK(slab_reclaim(&cache) == 0 && slab_reclaim(&cache) == 0);
	host_user_mode();
	CHECK(slab_reclaim(&cache) == 1);
}

static _Atomic unsigned stage;

static void hold_the_page(unsigned id)
{
	if (id == 0) {
		struct object *o = slab_alloc(&cache);

		while (stage == 0)
			arch_cpu_relax();
		slab_free(&cache, o);
		CHECK(reclaim_all() == 0 && stats().pages == 1);
		stage = 2;
		while (stage == 2)
			arch_cpu_relax();
		CHECK(reclaim_all() == 1 && stats().pages == 0);
		return;
	}
	stage = 1;
	while (stage == 1) {
		tlb_serve();
		arch_cpu_relax();
	}
	cpu_leave_kernel(arch_this_cpu());
	stage = 3;
}

TEST(slab_page_is_held_by_a_cpu_inside_the_kernel)
{
	begin(512);
	host_cpus_run(2, hold_the_page);
}

static void come_and_go(unsigned id)
{
	(void)id;
}

TEST(slab_page_is_not_held_by_idle_cpus)
{
	begin(512);
	host_cpus_run(4, come_and_go);
	while (!cpu_by_id[1]->idle || !cpu_by_id[2]->idle || !cpu_by_id[3]->idle)
		arch_cpu_relax();
	slab_free(&cache, slab_alloc(&cache));
	CHECK(reclaim_all() == 1);
}

/* ---- magazines ---- */

TEST(slab_magazine_is_bounded_and_comes_back)
{
	static struct object *held[63];

	begin(OBJECT_GRANULE);
	slab_cache_magazines(&cache, magazine);
	for (unsigned i = 0; i < 63; i++)
		held[i] = slab_alloc(&cache);
	CHECK(stats().slots_used == 63 && stats().pages == 1);
	for (unsigned i = 0; i < 63; i++) {
		slab_free(&cache, held[i]);
		CHECK(magazine[0].count <= SLAB_MAGAZINE);
		CHECK(stats().slots_used == 62 - i);
	}
	CHECK(magazine[0].count > 0 && slab_ok(&cache));
	CHECK(reclaim_all() == 1 && magazine[0].count == 0);
}

static void make_and_drop(unsigned id)
{
	(void)id;
	for (unsigned i = 0; i < 5000; i++) {
		struct object *o = slab_alloc(&cache);

		CHECK(o != NULL && body_is_zero(o));
		dirty(o);
		slab_free(&cache, o);
	}
}

TEST(slab_magazines_take_no_common_lock)
{
	begin(256);
	slab_cache_magazines(&cache, magazine);
	host_cpus_run(4, come_and_go);
	uint64_t waits = spin_contended_total();
	host_cpus_run(4, make_and_drop);
	CHECK(spin_contended_total() - waits <= 12); /* filling: slab, again slab, frames */
	CHECK(slab_ok(&cache));
}

/* ---- misuse ---- */

static void free_twice(void)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	slab_free(&cache, o);
	slab_free(&cache, o);
}

static void free_twice_into_magazine(void)
{
	begin(512);
	slab_cache_magazines(&cache, magazine);
	struct object *o = slab_alloc(&cache);
	slab_free(&cache, o);
	slab_free(&cache, o);
}

/* Twice from different CPUs, so that one magazine does not see both. */
static void free_everywhere(unsigned id)
{
	static struct object *o;

	if (id == 0) {
		o = slab_alloc(&cache);
		stage = 1;
	}
	while (stage != id + 1) {
		tlb_serve(); /* the other one reclaims */
		arch_cpu_relax();
	}
	slab_free(&cache, o);
	slab_reclaim(&cache);
	stage = stage + 1;
}

static void free_twice_on_two_cpus(void)
{
	begin(512);
	slab_cache_magazines(&cache, magazine);
	host_cpus_run(2, free_everywhere);
}

static void free_inside(void)
{
	begin(512);
	slab_free(&cache, slab_alloc(&cache) + 1);
}

static void free_to_another(void)
{
	struct slab_cache another;

	begin(512);
	slab_cache_init(&another, TYPE, 512, LOCK_IPC);
	slab_free(&another, slab_alloc(&cache));
}

TEST(slab_misuse_panics)
{
	static void (*const misuses[])(void) = { free_twice, free_twice_into_magazine,
						 free_twice_on_two_cpus, free_inside,
						 free_to_another };
	static struct child c;

	for (unsigned i = 0; i < ARRAY_LEN(misuses); i++) {
		child_run(&c, misuses[i]);
		CHECK(child_gave_up(&c));
		CHECK(child_said(&c, "is no slot in use") + child_said(&c, "!magazine_has(m, o)") ==
		      1);
	}
}

/* ---- a storm with look-ups that hold no reference ---- */

#define STORM_CPUS 4
#define PLACES     48

struct thing {
	struct object obj;
	uint64_t value[20]; /* all the same, guarded by obj.lock */
};

/* As a capability slot: id and generation, 0: empty. Read without a lock. */
static _Atomic uint64_t place[PLACES];

static uint64_t token_of(const struct object *o)
{
	return (uint64_t)object_id(o) << 16 | o->gen;
}

/* Reads the place, locks what it names, and looks whether it still is that. */
static void look_up(unsigned at)
{
	uint64_t token = place[at];
	struct object *o = object_at((object_id_t)(token >> 16));

	if (token == 0)
		return;
	spin_lock(&o->lock);
	CHECK(o->type == TYPE);
	if (object_is(o, TYPE, (object_gen_t)token)) {
		struct thing *t = (struct thing *)o;

		t->value[0]++;
		for (unsigned i = 1; i < ARRAY_LEN(t->value); i++)
			CHECK(++t->value[i] == t->value[0]);
	}
	spin_unlock(&o->lock);
}

static void put_thing(unsigned at)
{
	struct thing *t = (struct thing *)slab_alloc(&cache);
	uint64_t none = 0;

	CHECK(t != NULL && body_is_zero(&t->obj));
	object_start(&t->obj);
	uint64_t token = token_of(&t->obj);
	if (!atomic_compare_exchange_strong(&place[at], &none, token)) {
		CHECK(object_kill(&t->obj));
		slab_free(&cache, &t->obj);
	}
}

/* Whoever empties the place destroys what it named. */
static void clear_thing(unsigned at)
{
	uint64_t token = atomic_exchange(&place[at], 0);
	struct object *o = object_at((object_id_t)(token >> 16));

	if (token == 0)
		return;
	CHECK(object_kill(o));
	slab_free(&cache, o);
}

static void storm(unsigned id)
{
	struct chance chance = { test_seed() * 64 + id };

	for (uint64_t i = 0; i < test_rounds(4000); i++) {
		unsigned at = (unsigned)chance_below(&chance, PLACES);

		switch (chance_below(&chance, 8)) {
		case 0:
			put_thing(at);
			break;
		case 1:
			clear_thing(at);
			break;
		case 2:
			if (chance_below(&chance, 16) == 0)
				slab_reclaim(&cache);
			break;
		default:
			look_up(at);
		}
		if (chance_below(&chance, 4) == 0)
			host_user_mode();
	}
}

static void reclaim(unsigned id)
{
	(void)id;
	slab_reclaim(&cache);
}

static void run_storm(void)
{
	uint64_t free = free_frames();

	host_cpus_run(STORM_CPUS, storm);
	for (unsigned i = 0; i < PLACES; i++)
		clear_thing(i);
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
	for (unsigned i = 0; i < 4; i++) {
		host_cpus_run(STORM_CPUS, reclaim);
		host_user_mode();
	}
	CHECK(stats().pages == 0 && free_frames() == free);
	CHECK(frame_ok());
}

TEST(slab_storm_with_stale_look_ups)
{
	begin(sizeof(struct thing) + OBJECT_GRANULE - sizeof(struct thing) % OBJECT_GRANULE);
	run_storm();
}

TEST(slab_storm_with_magazines)
{
	begin(sizeof(struct thing) + OBJECT_GRANULE - sizeof(struct thing) % OBJECT_GRANULE);
	slab_cache_magazines(&cache, magazine);
	run_storm();
}
