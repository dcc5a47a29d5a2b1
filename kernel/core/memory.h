/* SPDX-License-Identifier: MIT */
/* kernel/core/memory.h - memory objects: tables of slots that name frames.
 *
 * Life    made by memory_create or memory_create_view; dies as every object does. Its
 *         mappings, views and pins go first, then its slots.
 * Owns    its slot table (frames charged to its quota) and a count in each frame
 *         that a slot names. A view owns neither for pages that nobody wrote through
 *         it: it reads the slots of the sealed object that it was made from.
 * Locks   obj.lock (rank LOCK_MEMORY): slots, flags, mappings. Never held while a
 *         shootdown is awaited, see below. A sealed object's slots are read by its views
 *         without its lock; they only ever change from empty to a zeroed frame.
 * Blocks  never; work over many pages stops with ST_LATER and tells how far it got.
 *
 * Invariants
 *   - frame.uses counts the slots, of all objects, that name the frame, and the devices' holds.
 *   - A write is allowed only to a frame that a single slot names, whose slot is
 *     not RO, in an object that is not sealed. Else the writer gets a copy first. So an
 *     entry of a page table allows writing only while all that holds.
 *   - What has no slot reads as zeros, or, in a view, as the sealed object does. No
 *     reader is charged for it: one zero frame serves all of them.
 *   - The frame of a pinned slot stays, and no other slot names it.
 *   - Who pays: the quota whose object allocated the frame pays once, however many
 *     slots of that quota name it (slots marked PAYER, counted in the upper half of
 *     frame.uses); every other quota pays once for each of its slots.
 *   - What is reachable only through capabilities without RIGHT_WRITE never becomes
 *     a writable mapping, a DMA target or the destination of a copy.
 *
 * Transitions
 *
 * A page whose frame is replaced or write-protected is in transition: access was taken
 * from the page tables, and the last CPU has not answered yet. One range of an object is
 * in transition at a time, `transit` says which. Meanwhile nobody fills in
 * translations of it or changes its slots: faults simply retry, calls return ST_LATER. A
 * transition through very many mappings stops at preemption points, and goes on when its
 * call comes back; one that nobody comes back to gives way after a while.
 *
 * Translations go away through mappings too (unmap, protect), without a transition. While
 * those are flushed the mapping is `busy`, and a transition flushes its pages whether
 * it finds them in the tables or not; the other way round just so.
 */
#pragma once
#include <core/cap.h>
#include <core/pagetable.h>
#include <core/tree.h>

#define MEMORY_PAGES_MAX (1ull << 32)
#define MEMORY_BATCH     32  /* pages between two preemption points, */
#define MEMORY_HEAVY     8   /* of which one that is copied or zeroed counts as so many; */
#define MEMORY_WALK      256 /* entries of page tables; one mapping counts as some of them */

enum memory_kind {
	MEMORY_ANON,   /* frames come on demand, zeroed */
	MEMORY_BLOCK,  /* contiguous, taken at creation, zeroed before it is first used, never
			  decommitted */
	MEMORY_DEVICE, /* the machine's physical space outside RAM; slices of one object */
	MEMORY_VIEW,   /* of a sealed object; what is written through it is its own */
};

/* A slot: frame address in bits 12-51 and these. RO alone: not committed, reads as zeros
 * and stays so. */
#define MEMORY_SLOT_FRAME 0x000ffffffffff000ull
#define MEMORY_SLOT_HERE  0x001ull
#define MEMORY_SLOT_RO    0x002ull              /* never written through this object */
#define MEMORY_SLOT_PAYER 0x004ull              /* one of the frame's payer's */
#define MEMORY_SLOT_PIN   0x0010000000000000ull /* one pin; a count in bits 52-63 */

/* Why pages are in transition. */
enum memory_transit {
	TRANSIT_REPLACE, /* a frame, by one that is nobody else's */
	TRANSIT_DECOMMIT,
	TRANSIT_SHARE,   /* they lose the right to write */
	TRANSIT_RECEIVE, /* what is shared: they have shown something else */
	TRANSIT_CUT,     /* of a view */
};

#define MEMORY_PATIENCE 0x10000u

/* Objects up to this many pages have no slot table. */
#define MEMORY_FEW 8

struct mapping;

struct memory {
	struct object obj;      /* first */
	uint8_t kind;           /* enum memory_kind; constant */
	uint8_t levels;         /* of the slot table; constant */
	bool sealed;            /* guarded by obj.lock, as is all below but constants */
	bool lent;              /* pages without a slot may be mapped */
	bool cut;               /* MEMORY_VIEW: `source` is not to be read any more */
	uint64_t pages;         /* constant */
	paddr_t base;           /* MEMORY_BLOCK, MEMORY_DEVICE: first address; constant */
	uint64_t first;         /* MEMORY_VIEW: its first page in the sealed object; constant */
	struct cap_slot target; /* MEMORY_VIEW: binding to the sealed object */
	struct memory *source;  /* MEMORY_VIEW: the sealed object; constant, see `cut` */

	/* The slots; or, with levels > 0, slot[0] names the top node of a radix tree of
	 * frames with 512 entries each. */
	_Atomic uint64_t slot[MEMORY_FEW];
	uint64_t zeroed;      /* MEMORY_BLOCK: so many pages were */
	uint64_t writers;     /* mappings that may write, and pins */
	uint64_t cursor;      /* where close goes on */
	struct tree mappings; /* struct mapping, by page */
	struct tree holds;    /* struct memory_hold, by page */

