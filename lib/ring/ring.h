/* SPDX-License-Identifier: MIT */
/* lib/ring/ring.h - one producer, one consumer, in memory that both map.
 *
 * The other side is not trusted: it may write anything to the shared part at any time. So
 * the size and the own index live in the private half (struct ring), an index that the other
 * side wrote is checked before it is used, and a slot is copied out before it is looked at.
 *
 * Pairing: the release store of `tail` in ring_put pairs with the acquire load of `tail` in
 * ring_get (what is in the slots); `head` pairs the same way in the other direction (that
 * slots may be used again).
 *
 * Waking: after putting, signal the other side. Signals are sticky, so who finds the ring
 * empty and then waits cannot miss one.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE      64u /* bytes that caches hold together: each side writes its own */
#define RING_SLOTS_MAX (1u << 20)

struct ring_slot {
	uint64_t address; /* what it means, the users agree on: often an offset in a shared area */
	uint32_t length;
	uint32_t cookie;
};

struct ring_shared {
	_Alignas(RING_LINE) _Atomic uint32_t head; /* next slot to read; the consumer writes it */
	_Alignas(RING_LINE) _Atomic uint32_t tail; /* next slot to write; the producer writes it */
	_Alignas(RING_LINE) struct ring_slot slot[];
};

/* One side's own half; never in shared memory. */
struct ring {
	struct ring_shared *shared;
	uint32_t slots;  /* a power of two */
	uint32_t mine;   /* the own index; not read back */
	uint32_t theirs; /* the other side's, as last seen and believed */
	bool broken;     /* the other side wrote an index that can't be */
};

/* Bytes of shared memory that a ring of `slots` slots takes. */
static inline size_t ring_bytes(uint32_t slots)
{
	return sizeof(struct ring_shared) + slots * sizeof(struct ring_slot);
}

/* Begins an empty ring of `slots` slots, a power of two up to RING_SLOTS_MAX, in `size` bytes of
 * zeros at `memory`, which is aligned to RING_LINE. Each side does so once, with the same
 * number of slots. False: it does not fit, or the arguments are not as said. */
bool ring_init(struct ring *r, void *memory, size_t size, uint32_t slots);

/* Producer: slots that can be put now. */
uint32_t ring_room(struct ring *r);

/* Producer: puts one slot. False: the ring is full, or broken. */
bool ring_put(struct ring *r, struct ring_slot s);

/* Consumer: slots that can be got now. */
uint32_t ring_ready(struct ring *r);

/* Consumer: gets one slot. False: the ring is empty, or broken. */
bool ring_get(struct ring *r, struct ring_slot *out);
