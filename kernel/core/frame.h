/* SPDX-License-Identifier: MIT */
/* kernel/core/frame.h - physical memory: one entry for each 4 KiB frame, and
 * the allocator of them.
 *
 * Life    entries exist for every frame of RAM from frame_init on, for ever.
 * Owns    all RAM that boot did not take. A frame is free, or has one owner.
 * Locks   one lock for each zone, rank LOCK_FRAME; single frames come from
 *         per-CPU caches that take no lock (interrupts are off).
 * Blocks  never. Shortage is an answer. What sits in another CPU's cache, at
 *         most FRAME_CACHE frames a zone, is out of reach.
 *
 * Buddy allocator, orders 0 (4 KiB) to FRAME_ORDER_MAX. Zones: below 4 GiB for
 * devices that address 32 bits, and the rest; FRAME_ANY prefers the rest.
 */
#pragma once
#include <core/spinlock.h>
#include <stdatomic.h>

#define FRAME_SHIFT     12
#define FRAME_SIZE      (1ul << FRAME_SHIFT)
#define FRAME_ORDER_MAX 18 /* 1 GiB */

/* RAM from here on is not used: frame numbers have 32 bits. */
#define FRAME_LIMIT (1ull << (32 + FRAME_SHIFT))

enum frame_zone { FRAME_LOW, FRAME_HIGH, FRAME_ZONES };
enum frame_want { FRAME_ANY, FRAME_BELOW_4G };

enum frame_state {
	FRAME_BOOT,   /* taken before the allocator ran; for ever */
	FRAME_TAIL,   /* inside a free block, or inside an allocated one */
	FRAME_FREE,   /* head of a free block of `order` */
	FRAME_CACHED, /* in a CPU's cache */
	FRAME_USED,   /* head of an allocated block of `order` */
	FRAME_ABSENT, /* not RAM */
};

/* A slab page; the kind of its objects is in the low byte (slab.h). */
#define FRAME_SLAB 0x100u

struct frame {
	union {
		struct {
			uint32_t next, prev; /* frame numbers of the free list, 0: none */
		} free;
		_Atomic uint64_t uses; /* memory-object slots that name it; in the upper half
					* those of its payer among them: see memory.c */
	};
	uint32_t payer;        /* object id of the quota that pays; 0: the kernel */
	_Atomic uint8_t state; /* enum frame_state */
	uint8_t order;
	_Atomic uint16_t flags; /* FRAME_SLAB, or 0 */
};

_Static_assert(sizeof(struct frame) == 16, "16 bytes a frame is the budget");

/* The free blocks of a zone. */
struct frame_buddies {
	struct spinlock lock ALIGNED(64);

	/* Guarded by lock. */
	uint32_t orders;                    /* bit n: head[n] is not 0 */
	uint32_t head[FRAME_ORDER_MAX + 1]; /* free blocks of each order, by frame number */
	_Atomic uint64_t free;              /* frames in them; read without the lock as a hint */
};

extern struct frame_buddies frame_buddies[FRAME_ZONES];

/* Frames of one zone that one CPU keeps at hand, and how many go to or come from
 * the buddy lists at once. Part of struct cpu; begins as zeros. */
#define FRAME_CACHE       31
#define FRAME_CACHE_BATCH 16

struct frame_cache {
	_Atomic uint32_t count; /* its CPU alone writes */
	uint32_t frame[FRAME_CACHE];
} ALIGNED(64);

/* The entry of the frame that `pa` lies in. Only RAM has entries: ask
 * frame_exists first for an address that comes from outside. */
static inline struct frame *frame_of(paddr_t pa)
{
	return (struct frame *)ARCH_FRAME_TABLE + (pa >> FRAME_SHIFT);
}

/* True for every address in RAM; safe for any number. */
bool frame_exists(paddr_t pa);

/* True if some of [pa, pa + size), whole frames, is RAM. */
bool frame_exists_in(paddr_t pa, uint64_t size);

/* Builds the table and frees all RAM of boot_info that nothing occupies.
 * BOOT_LOADER ranges and the archive stay taken until frame_free_loader. frame_alloc_boot
 * (arch.h) serves until this returns, and frame_alloc from then on. */
void frame_init(void);
void frame_free_loader(void);

/* True once frame_init is done: which of the two allocators serves. */
bool frame_ready(void);

/* 2^order frames, aligned to their size. False and *out untouched when there
 * are none. The contents are what the last owner left: see frame_zero. The
 * entry's counts, payer and flags are zero. */
MUST_CHECK bool frame_alloc(unsigned order, enum frame_want want, paddr_t *out);

/* Gives back a block with the order that it was allocated with. A double free,
 * a wrong order or an address that was never allocated panics. */
void frame_free(paddr_t pa, unsigned order);

/* Zeroes the 2^order frames from `pa` on, whatever block they are part of. */
void frame_zero(paddr_t pa, unsigned order);

/* Gives every frame in this CPU's cache back to the buddy lists. */
void frame_cache_drain(void);

struct frame_stats {
	uint64_t total;  /* frames of RAM */
	uint64_t free;   /* free or cached */
	uint64_t loader; /* what frame_free_loader will add to these */
};
void frame_stats(struct frame_stats *out);
