/* SPDX-License-Identifier: MIT */
/* kernel/core/memory.h - memory objects: tables of slots that name frames.
 *
 * Life    made by memory_create or memory_view; dies as every object does. Its
 *         mappings and pins go first, then its slots.
 * Owns    its slot table (frames charged to its quota) and a count in each frame
 *         that a slot names. A view owns neither: it reads the slots of the sealed
 *         object it was made from, and dies with it.
 * Locks   obj.lock (rank LOCK_MEMORY): slots, flags, mappings. Never held while a
 *         shootdown is awaited: a slot whose frame is being replaced or write-
 *         protected is marked MEMORY_SLOT_BUSY, and whoever meets one comes back
 *         later (a fault simply retries).
 * Blocks  never; work over many pages stops every MEMORY_BATCH pages with ST_LATER
 *         and goes on from the cursor that the caller keeps.
 *
 * Invariants
 *   - frame.used.slots is the number of slots, of all objects, that name the frame.
 *   - A write is allowed only to a frame that a single slot names, whose slot is
 *     not RO, in an object that is not sealed. Else the writer gets a copy first.
 *   - Who pays: the quota whose object allocated the frame pays once, however many
 *     slots of that quota name it (slots marked PAYER, counted in payer_slots);
 *     every other quota pays once for each of its slots.
 *   - What is reachable only through capabilities without RIGHT_WRITE never becomes
 *     a writable mapping, a DMA target or the destination of a copy.
 */
#pragma once
#include <core/cap.h>
#include <core/frame.h>
#include <core/object.h>
#include <core/tlb.h>

#define MEMORY_PAGES_MAX (1ull << 32)
#define MEMORY_BATCH     64 /* pages between two preemption points */

enum memory_kind {
	MEMORY_ANON,   /* frames come on demand, zeroed */
	MEMORY_BLOCK,  /* contiguous, committed at creation, never decommitted */
	MEMORY_DEVICE, /* the machine's physical space outside RAM; slices of one object */
	MEMORY_VIEW,   /* of a sealed object */
};

/* A slot: frame address in bits 12-51 and these. 0: not committed. */
#define MEMORY_SLOT_FRAME 0x000ffffffffff000ull
#define MEMORY_SLOT_HERE  0x001ull
#define MEMORY_SLOT_RO    0x002ull /* never written through this object */
#define MEMORY_SLOT_PAYER 0x004ull /* counted in the frame's payer_slots */
#define MEMORY_SLOT_BUSY  0x008ull /* in transition */
#define MEMORY_SLOT_PIN   0x0010000000000000ull /* one pin; a count in bits 52-63 */

struct mapping;

struct memory {
	struct object obj; /* first */
	enum memory_kind kind; /* constant */
	uint64_t pages;        /* constant */
	paddr_t base;          /* MEMORY_BLOCK, MEMORY_DEVICE: first address */
	struct cap_slot target; /* MEMORY_VIEW: binding to the sealed object */

	/* Guarded by obj.lock. */
	uint64_t *table;  /* radix tree of 512-entry nodes; `levels` deep */
	uint8_t levels;
	bool sealing;     /* no new writers */
	bool sealed;
	uint32_t writers; /* mappings and DMA mappings that may write */
	uint64_t committed; /* slots in use */
	uint64_t pins;
	uint64_t cursor;  /* where close goes on */
	struct mapping *mappings;    /* all mappings of it */
};

status_t memory_create(struct quota *q, uint64_t pages, enum memory_kind kind, bool below_4g,
                       struct memory **out) MUST_CHECK;
status_t memory_create_device(struct quota *q, paddr_t base, uint64_t pages,
                              struct memory **out) MUST_CHECK;
status_t memory_create_view(struct quota *q, struct memory *sealed, struct memory **out) MUST_CHECK;

/* All below: page numbers are within the object; `page + count` was checked
 * against the capability's range by the caller. */

/* The frame of `page` for reading (write false) or writing, made or copied as the
 * invariants demand. Object lock held; it may be let go and taken again, the caller
 * looks at everything anew then (*again). Pages that lost a shared frame have had their
 * other mappings put into `batch`. */
enum memory_get { MEMORY_GOT, MEMORY_AGAIN, MEMORY_REFUSED, MEMORY_EMPTY_QUOTA };

struct memory_want {
	uint64_t page;
	bool write;
};

/* Commit and decommit `*done` of `count` pages; ST_LATER when there is more. Decommit
 * takes the mappings of the pages away on every CPU before the frames are freed. */
status_t memory_commit(struct memory *m, uint64_t page, uint64_t count, uint64_t *done) MUST_CHECK;
status_t memory_decommit(struct memory *m, uint64_t page, uint64_t count,
                         uint64_t *done) MUST_CHECK;

/* Copies bytes between the object and kernel memory (at most a page, not crossing one). */
status_t memory_copy_out(struct memory *m, uint64_t offset, void *to, size_t size) MUST_CHECK;
status_t memory_copy_in(struct memory *m, uint64_t offset, const void *from,
                        size_t size) MUST_CHECK;

/* A snapshot of `count` slots of `from` becomes those of `to` (whose pages there must
 * not be committed), sharing the frames. With `read_only` the new slots can never be written
 * through `to`. Pinned slots are copied at once. */
status_t memory_share(struct memory *to, uint64_t to_page, struct memory *from,
                      uint64_t from_page, uint64_t count, bool read_only,
                      uint64_t *done) MUST_CHECK;

/* From ST_OK on nothing can ever write the object again. ST_BAD_STATE, and nothing changed,
 * if a writable or DMA mapping or a writer's pin is left. */
status_t memory_seal(struct memory *m) MUST_CHECK;

/* Keeps the frame of `page` in place and gives its address; for writing it is made
 * exclusive first. Message blocks, state pages, DMA. */
status_t memory_pin(struct memory *m, uint64_t page, bool write, paddr_t *out) MUST_CHECK;
void memory_unpin(struct memory *m, uint64_t page, bool write);

/* True when slots, counts, frames and mappings agree (tests, debug kernels). */
bool memory_ok(struct memory *m) REQUIRES(m->obj.lock);
