/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "child.h"
#include "frame_ok.h"
#include "world.h"
#include <core/frame.h>
#include <core/grace.h>
#include <core/slab.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define TYPE OBJ_MEMORY

static struct slab_cache cache; /* nobody pays */

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

static void init(size_t size)
{
	slab_cache_init(&cache, NULL, TYPE, size);
}

static void begin(size_t size)
{
	host_boot_usual();
	init(size);
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

/* Gives back an object that somebody was told. */
static void put_into(struct slab_cache *c, struct object *o)
{
	slab_publish(o);
	slab_free(c, o);
}

static void put(struct object *o)
{
	put_into(&cache, o);
}

static unsigned reclaim(bool keep_one)
{
	grace_poll();
	unsigned left = slab_reclaim(&cache, keep_one, &(unsigned){ SLAB_BATCH });
	grace_poll();
	return left;
}

static unsigned reclaim_some(struct quota *q)
{
	(void)q; /* nobody pays */
	return reclaim(false);
}

/* What stays. */
static unsigned reclaim_all(void)
{
	return give_back_all(reclaim_some, NULL);
}

/* ---- slots ---- */

static void check_slots(size_t size)
{
	static struct object *held[200];
	uint64_t used = 0;

	init(size);
	for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
		held[i] = slab_alloc(&cache);
		CHECK(held[i] != NULL && stats().slots_used == ++used);
		CHECK((uintptr_t)held[i] % OBJECT_GRANULE == 0);
		CHECK(held[i]->type == TYPE && held[i]->lock.rank == LOCK_MEMORY);
		CHECK(held[i]->tree.rank == LOCK_TREE && body_is_zero(held[i]));
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
		put(held[i]);
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
	CHECK(stats().pages > 0 && reclaim_all() == 0 && stats().pages == 0);
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

	begin(192);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
			held[i] = slab_alloc(&cache);
			CHECK(held[i]->gen == round);
			CHECK(held[i]->type == TYPE && body_is_zero(held[i]));
			dirty(held[i]);
			held[i]->gen++;
		}
		for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
			put(held[i]);
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
		put(held[i]);
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
	init(1984);
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

TEST(slab_object_knows_its_own)
{
	begin(192);
	struct object *o = slab_alloc(&cache);
	struct object *other = slab_alloc(&cache);
	object_id_t id = object_id(o);

	CHECK(slab_object(id, TYPE) == NULL); /* nobody was told */
	slab_publish(o);
	CHECK(slab_object(id, TYPE) == o && slab_object(object_id(other), TYPE) == other);
	CHECK(slab_object(id, TYPE + 1) == NULL && slab_object(id, 0x100 | TYPE) == NULL);
	CHECK(slab_object(id + 1, TYPE) == NULL && slab_object(id + 2, TYPE) == NULL);
	CHECK(slab_object(id - 1, TYPE) == NULL); /* the head of the page */
	for (unsigned shift = 12; shift < 32; shift++)
		CHECK(slab_object(id ^ 1u << shift, TYPE) == NULL);
	CHECK(slab_object(0, TYPE) == NULL && slab_object(UINT32_MAX, TYPE) == NULL);
	put(o);
	put(other);
	CHECK(slab_object(id, TYPE) == o); /* dead, but memory for one */
	CHECK(reclaim_all() == 0);
	CHECK(slab_object(id, TYPE) == NULL);
	init(192);
	slab_publish(slab_alloc(&cache)); /* in the same frame */
	CHECK(slab_object(id, TYPE) != NULL);
}

/* No number leads to a page in limbo, so whoever found one before leaves the kernel before the
 * page is given back; but when it is used again it is found again. */
TEST(slab_object_in_limbo_is_not_found)
{
	begin(192);
	struct object *o = slab_alloc(&cache);
	put(o);
	CHECK(slab_object(object_id(o), TYPE) == o);
	CHECK(reclaim(false) == 1);
	CHECK(slab_object(object_id(o), TYPE) == NULL);
	CHECK(slab_alloc(&cache) == o && slab_object(object_id(o), TYPE) == o);
	slab_free(&cache, o); /* who was told before may be looking */
	CHECK(stats().pages == 1 && reclaim_all() == 0);
}

/* ---- who pays ---- */

TEST(slab_pages_are_charged_and_refunded)
{
	static struct object *held[100];

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	struct slab_cache *c = &q->slab[OBJ_NONE];
	uint64_t before = free_frames();
	for (unsigned i = 0; i < 100; i++) {
		held[i] = slab_alloc(c);
		CHECK(held[i] != NULL && q->used == c->pages * FRAME_SIZE);
		CHECK(frame_of(arch_virt_to_phys(held[i]))->payer == object_id(&q->obj));
	}
	CHECK(quota_ok(q, 0) && before - free_frames() == c->pages);
	for (unsigned i = 0; i < 100; i++)
		put_into(c, held[i]);
	CHECK(quota_ok(q, 0));
	CHECK(used_after_all(q) == 0 && free_frames() == before);
}

/* Of several empty pages one is kept; the others do not wait to be asked for. */
TEST(slab_keeps_one_empty_page)
{
	static struct object *held[60];

	begin(192);
	for (unsigned i = 0; i < 60; i++)
		held[i] = slab_alloc(&cache);
	CHECK(stats().pages == 3);
	for (unsigned i = 0; i < 60; i++) {
		put(held[i]);
		host_user_mode();
	}
	for (unsigned i = 0; i < 3; i++) { /* as other objects come and go */
		put(slab_alloc(&cache));
		host_user_mode();
	}
	CHECK(stats().pages <= 2 && slab_ok(&cache));
	CHECK(reclaim_all() == 0);
}

/* ---- shortage ---- */

TEST(slab_failed_step_changes_nothing)
{
	static struct object *held[100];
	unsigned count = 0;

	world_boot(0, 0);
	struct quota *q = test_quota(quota_root, MIB(1), 0);
	struct slab_cache *c = &q->slab[OBJ_NONE];
	while (c->pages < 3) {
		uint32_t pages = c->pages;
		uint64_t free = free_frames();
		uint64_t used = q->used;
		int64_t step = 0;

		for (;; step++) {
			host_fail_step(step);
			struct object *o = slab_alloc(c);
			host_fail_step(-1);
			if (o != NULL) {
				held[count++] = o;
				break;
			}
			CHECK(c->pages == pages && q->used == used && free_frames() == free);
			CHECK(quota_ok(q, 0));
		}
		CHECK(step == 1 || step == 3); /* the slot; with a new page charge and frame */
		CHECK((step == 3) == (c->pages > pages));
	}
	for (unsigned i = 0; i < count; i++)
		put_into(c, held[i]);
	CHECK(used_after_all(q) == 0);
}

/* What was made in vain goes at once, and so does what it cost. */
TEST(slab_undone_allocation_leaves_nothing)
{
	begin(192);
	uint64_t free = free_frames();
	for (unsigned i = 0; i < 3; i++) {
		slab_free(&cache, slab_alloc(&cache));
		CHECK(stats().pages == 0 && free_frames() == free);
	}
	/* But not a page on which somebody may look at another slot. */
	struct object *o = slab_alloc(&cache);
	put(slab_alloc(&cache));
	slab_free(&cache, o);
	CHECK(stats().pages == 1);
	slab_free(&cache, slab_alloc(&cache));
	CHECK(stats().pages == 1 && reclaim_all() == 0);
}

TEST(slab_gives_back_in_batches)
{
	static struct object *held[4 * SLAB_BATCH];

	begin(SLAB_SIZE_MAX);
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		held[i] = slab_alloc(&cache);
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		put(held[i]);
	CHECK(stats().pages == ARRAY_LEN(held));
	for (unsigned left = ARRAY_LEN(held); left > 0;) {
		unsigned before = left;

		left = reclaim(false);
		CHECK(before - left <= SLAB_BATCH && left == stats().pages && slab_ok(&cache));
		host_user_mode();
	}
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

TEST(slab_closed_hands_out_nothing)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	slab_close(&cache);
	CHECK(slab_alloc(&cache) == NULL);
	slab_free(&cache, o); /* whoever closed it may be looking: not at once */
	CHECK(stats().pages == 1 && slab_alloc(&cache) == NULL);
	CHECK(reclaim_all() == 0);
}

TEST(slab_next_comes_to_every_slot)
{
	static struct object *held[100];
	unsigned cursor = 0;

	begin(192);
	CHECK(slab_next(&cache, &cursor) == NULL);
	for (unsigned i = 0; i < 100; i++)
		held[i] = slab_alloc(&cache);
	for (unsigned i = 0; i < 100; i += 3)
		put(held[i]);
	slab_close(&cache);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < stats().slots_used; i++) {
			struct object *o = slab_next(&cache, &cursor);

			CHECK(o != NULL && o->gen == round);
			o->gen++;
		}
	}
	CHECK(slab_ok(&cache));
	for (unsigned i = 0; i < 100; i++)
		CHECK(held[i]->gen == (i % 3 == 0 ? 0 : 3));
	for (uint64_t left = stats().slots_used; left > 0; left--)
		put(slab_next(&cache, &cursor));
	CHECK(slab_next(&cache, &cursor) == NULL && reclaim_all() == 0);
}

