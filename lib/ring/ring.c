/* SPDX-License-Identifier: MIT */
#include <lib/ring/ring.h>

bool ring_init(struct ring *r, void *memory, size_t size, uint32_t slots)
{
	if (slots == 0 || (slots & (slots - 1)) != 0 || slots > RING_SLOTS_MAX)
		return false;
	if ((uintptr_t)memory % RING_LINE != 0 || size < ring_bytes(slots))
		return false;
	*r = (struct ring){ .shared = memory, .slots = slots };
	return true;
}

/* Believes the other side's new index if it lies within `most` of the one known before: it has
 * moved forward, and over no more slots than it was given. */
static void ring_believe(struct ring *r, uint32_t index, uint32_t most)
{
	if (index - r->theirs <= most)
		r->theirs = index;
	else
		r->broken = true;
}

uint32_t ring_room(struct ring *r)
{
	uint32_t head = atomic_load_explicit(&r->shared->head, memory_order_acquire);

	ring_believe(r, head, r->mine - r->theirs);
	return r->broken ? 0 : r->slots - (r->mine - r->theirs);
}

bool ring_put(struct ring *r, struct ring_slot s)
{
	if ((r->mine - r->theirs == r->slots || r->broken) && ring_room(r) == 0)
		return false;
	r->shared->slot[r->mine & (r->slots - 1)] = s;
	atomic_store_explicit(&r->shared->tail, ++r->mine, memory_order_release);
	return true;
}

uint32_t ring_ready(struct ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->shared->tail, memory_order_acquire);

	ring_believe(r, tail, r->slots - (r->theirs - r->mine));
	return r->broken ? 0 : r->theirs - r->mine;
}

/* One reading of each field, whatever the compiler would rather do: what the caller checks is
 * what it then uses. */
static struct ring_slot ring_copy(const volatile struct ring_slot *s)
{
	return (struct ring_slot){ s->address, s->length, s->cookie };
}

bool ring_get(struct ring *r, struct ring_slot *out)
{
	if ((r->theirs == r->mine || r->broken) && ring_ready(r) == 0)
		return false;
	*out = ring_copy(&r->shared->slot[r->mine & (r->slots - 1)]);
	atomic_store_explicit(&r->shared->head, ++r->mine, memory_order_release);
	return true;
}