	struct {
		uint64_t page, count; /* count 0: no page is in transition */
		uint8_t kind;         /* enum memory_transit */
		bool running;         /* a CPU is at it; else it may be abandoned */
		uint32_t visits;      /* by those who found it in their way and nobody at it */
		struct mapping *next; /* whose translations come next; NULL: all are done */
		uint64_t at;          /* page from which on in it */
	} transit;
};

static inline struct memory *memory_of(const struct cap_ref *ref)
{
	return container_of(ref->object, struct memory, obj);
}

/* Takes the frame that all pages without contents show. */
void memory_init(void);

/* ANON; or, with MEMORY_CONTIGUOUS and maybe MEMORY_BELOW_4G in `flags`, BLOCK: as many frames as
 * the next power of two of `pages` are charged and taken. ST_BAD_ARG, ST_TOO_BIG,
 * ST_NO_MEMORY. */
status_t memory_create(struct quota *q, uint64_t pages, uint64_t flags,
		       struct memory **out) MUST_CHECK;
status_t memory_create_device(struct quota *q, paddr_t base, uint64_t pages,
			      struct memory **out) MUST_CHECK;

/* A view of the pages that a capability with the rights to map and to read names.
 * ST_BAD_STATE: the object is not sealed; ST_BAD_ARG: it has not all of them. Else as from
 * cap_bind. */
status_t memory_create_view(struct quota *q, const struct cap_ref *sealed,
			    struct memory **out) MUST_CHECK;

/* Page numbers in calls are relative to the range that the capability names (the badge
 * word). True if `count` pages from *page on lie in it; *page is then that of the object. */
bool memory_range(const struct memory *m, uint64_t badge, uint64_t *page,
		  uint64_t count) MUST_CHECK;

/* All below: page numbers are within the object; the range was checked, and the object is
 * locked on entry and on exit. ST_LATER: the lock may have been let go in between; look at
 * everything again and come back. With any other answer it was held, unless said otherwise. */

/* Commit and decommit `*done` of `count` pages; ST_LATER when there is more. Decommit
 * takes the mappings of the pages away on every CPU before the frames are freed, with the lock let
 * go; `by` is the capability on whose behalf, looked at again (ST_BAD_CAP) before anything is
 * changed. ST_BAD_STATE: sealed, pinned, or of a kind that can't. ST_NO_RIGHT: a page that is
 * RO. */
status_t memory_commit(struct memory *m, uint64_t page, uint64_t count, uint64_t *done) MUST_CHECK;
status_t memory_decommit(const struct cap_ref *by, uint64_t page, uint64_t count,
			 uint64_t *done) MUST_CHECK;

/* Copies bytes, not across a page, between the object and kernel memory: `out` of it, or into it.
 * ST_BAD_ARG: out of range. ST_BAD_STATE: of a kind that can't; to be written, and sealed. */
status_t memory_copy(struct memory *m, uint64_t offset, void *bytes, size_t size,
		     bool out) MUST_CHECK;

/* A snapshot of `count` slots of `from` becomes those of `to` (whose slots there must be
 * empty: ST_EXISTS), sharing the frames; pages are numbered in the ranges that the capabilities
 * name. With `read_only` the new slots can never be written through `to`. Pinned slots, and those
 * of a BLOCK, are copied at once. On any return `*done` pages are shared and the others are as
 * before; ST_LATER: go on behind them. Nothing is locked. ST_BAD_ARG: the objects are one, or of a
 * kind that can't, or the range is not theirs. */
struct memory_share {
	const struct cap_ref *to, *from;
	uint64_t to_page, from_page, count;
	bool read_only;
};
status_t memory_share(const struct memory_share *s, uint64_t *done) MUST_CHECK;

/* From ST_OK on nothing can ever write the object again. ST_BAD_STATE, and nothing changed,
 * if a writable or DMA mapping or a writer's pin is left. */
status_t memory_seal(struct memory *m) MUST_CHECK;

/* Makes the frame of `page` exclusive, keeps it in place and gives its address, to be written.
 * Message blocks, state pages, DMA. ST_BAD_STATE: sealed. ST_NO_RIGHT: an RO page. ST_NO_QUOTA:
 * pinned too often. */
status_t memory_pin(struct memory *m, uint64_t page, paddr_t *out) MUST_CHECK;
void memory_unpin(struct memory *m, uint64_t page);

/* What a device can reach: a page that is pinned to be written, or, of a BLOCK, all of it. The
 * frames stay with the hold, whose quota pays for them as for a slot, when the object dies, and
 * until they are let go of. */
struct memory_hold {
	_Atomic(struct memory *) memory; /* guarded by its lock; NULL when it is gone */
	struct tree_node node;           /* in memory->holds; key: the page */
	paddr_t pa;                      /* of the page */
	uint64_t frame;                  /* as a slot names it; 0: nothing is held */
};

/* `h` is all zero. As from memory_pin, and ST_NO_MEMORY. */
status_t memory_hold(struct memory *m, uint64_t page, struct quota *q,
		     struct memory_hold *h) MUST_CHECK;

/* Nothing is locked. */
void memory_let_go(struct memory_hold *h, struct quota *q);

/* For faults: the frame of `page`, made ready for that (out->pa), the largest page around it that
 * the frames allow (level), and what a translation of it may allow at most (access). */
status_t memory_look(struct memory *m, uint64_t page, bool write,
		     struct pagetable_page *out) MUST_CHECK;

/* aspace.c: takes a mapping out of m->mappings. Whoever puts one in just does so: a transition need
 * not take anything through a new one, and comes to the second half of one that is split after the
 * first. Object locked. */
void memory_map_remove(struct memory *m, struct mapping *map);

/* For cap.c: the binding of a view to the sealed object is cut. */
bool memory_cut(struct cap_slot *binding) MUST_CHECK;