/* ---- pages go back after a grace period ---- */

TEST(slab_page_waits_for_the_grace_period)
{
	begin(512);
	uint64_t free = free_frames();
	struct object *o = slab_alloc(&cache);
	put(o);
	CHECK(free_frames() == free - 1 && stats().pages == 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK(reclaim(false) == 1); /* this CPU is inside the kernel */
	host_user_mode();
	CHECK(stats().pages == 1);
	CHECK(reclaim(false) == 0);
	CHECK(stats().pages == 0 && free_frames() == free);
}

/* A page on its way out is taken into use again rather than a new one; when it gets
 * empty the next time, the old period does not count. */
TEST(slab_waiting_page_is_used_again)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	put(o);
	CHECK(reclaim(false) == 1);
	CHECK(slab_alloc(&cache) == o && stats().pages == 1);
	host_user_mode();
	CHECK(reclaim(false) == 1);
	CHECK(slab_ok(&cache));
	put(o);
	CHECK(reclaim(false) == 1 && reclaim(false) == 1);
	host_user_mode();
	CHECK(reclaim(false) == 0);
}

static _Atomic unsigned stage;

static void hold_the_page(unsigned id)
{
	if (id == 0) {
		struct object *o = slab_alloc(&cache);

		while (stage == 0)
			arch_cpu_relax();
		put(o);
		CHECK(reclaim_all() == 1);
		stage = 2;
		while (stage == 2)
			arch_cpu_relax();
		CHECK(reclaim_all() == 0);
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
	put(slab_alloc(&cache));
	CHECK(reclaim_all() == 0);
}

/* ---- the first object of a page, seen by another CPU ---- */

#define FIRSTS 12000

static struct object *_Atomic newest;
static _Atomic bool watched, no_more;
static _Atomic unsigned not_found;

static void publish_or_watch(unsigned id)
{
	static struct slab_cache fresh[FIRSTS]; /* each begins with a page */

	watched = watched || id == 1;
	for (unsigned n = 0; id == 0 && n < FIRSTS; n++) {
		slab_cache_init(&fresh[n], NULL, TYPE, 512);
		newest = slab_alloc(&fresh[n]);
		while (!watched)
			sched_yield();
		slab_publish(newest);
	}
	no_more = no_more || id == 0;
	while (!no_more) {
		struct object *o = newest;
		struct slab *s = (struct slab *)ALIGN_DOWN((uintptr_t)o, FRAME_SIZE);

		/* Who publishes the next of this page does nothing from then on. */
		if (s != NULL && LOAD(s->published))
			not_found += slab_object(object_id(o), TYPE) != o;
	}
}

TEST(slab_published_is_found)
{
	begin(512);
	host_cpus_run(2, publish_or_watch);
	CHECK(not_found == 0);
}

/* ---- misuse ---- */

static void free_twice(void)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	put(o);
	put(o);
}

