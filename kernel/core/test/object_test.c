/* SPDX-License-Identifier: MIT */
#include <arch/host/host.h>
#include <core/object.h>
#include <core/slab.h>
#include <test/test.h>

#define TYPE 5

static struct slab_cache cache;

static struct object *make(void)
{
	host_boot_usual();
	slab_cache_init(&cache, TYPE, 128, LOCK_IPC);
	return slab_alloc(&cache);
}

static bool is(struct object *o, uint8_t type, unsigned gen)
{
	spin_lock(&o->lock);
	bool yes = object_is(o, type, (object_gen_t)gen);
	spin_unlock(&o->lock);
	return yes;
}

TEST(object_id_is_its_granule)
{
	const struct object *o = make();

	CHECK(o != NULL);
	CHECK((paddr_t)object_id(o) * OBJECT_GRANULE == arch_virt_to_phys(o));
	CHECK(object_at(object_id(o)) == o);
	CHECK(object_id(o) != 0);
	/* The last granule that has an id, and no bit of it is lost. */
	CHECK(object_id(arch_phys_to_virt(OBJECT_LIMIT - OBJECT_GRANULE)) == UINT32_MAX);
	CHECK(object_at(UINT32_MAX) == arch_phys_to_virt(OBJECT_LIMIT - OBJECT_GRANULE));
}

TEST(object_is_found_only_while_it_lives)
{
	struct object *o = make();
	object_gen_t gen = o->gen;

	CHECK(!is(o, TYPE, gen)); /* not yet */
	object_start(o);
	CHECK(is(o, TYPE, gen));
	CHECK(!is(o, TYPE + 1, gen) && !is(o, TYPE, gen + 1u));
	CHECK(object_kill(o));
	CHECK(!is(o, TYPE, gen) && !is(o, TYPE, gen + 1u));
	CHECK(!object_kill(o) && o->gen == gen + 1);
}

TEST(object_generation_wraps)
{
	struct object *o = make();

	for (unsigned i = 0; i < 65536 + 3; i++) {
		CHECK(o->gen == i % 65536);
		object_start(o);
		CHECK(object_kill(o));
	}
}

TEST(object_generation_wraps_soon_when_narrow)
{
	struct object *o = make();

	host_object_gen_mask = 7;
	for (unsigned i = 0; i < 20; i++) {
		CHECK(o->gen == i % 8);
		object_start(o);
		CHECK(is(o, TYPE, i % 8));
		CHECK(object_kill(o));
	}
}
