/* SPDX-License-Identifier: MIT */
/* kernel/core/aspace.h - address spaces and the mappings in them.
 *
 * Life    made by aspace_create; dies as every object does: the threads that run in it
 *         are stopped first (their bindings are cut), then its mappings go, then every
 *         CPU leaves its tables, then they are freed.
 * Owns    its page tables and its mappings, charged to its quota.
 * Locks   obj.lock (rank LOCK_ASPACE) guards the regions and the tables' shape. The
 *         fields of a mapping are changed under both its aspace's lock and its memory's,
 *         and read under either. A mapping's node is in the derivation tree of its
 *         memory, under that tree's lock. Order: tree, aspace, memory.
 *         Who starts from the memory (share, decommit, a copy on write) holds its lock
 *         alone: a mapping that is linked keeps the tables under it, see pagetable.h.
 * Blocks  never.
 *
 * Invariants
 *   - Regions don't overlap. Whatever a CPU may have cached for an address lies in the
 *     region of the mapping that it was entered for: a mapping loses its node and is freed
 *     only after the flush. So a memory object without mappings is nowhere cached, and
 *     revocation that has found no node is done.
 *   - Writable and executable at once are only mappings of a guest half.
 *   - memory.writers counts the mappings that may write, or whose translations may.
 *
 * Kinds: ASPACE_PLAIN; ASPACE_PERSONALITY is confined to the last entry of the root
 * (ARCH_PERSONALITY); ASPACE_GUEST covers what lies below and is made with the
 * personality half that serves it. A guest has two roots: one with its own half
 * only, and one with the personality's as well, in which the guest's half can't be
 * executed.
 */
#pragma once
#include <core/cpu.h>
#include <core/memory.h>

/* User addresses: [ASPACE_FIRST, ARCH_USER_END), whole pages. */
#define ASPACE_FIRST 0x10000ull

#define ASPACE_BATCH 64 /* mappings between two preemption points */

struct aspace {
	struct object obj;    /* first */
	uint8_t kind;         /* enum aspace_kind; constant */
	struct cap_slot half; /* ASPACE_GUEST: binding to the half that serves it */
	struct pagetable table;

	/* Guarded by obj.lock. */
	struct tree regions; /* struct mapping, by page number */
	uint64_t removed;    /* mappings that were taken out of it */
};

/* One mapped range. Its node stands below the memory capability that made it, so
 * that revoking the capability unmaps it. */
struct mapping {
	struct object obj;     /* type OBJ_TYPES: a slab of its own, never named */
	struct cap_node node;  /* kind CAP_MAPPING; guarded by memory->obj.tree */
	struct aspace *aspace; /* constant */
	struct memory *memory; /* constant */
	vaddr_t base;
	uint64_t pages, first;     /* length, and first page in the object */
	uint64_t settled;          /* pages whose translations allow no more than `access` */
	uint8_t access;            /* MAP_READ, ... */
	uint8_t allowed;           /* what the capability that made it allowed */
	bool writer;               /* counted in memory->writers */
	bool dead;                 /* being taken away: nothing is entered any more */
	bool busy;                 /* a CPU has claimed it, and may await a shootdown without
				    * locks: guarded by the memory's lock alone */
	struct tree_node region;   /* in aspace->regions */
	struct tree_node pagewise; /* in memory->mappings */
};

/* `kind`: enum aspace_kind. ASPACE_GUEST: `half` is a capability to the half that serves it; else
 * it is NULL. ST_BAD_ARG, ST_NO_MEMORY, as from cap_bind. */
status_t aspace_create(struct quota *q, uint64_t kind, const struct cap_ref *half,
		       struct aspace **out) MUST_CHECK;

/* The calls below take the capability to the aspace (cap_find), look at it again under
 * the lock of the object (ST_BAD_CAP), and hold no lock on entry and exit. */

/* Maps pages [page, page + count) of the range that `memory`, with RIGHT_MAP, names at `va`,
 * which must be free (ST_EXISTS). ST_NO_RIGHT: access beyond the capability's rights;
 * ST_BAD_ARG: write with exec outside a guest half, addresses or pages out of range;
 * ST_BAD_STATE: writing what is sealed; as from cap_hold. Nothing is faulted in. */
struct map_request {
	vaddr_t va;
	uint64_t count;
	uint64_t access;
	uint64_t page; /* of the memory; of a mapping that is there it does not count */
};
status_t aspace_map(const struct cap_ref *by, const struct cap_ref *memory,
		    const struct map_request *r) MUST_CHECK;

/* Takes away whatever is mapped in the range, splitting mappings at its ends, and
 * returns when no CPU can use it. ST_LATER: call again. ST_NO_MEMORY: a mapping had to be split. */
status_t aspace_unmap(const struct cap_ref *by, vaddr_t va, uint64_t pages) MUST_CHECK;

/* Changes the access of whole pages in the range, which may have no hole (ST_BAD_ADDRESS) and
 * PROTECT_MAX mappings (ST_TOO_BIG); never to more than the capability that made the mapping
 * allowed (ST_NO_RIGHT). ST_NO_MEMORY: a mapping had to be split. All of it or nothing, if nobody
 * else changes the mappings meanwhile. Access that is taken is gone on every CPU. On any return
 * *r is what has not changed; ST_LATER: go on with that. */
status_t aspace_protect(const struct cap_ref *by, struct map_request *r) MUST_CHECK;

/* One byte for each of up to SCAN_MAX pages into `out`: SCAN_ACCESSED, SCAN_DIRTY since the last
 * scan, SCAN_PRESENT; clears them, but for large pages. */
status_t aspace_scan(const struct cap_ref *by, vaddr_t va, uint64_t pages, uint8_t *out) MUST_CHECK;

/* Resolves a user fault at `va`. ST_OK: retry the instruction, which faults again if something was
 * in the way; interrupts are taken in between. Else the reason, which goes into the
 * fault report. Holds no lock. */
status_t aspace_fault(struct aspace *as, vaddr_t va, unsigned access) MUST_CHECK;

/* For cap.c: the binding of a guest to its half is cut. */
bool aspace_cut(struct cap_slot *binding) MUST_CHECK;
