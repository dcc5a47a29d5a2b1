/* SPDX-License-Identifier: MIT */
/* kernel/core/pagetable.h - the page tables of one address space.
 *
 * Life    part of a struct aspace. pagetable_free makes every CPU leave it before
 *         its tables are freed.
 * Owns    its tables, charged to the quota of the aspace.
 * Locks   entries for the pages of a mapping are changed under the lock of its memory
 *         object, with the aspace's lock or without it. Tables are taken out under the
 *         aspace's lock, none that covers a part of a mapping; so whoever holds the lock of
 *         a mapped memory object can walk to its translations. Tables are put in by whoever
 *         needs one, by compare-and-exchange. Entries are atomic: processors read
 *         them and set bits in them at any time.
 * Blocks  never.
 *
 * Every machine has tables of 512 entries of 8 bytes; what an entry looks like is
 * in the port's pte.h. Levels count from 0, the tables whose entries are pages of 4 KiB.
 *
 * ROOT_MAIN is what the space's threads run on. A guest half has two roots over the same lower
 * tables: ROOT_GUEST, which is the guest's own, and ROOT_MAIN, the joint one, in which its entries
 * forbid execution and the personality's only entry stands beside them. That entry never
 * changes, so all joint roots share what is below it.
 *
 * When a translation is gone on every CPU
 *
 * Each root has a tag under which processors may keep its translations while another
 * root is active. `cpus` has the CPUs that may have any: a CPU sets its bit before it
 * loads the root, and clears it when it is asked to flush, isn't running on the table,
 * and so forgets all of it. Who changed an entry reads `cpus` afterwards. Both sides
 * have a full barrier in between, so either the CPU is asked or it loads the new entry.
 *
 * What the personality's half maps is also cached under the tags of all its guests'
 * joint roots. Its `generation` is counted up by each flush, after the change and
 * before `cpus` is read. A CPU that is asked flushes the joint root that it runs on; of
 * others it notes the generation that it loaded them with, and forgets the
 * tag when it loads one again with another generation.
 */
#pragma once
#include <abi/memory.h>
#include <core/assert.h>
#include <core/frame.h>
#include <core/tlb.h>
#include <stdatomic.h>

struct quota;

enum pagetable_which { ROOT_MAIN, ROOT_GUEST, ROOTS };

struct pagetable_root {
	paddr_t pa; /* 0: there is none */
	uint32_t tag;
};

struct pagetable {
	/* Constant. */
	struct pagetable_root root[ROOTS];
	paddr_t top;   /* where walks begin: the root, a guest's own, or the half's only table */
	uint8_t level; /* of `top`; of a personality's half it is not the root's */
	struct quota *payer;

	_Atomic(struct pagetable *) half; /* in the joint root; NULL: none, or cut */
	_Atomic bool dead;
	_Atomic uint64_t cpus;       /* that may have translations cached; of these, for a */
	_Atomic uint64_t ready;      /* table that is loaded without more ado, those that have */
	_Atomic uint64_t generation; /* of the translations: counted up by each flush */
	_Atomic uint32_t flushes;    /* that are on their way: other CPUs may read this */
};

/* One CPU's part, in struct cpu. No root is active when `root` is 0: only the kernel's
 * half is mapped then. */
#define PAGETABLE_NOTES 32

struct pagetable_cpu {
	paddr_t root;
	struct pagetable *table;   /* whose root it is */
	struct pagetable *half;    /* of a guest's: whose half its joint root shows */
	const struct quota *payer; /* of the last table with another one, see pagetable_load */

	/* Joint roots loaded before, by tag, and the half's generation then. */
	struct {
		uint64_t generation;
		uint32_t tag;
	} note[PAGETABLE_NOTES];
};

/* The tag of the root that is active; 0: the kernel's. */
static inline uint32_t pagetable_tag(const struct pagetable_cpu *c)
{
	if (c->root == 0)
		return 0;
	return c->table->root[c->table->root[ROOT_MAIN].pa == c->root ? ROOT_MAIN : ROOT_GUEST].tag;
}

/* Sets up empty tables charged to `q`: a plain space; a personality half; or, joined to such a
 * half, a guest. Tags `tag` and `tag` + 1 are its own, not zero, while it exists.
 * ST_NO_MEMORY: what is there is for pagetable_free. */
status_t pagetable_init(struct pagetable *t, struct quota *q, uint32_t tag,
			bool is_half) MUST_CHECK;
status_t pagetable_join(struct pagetable *t, struct pagetable *half) MUST_CHECK;

/* Makes every CPU leave `t` and forget it, and frees the roots, if there are any. Nothing is below
 * them and nobody may load it any more. Holds no lock. */
