/* SPDX-License-Identifier: MIT */
/* kernel/core/aspace.h - address spaces and the mappings in them.
 *
 * Life    made by aspace_create; dies as every object does. A thread that runs in a
 *         dead one is stopped before its tables are freed.
 * Owns    its page tables (charged to its quota) and its mappings.
 * Locks   obj.lock (rank LOCK_ASPACE) guards the region tree and the tables' shape;
 *         entries are changed under the lock of the mapped memory object as well.
 *         Order: aspace, then memory. Who starts from the memory object (share,
 *         decommit, seal, revoke) picks a mapping, lets the memory lock go, takes both
 *         in order and looks again.
 * Blocks  never.
 *
 * Kinds: ASPACE_PLAIN; ASPACE_PERSONALITY is confined to the top-level slot
 * PERSONALITY_BASE; ASPACE_GUEST covers what lies below and may only be made with the
 * personality half that serves it. A guest has two roots: one with its own half
 * only, and one with the personality's as well, in which the guest's half can't be
 * executed. Only a guest half may hold mappings that are writable and executable.
 */
#pragma once
#include <arch/arch.h>
#include <core/cap.h>
#include <core/memory.h>
#include <core/tree.h>

enum aspace_kind { ASPACE_PLAIN, ASPACE_PERSONALITY, ASPACE_GUEST };

/* User addresses: [ASPACE_FIRST, ARCH_USER_END), whole pages. */
#define ASPACE_FIRST 0x10000ull

#define MAP_READ  1u
#define MAP_WRITE 2u
#define MAP_EXEC  4u

struct aspace {
	struct object obj; /* first */
	enum aspace_kind kind;        /* constant */
	struct cap_slot personality;  /* ASPACE_GUEST: binding to the half that serves it */
	struct arch_aspace arch;      /* roots, tags, CPUs that may have it cached */

	/* Guarded by obj.lock. */
	struct tree regions;          /* struct mapping, by address; none overlap */
	uint64_t mapped;              /* pages in regions */
	uint64_t sweep;
};

/* One mapped range. Its node stands below the memory capability that made it, so
 * that revoking the capability unmaps it. */
struct mapping {
	struct object obj;            /* type OBJ_TYPES: a slab of its own, never named */
	struct cap_node node;         /* kind CAP_MAPPING */
	uint8_t access;               /* MAP_READ, ... */
	uint8_t allowed;              /* what the capability that made it allowed */
	bool dead;                    /* being taken away; guarded by the memory's lock */
	struct tree_node region;      /* in aspace->regions */
	struct aspace *aspace;
	struct memory *memory;
	struct mapping *next, *prev;  /* of memory->mappings; guarded by its lock */
	vaddr_t base;
	uint64_t pages, first;        /* length, and first page in the object */
};

status_t aspace_create(struct quota *q, enum aspace_kind kind, struct aspace *personality,
                       struct aspace **out) MUST_CHECK;

/* Maps pages [page, page + count) of what the handle names at `va`. The range must be
 * free (ST_EXISTS). Access beyond the capability's rights is ST_NO_RIGHT; write with
 * exec outside a guest half is ST_BAD_ARG. Nothing is faulted in. */
struct map_request {
	cap_t memory;
	vaddr_t va;
	uint64_t page, count;
	unsigned access;
};
status_t aspace_map(struct aspace *as, struct cspace *cs, const struct map_request *r) MUST_CHECK;

/* Takes away whatever is mapped in the range, splitting mappings at its ends, and
 * returns when no CPU can use it. ST_LATER: call again. */
status_t aspace_unmap(struct aspace *as, vaddr_t va, uint64_t pages) MUST_CHECK;

/* Changes the access of whole pages in the range; no hole may be in it. Never more
 * than the capability that made the mapping allowed. */
status_t aspace_protect(struct aspace *as, vaddr_t va, uint64_t pages, unsigned access) MUST_CHECK;

/* One byte per page into `out` (kernel memory): bit 0 accessed, bit 1 dirty since the last
 * scan, bit 2 present; clears them. */
status_t aspace_scan(struct aspace *as, vaddr_t va, uint64_t pages, uint8_t *out) MUST_CHECK;

/* Resolves a user fault at `va`. ST_OK: retry the instruction. Else the reason,
 * which goes into the fault report. */
status_t aspace_fault(struct aspace *as, vaddr_t va, unsigned access) MUST_CHECK;

/* Takes one mapping away on every CPU: revoke, drop of the last capability. */
void aspace_unmap_mapping(struct mapping *map);
