/* SPDX-License-Identifier: MIT */
/* kernel/core/cap.h - capabilities: slots, tokens and the derivation tree.
 *
 * Life    a slot lives in a chunk of its capability space (cspace.h). It is empty
 *         (token 0) or names an object. A node of kind mapping is part of a struct
 *         mapping (aspace.h) and stands below the memory capability that made it.
 * Owns    nothing. A slot is linked into the tree of the object that it names.
 * Locks   links, badge, kind and flags: the object's tree lock. The token is
 *         written under tree lock and object lock, and read without any: it is a
 *         hint until the object is locked and the token read again.
 *
 * Handle = slot index (32) + slot generation (32). Token = object id (32) +
 * object generation (16) + rights (16). A slot generation that would wrap retires
 * the slot for good.
 *
 * Depth below the object is at most CAP_DEPTH, so walks to the root are bounded.
 * Dropping a capability that has children hands them to its parent, in pieces.
 */
#pragma once
#include <core/object.h>
#include <stdatomic.h>

#define CAP_DEPTH  64
#define CAP_BATCH  64 /* nodes handled between two preemption points */

struct cspace;

enum cap_kind {
	CAP_SLOT,    /* in a cspace; the user names it by handle */
	CAP_BINDING, /* held by a kernel object: a thread's address space, a timer's
	              * notification, the pin of a message block ... */
	CAP_MAPPING, /* part of a struct mapping */
};

#define CAP_REVOKING 1u /* nothing new is derived below it */
#define CAP_DROPPING 2u /* token is cleared, children move to the parent */

/* One node of a derivation tree; guarded by the object's tree lock. */
struct cap_node {
	struct cap_node *parent; /* NULL: directly below the object */
	struct cap_node *child;  /* first of its children */
	struct cap_node *next, *prev; /* siblings; prev of the first is NULL */
	object_id_t owner;       /* the cspace that it lies in, or the object that holds the binding */
	uint8_t kind;            /* enum cap_kind */
	uint8_t flags;           /* CAP_REVOKING, CAP_DROPPING */
	uint8_t depth;           /* 0 directly below the object, at most CAP_DEPTH */
	uint8_t which;           /* CAP_BINDING: enum cap_binding */
};

/* 64 bytes, one cache line. A binding is one too: index and gen are unused. */
struct cap_slot {
	_Atomic uint64_t token; /* 0: empty */
	uint64_t badge;         /* endpoint, notification: badge; memory, ioport: range */
	struct cap_node node;
	uint32_t gen;           /* of the handle */
	uint32_t index;         /* of the handle; the next free one while empty */
};

_Static_assert(sizeof(struct cap_slot) == 64, "a slot is one cache line");

/* What a binding is for, and so what is cut when it goes: by revoke, or because the
 * bound object died. */
enum cap_binding {
	BIND_THREAD_ASPACE,       /* the thread stops for good */
	BIND_THREAD_CSPACE,       /* the thread stops for good */
	BIND_THREAD_SCHED,        /* the thread waits until it is given another */
	BIND_THREAD_FAULT,        /* its faults stop it from now on */
	BIND_THREAD_NOTIFICATION, /* a wait for both goes on for the endpoint alone */
	BIND_THREAD_BLOCK,        /* the pin is lifted; messages with payload fail */
	BIND_THREAD_GUEST,        /* the thread leaves guest mode with a reason */
	BIND_THREAD_STATE,        /* the same */
	BIND_TIMER_NOTIFICATION,  /* the timer is disarmed */
	BIND_IRQ_NOTIFICATION,    /* the line is masked */
	BIND_ASPACE_PERSONALITY,  /* the guest half dies with it */
	BIND_DMA_MEMORY,          /* the DMA mapping goes */
	BIND_VIEW_TARGET,         /* the view's pages go */
};

static inline uint64_t token_make(object_id_t id, object_gen_t gen, rights_t rights)
{
	return (uint64_t)id << TOKEN_OBJECT_SHIFT | (uint64_t)gen << TOKEN_GEN_SHIFT | rights;
}

static inline object_id_t token_object(uint64_t token)
{
	return (object_id_t)(token >> TOKEN_OBJECT_SHIFT);
}