void pagetable_free(struct pagetable *t);

struct pagetable_page {
	vaddr_t va;
	paddr_t pa;
	unsigned level;  /* 0: 4 KiB, 1: 2 MiB, 2: 1 GiB; va and pa are multiples of it */
	unsigned access; /* ARCH_READ and others */
};

/* Enters a translation, or gives more access to the one that is there. ST_EXISTS: there is
 * a table where a large page should go; ST_NO_MEMORY. Holds the lock of the memory object. */
status_t pagetable_enter(struct pagetable *t, const struct pagetable_page *page) MUST_CHECK;

/* Bytes that a page of `level` covers. */
static inline uint64_t pagetable_span(unsigned level)
{
	return FRAME_SIZE << (9 * level);
}

/* Work that has to be flushed, and how much of it may be done at once. */
struct pagetable_cut {
	struct tlb_batch flush;
	paddr_t tables;  /* that were taken out, in a chain */
	unsigned budget; /* entries to look at */
};

/* Nothing to flush yet. */
void pagetable_cut_init(struct pagetable_cut *c, struct pagetable *t, unsigned budget);

/* Takes all access but `keep` (0: the translation) from `pages` pages, and says how many
 * it did before the budget was used up. A large page that lies in the range only in part
 * goes whole. */
uint64_t pagetable_restrict(struct pagetable *t, vaddr_t va, uint64_t pages, unsigned keep,
			    struct pagetable_cut *c);

/* Takes the half out of the joint root. */
void pagetable_cut_half(struct pagetable *t, struct pagetable_cut *c);

/* Reads and clears what the processor noted about one page: SCAN_ACCESSED, ...; 0 if it is not
 * there. What it notes about a large page is of all its pages, and stays. */
uint8_t pagetable_scan(struct pagetable *t, vaddr_t va, struct pagetable_cut *c);

/* Takes out the tables under [from, to) that lie within [low, high), where nothing is mapped any
 * more; pagetable_flush gives them back. Holds the aspace's lock. */
struct pagetable_gap {
	vaddr_t from, to, low, high;
};
void pagetable_trim(struct pagetable *t, const struct pagetable_gap *gap, struct pagetable_cut *c);

/* What is entered for `va`: false if nothing. */
bool pagetable_find(struct pagetable *t, vaddr_t va, struct pagetable_page *out);

/* After the entries were changed, before the locks are let go: the CPUs to ask. From then on
 * until pagetable_flush has returned, which holds no lock, the table stays; what it belongs to
 * is not freed before `flushes` is 0. */
MUST_CHECK uint64_t pagetable_flush_begin(struct pagetable *t);
void pagetable_flush(const struct pagetable_cut *c, uint64_t where);

/* tlb.c: this CPU's answer to a batch that names a table. */
void pagetable_flush_here(const struct tlb_batch *b);

/* What one container's programs taught the branch predictors, another's must not run by: so they
 * are emptied when tables are loaded that another quota pays for, where processors need that.
 *
 * Makes a root active on this CPU (whose bit is `bit`, and whose part is `c`). pagetable_switch:
 * the main root; pagetable_switch_short: if this CPU has loaded it before, and it is no joint
 * one, which need not be.
 */
void pagetable_load(struct pagetable *t, enum pagetable_which which);

MUST_CHECK static inline bool pagetable_switch_short(struct pagetable_cpu *c, struct pagetable *t,
						     uint64_t bit)
{
	paddr_t root = t->root[ROOT_MAIN].pa;

	if (c->root == root)
		return true;
	if (UNLIKELY(!(atomic_load_explicit(&t->ready, memory_order_relaxed) & bit)) ||
	    UNLIKELY(!arch_root_switch(root, &t->root[ROOT_MAIN].tag)))
		return false;
	DEBUG_ASSERT(!atomic_load(&t->dead));
	c->root = root;
	c->table = t;
	c->half = NULL;
	return true;
}

static inline void pagetable_switch(struct pagetable_cpu *c, struct pagetable *t, uint64_t bit)
{
	if (!pagetable_switch_short(c, t, bit))
		pagetable_load(t, ROOT_MAIN);
}

/* The other root of the guest half that is active. Both were made ready when one was loaded. */
static inline void pagetable_flip(struct pagetable_cpu *c, const struct pagetable *t,
				  enum pagetable_which which)
{
	DEBUG_ASSERT(c->table == t && t->root[which].pa != 0);
	c->root = t->root[which].pa;
	if (UNLIKELY(!arch_root_switch(c->root, &t->root[which].tag)))
		arch_root_load(c->root, t->root[which].tag);
}