static void free_into_another(void)
{
	static struct slab_cache other;

	begin(512);
	slab_cache_init(&other, NULL, TYPE, 512);
	put_into(&other, slab_alloc(&cache));
}

static void free_the_middle(void)
{
	begin(512);
	struct object *o = slab_alloc(&cache);
	put((struct object *)((uintptr_t)o + OBJECT_GRANULE));
}

TEST(slab_misuse_panics)
{
	static void (*const misuses[])(void) = { free_twice, free_into_another, free_the_middle };
	static struct child c;

	for (unsigned i = 0; i < ARRAY_LEN(misuses); i++) {
		child_run(&c, misuses[i]);
		CHECK(child_gave_up(&c) && child_said(&c, "is no slot in use") == 1);
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

/* Reads the place, locks what it names, and looks whether it still is that. */
static void look_up(unsigned at)
{
	uint64_t token = place[at];
	struct object *o = object_at((object_id_t)(token >> 16));

	if (token == 0)
		return;
	spin_lock(&o->lock);
	CHECK(o->type == TYPE);
	if (o->gen == (object_gen_t)token) {
		struct thing *t = (struct thing *)o;

		t->value[0]++;
		for (unsigned i = 1; i < ARRAY_LEN(t->value); i++)
			CHECK(++t->value[i] == t->value[0]);
	}
	spin_unlock(&o->lock);
}

static void kill_thing(struct object *o)
{
	spin_lock(&o->lock);
	o->gen++;
	spin_unlock(&o->lock);
	put(o);
}

static void put_thing(unsigned at)
{
	struct object *o = slab_alloc(&cache);
	uint64_t none = 0;

	CHECK(o != NULL && body_is_zero(o));
	uint64_t token = (uint64_t)object_id(o) << 16 | o->gen;
	if (!atomic_compare_exchange_strong(&place[at], &none, token))
		kill_thing(o);
}

/* Whoever empties the place destroys what it named. */
static void clear_thing(unsigned at)
{
	uint64_t token = atomic_exchange(&place[at], 0);

	if (token != 0)
		kill_thing(object_at((object_id_t)(token >> 16)));
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
				reclaim(false);
			break;
		default:
			look_up(at);
		}
		if (chance_below(&chance, 4) == 0)
			host_user_mode();
	}
}

TEST(slab_storm_with_stale_look_ups)
{
	begin(ALIGN_UP(sizeof(struct thing), (size_t)OBJECT_GRANULE));
	uint64_t free = free_frames();
	host_cpus_run(STORM_CPUS, storm);
	for (unsigned i = 0; i < PLACES; i++)
		clear_thing(i);
	CHECK(stats().slots_used == 0 && slab_ok(&cache));
	CHECK(reclaim_all() == 0 && free_frames() == free && frame_ok());
}
