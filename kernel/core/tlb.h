/* SPDX-License-Identifier: MIT */
/* kernel/core/tlb.h - TLB shootdown: when a translation is gone on every CPU.
 *
 * A CPU that took access away from a page writes a request into its own slot,
 * marks it in the mailbox of every CPU that may have the translation cached,
 * sends them an IPI, and waits for the last answer. It holds no lock then, and
 * serves its own mailbox while it waits; so does everyone who spins for a lock.
 * A frame is freed only after tlb_flush has returned.
 *
 * A request names a tag (the address space whose translations go, TLB_KERNEL
 * for the kernel's own) and up to TLB_RANGES ranges; more become a flush of the
 * whole tag.
 *
 * Which CPUs may have the translation cached is for the caller to know. If it
 * reads that from a mask that other CPUs set before they load the page tables,
 * both sides need a full barrier between their write and their read: the caller
 * between changing the table and reading the mask, the other CPU between setting
 * its bit and loading the tables.
 */
#pragma once
#include <core/types.h>
#include <stdatomic.h>

#define TLB_RANGES 8
#define TLB_KERNEL 0u /* tag of the kernel's own translations */

struct tlb_range {
	vaddr_t base;
	size_t size; /* bytes */
};

struct pagetable;

struct tlb_batch {
	uint32_t tag;
	struct pagetable *table; /* the user's tables that have the tag; NULL: the kernel's */
	uint32_t count;          /* ranges used; over TLB_RANGES: the whole tag */
	struct tlb_range range[TLB_RANGES];
};

/* One CPU's part, in struct cpu. */
struct tlb_cpu {
	/* Written by others. */
	_Atomic uint64_t inbox ALIGNED(64); /* bit n: CPU n has a request for me */

	/* Written by me and by those who answer me. */
	_Atomic uint64_t waiting ALIGNED(64); /* bit n: CPU n has not answered my request */
	struct tlb_batch request;             /* mine; constant while waiting is not zero */

	/* Written by me. */
	_Atomic uint64_t served ALIGNED(64); /* requests of others that I have served */
	_Atomic uint64_t exits_then;         /* my kernel_exits when I last served: grace.c */
};

/* Adds whole pages; a range that touches the last one is joined to it. */
void tlb_batch_add(struct tlb_batch *b, vaddr_t base, size_t size);

/* Flushes the batch here and on the CPUs of `where` (bits of CPUs that are not
 * up are ignored), and returns when every one of them has answered. Holds no
 * lock. An empty batch costs nothing. */
void tlb_flush(const struct tlb_batch *b, uint64_t where);

/* Flushes the ranges of the batch on this CPU under a tag. */
void tlb_flush_tag(const struct tlb_batch *b, uint32_t tag);

/* Returns when every CPU of `where` that is up has passed a point between the
 * call and the return; what this CPU wrote before, they see after it. Each has
 * noted its count of kernel exits at that point in exits_then. Holds no lock. */
void tlb_barrier(uint64_t where);

/* Answers what others have asked of this CPU. Called by the IPI handler and by
 * every loop that waits with interrupts off. */
void tlb_serve(void);