static inline object_gen_t token_gen(uint64_t token)
{
	return (object_gen_t)(token >> TOKEN_GEN_SHIFT);
}

static inline rights_t token_rights(uint64_t token)
{
	return (rights_t)token;
}

/* Page range in the badge word of a memory capability: first page and count. A
 * count of 0 means the whole object. */
#define CAP_RANGE(first, count) ((uint64_t)(first) << 32 | (uint32_t)(count))

/* What a look-up of one handle gave. */
struct cap_ref {
	struct object *object;
	struct cap_slot *slot;
	uint64_t token;
	uint64_t badge;
};

/* Reads slot and object of `handle` in `cs` without any lock; type OBJ_ANY takes
 * every type. ST_BAD_CAP, ST_BAD_TYPE or ST_NO_RIGHT as documented for every call. */
status_t cap_find(struct cspace *cs, cap_t handle, enum object_type type, rights_t need,
                  struct cap_ref *out) MUST_CHECK;

/* True if the slot still holds the token and the object its generation; the
 * object's lock is held. What cap_find gave is only then good. */
bool cap_still(const struct cap_ref *ref);

/* cap_find, lock, check: on ST_OK the object is locked and alive. */
status_t cap_lock(struct cspace *cs, cap_t handle, enum object_type type, rights_t need,
                  struct cap_ref *out) MUST_CHECK UNCHECKED_LOCKS;

/* The first capability to a new object, with `rights`, in `cs`. */
status_t cap_insert(struct cspace *cs, struct object *o, rights_t rights, uint64_t badge,
                    cap_t *out) MUST_CHECK;

/* Derives: the new capability is a child of the source. Rights are those of the
 * source and `mask`. word 0 keeps the badge (or range); else the source must be
 * unbadged (or its range contain the new one). */
status_t cap_derive(struct cspace *to, struct cspace *from, cap_t handle, rights_t mask,
                    uint64_t word, cap_t *out) MUST_CHECK;

/* The capability changes its place and keeps its place in the tree. */
status_t cap_move(struct cspace *to, struct cspace *from, cap_t handle, cap_t *out) MUST_CHECK;

/* Makes `binding` (empty, part of object `owner`) a child of the capability that
 * `handle` names, with its token and badge; checks type and right. It is cut by
 * cap_cut when that capability is revoked or its object dies, and by cap_unbind.
 * A binding survives the drop of the capability it was made from. */
status_t cap_bind(struct cspace *cs, cap_t handle, enum object_type type, rights_t need,
                  struct object *owner, enum cap_binding which,
                  struct cap_slot *binding) MUST_CHECK;
void cap_unbind(struct cap_slot *binding);

/* The bound object, locked, if the binding still stands; else NULL. */
struct object *cap_binding_lock(struct cap_slot *binding) UNCHECKED_LOCKS;

/* Supplied by the owners (thread.c, timer_object.c, irq.c, dma.c, memory.c): lets go
 * of what `binding` stood for. The tree lock of the bound object is held and nothing
 * else; it may be let go and taken again meanwhile. False: not all is gone yet, come
 * back after a preemption point. True: the caller takes the binding out of the tree. */
bool cap_cut(struct cap_slot *binding) MUST_CHECK;

/* Nodes of kind CAP_MAPPING (aspace.c), tree lock held. May `n` have children now?
 * ST_REVOKED: it or an ancestor is being revoked; ST_NO_SLOTS: it is too deep. */
status_t cap_node_may_derive(const struct cap_node *n) MUST_CHECK;

/* Makes `n`, whose kind and owner are set, a child of `parent` (NULL: of `o` itself);
 * and takes it out again when it has no children. */
void cap_node_link(struct object *o, struct cap_node *parent, struct cap_node *n) REQUIRES(o->tree);
void cap_node_unlink(struct object *o, struct cap_node *n) REQUIRES(o->tree);

/* The long operations work in pieces: ST_LATER asks to be called again with the
 * same arguments after a preemption point. */
status_t cap_drop(struct cspace *cs, cap_t handle) MUST_CHECK;
status_t cap_revoke(struct cspace *cs, cap_t handle) MUST_CHECK;
