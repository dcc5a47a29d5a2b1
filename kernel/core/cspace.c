/* SPDX-License-Identifier: MIT */
#include <core/cspace.h>
#include <core/assert.h>
#include <core/cap.h>
#include <core/grace.h>
#include <core/quota.h>

#define LOOK_BATCH  128u /* slots looked at between two preemption points */
#define FRAME_BATCH 16   /* frames given back */

/* ---- the table ---- */

static void *frame_for(struct cspace *cs)
{
	paddr_t pa;

	return quota_frame_alloc(cs->obj.quota, &pa) ? arch_phys_to_virt(pa) : NULL;
}

static void frame_back(struct cspace *cs, void *frame)
{
	if (frame != NULL)
		quota_frame_free(cs->obj.quota, arch_virt_to_phys(frame));
}

/* Enters the free slots of the newest chunk into the list, lowest first. Slot 0 is
 * never used. */
static void chunk_add(struct cspace *cs, struct cap_slot *chunk) REQUIRES(cs->obj.lock)
{
	uint32_t base = cs->slots;

	for (uint32_t i = CSPACE_CHUNK; i-- > 0;) {
		atomic_store_explicit(&chunk[i].gen, 1, memory_order_relaxed);
		if (base + i == 0)
			continue;
		chunk[i].index = cs->free;
		cs->free = base + i;
	}
	cs->slots += CSPACE_CHUNK;
}

/* Adds a chunk, and the directory that it may need: all or nothing. */
static status_t cspace_grow(struct cspace *cs) REQUIRES(cs->obj.lock)
{
	uint32_t number = cs->slots / CSPACE_CHUNK;

	if (number == CSPACE_SLOTS_MAX / CSPACE_CHUNK)
		return ST_NO_SLOTS;
	struct cap_slot *chunk = frame_for(cs);
	if (chunk == NULL)
		return ST_NO_MEMORY;
	struct cap_slot **directory = cs->directory[number / CSPACE_DIRECTORY];
	if (directory == NULL && (directory = frame_for(cs)) == NULL) {
		frame_back(cs, chunk);
		return ST_NO_MEMORY;
	}
	chunk_add(cs, chunk);
	__atomic_store_n(&directory[number % CSPACE_DIRECTORY], chunk, __ATOMIC_RELEASE);
	__atomic_store_n(&cs->directory[number / CSPACE_DIRECTORY], directory, __ATOMIC_RELEASE);
	return ST_OK;
}

status_t cspace_create(struct quota *q, struct cspace **out)
{
	struct object *o = object_create(q, OBJ_CSPACE);

	if (o == NULL)
		return ST_NO_MEMORY;
	struct cspace *cs = container_of(o, struct cspace, obj);
	cs->first = frame_for(cs);
	if (cs->first == NULL) {
		object_discard(o);
		return ST_NO_MEMORY;
	}
	spin_lock(&cs->obj.lock);
	chunk_add(cs, cs->first);
	spin_unlock(&cs->obj.lock);
	*out = cs;
	return ST_OK;
}

/* ---- slots ---- */

/* Takes one from the list; the space has one. */
static struct cap_slot *slot_pop(struct cspace *cs) REQUIRES(cs->obj.lock)
{
	uint32_t index = cs->free;
	struct cap_slot *slot = cspace_slot(cs, index);

	cs->free = slot->index;
	slot->index = index;
	slot->node.owner = object_id(&cs->obj);
	cs->used++;
	return slot;
}

static void slot_push(struct cspace *cs, struct cap_slot *slot) REQUIRES(cs->obj.lock)
{
	uint32_t index = slot->index;

	cs->used--;
	if (atomic_load_explicit(&slot->gen, memory_order_relaxed) == 0)
		return; /* retired */
	slot->index = cs->free;
	cs->free = index;
}

status_t cspace_take(struct cspace *cs, unsigned count, struct cap_slot *out[])
{
	status_t st = ST_OK;
	unsigned n = 0;

	spin_lock(&cs->obj.lock);
	if (cs->closed)
		st = ST_BAD_CAP;
	while (st == ST_OK && n < count) {
		if (UNLIKELY(cs->free == 0))
			st = cspace_grow(cs);
		else
			out[n++] = slot_pop(cs);
	}
	while (st != ST_OK && n > 0)
		slot_push(cs, out[--n]);
	spin_unlock(&cs->obj.lock);
	return st;
}

void cspace_put(struct cspace *cs, struct cap_slot *slot)
{
	spin_lock(&cs->obj.lock);
	slot_push(cs, slot);
	spin_unlock(&cs->obj.lock);
}

/* ---- the end ---- */

/* Drops what is in the slots; true when every slot is empty. Others may be filling some
 * that they took before the space was closed, so only the count says so. */
static bool cspace_empty(struct cspace *cs)
{
	unsigned work = 0;

	for (uint32_t looked = 0; looked < LOOK_BATCH && cs->sweep < cs->slots; looked++) {
		struct cap_slot *slot = cspace_slot(cs, cs->sweep);

		if (work >= CAP_BATCH || !cap_evict(slot, &work))
			return false;
		cs->sweep++;
	}
	if (cs->sweep < cs->slots)
		return false;
	cs->sweep = 0;
	spin_lock(&cs->obj.lock);
	bool empty = cs->used == 0;
	spin_unlock(&cs->obj.lock);
	return empty;
}

/* Gives the frames back, the newest first. */
static bool cspace_shrink(struct cspace *cs)
{
	for (unsigned freed = 0; cs->slots > CSPACE_CHUNK; freed++) {
		uint32_t number = cs->slots / CSPACE_CHUNK - 1;
		struct cap_slot **directory = cs->directory[number / CSPACE_DIRECTORY];

		if (freed == FRAME_BATCH)
			return false;
		frame_back(cs, directory[number % CSPACE_DIRECTORY]);
		if (number % CSPACE_DIRECTORY == 0 || number == 1) /* its first: 0 is apart */
			frame_back(cs, directory);
		cs->slots -= CSPACE_CHUNK;
	}
	frame_back(cs, cs->first);
	return true;
}

static bool cspace_close(struct object *o)
{
	struct cspace *cs = container_of(o, struct cspace, obj);

	spin_lock(&o->lock);
	cs->closed = true;
	spin_unlock(&o->lock);
	if (cs->ticket == 0 && !cspace_empty(cs))
		return false;
	/* Somebody may still read its slots. */
	if (!(o->flags & OBJECT_NEW) && !grace_passed(&cs->ticket))
		return false;
	return cspace_shrink(cs);
}

const struct object_ops cspace_ops = OBJECT_OPS("cspace", struct cspace, LOCK_CSPACE, cspace_close);
