/* SPDX-License-Identifier: MIT */
/* kernel/core/cap.h - capabilities: tokens, look-up and the derivation tree.
 *
 * Life    a capability lies in a slot of a cspace (cspace.h), from which it can be
 *         dropped, or is a binding in a kernel object. A node of kind mapping is part
 *         of a struct mapping (aspace.h) and stands below the memory capability that
 *         made it.
 * Owns    nothing. A slot is linked into the tree of the object that it names.
 * Locks   links, badge, kind and flags: the object's tree lock. The token is cleared
 *         under tree lock and object lock, and read without any: it is a hint until
 *         the object is locked and the slot is read again.
 *
 * Token = object id (32) + object generation (16) + rights (16).
 *
 * Below the object lie at most CAP_DEPTH + 1 levels, so walks to the root are bounded.
 * A capability that is dropped hands what was derived from it to its parent. If that
 * is more than CAP_HEIRS, the rest stays below the emptied slot (a grave), which goes
 * when its last child does, or when its cspace dies.
 */
#pragma once
#include <abi/msg.h>
#include <core/cspace.h>

#define CAP_DEPTH 64
#define CAP_BATCH 32  /* nodes removed between two preemption points */
#define CAP_HEIRS 256 /* children that change their parent in one piece */

/* What a binding is for, and so what is cut when it goes: by revoke, or because the
 * bound object died. */
enum cap_binding {
	BIND_NONE,                /* free for unit tests */
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
	BIND_KINDS,
};

static inline uint64_t token_make(object_id_t id, object_gen_t gen, rights_t rights)
{
	return (uint64_t)id << TOKEN_OBJECT_SHIFT | (uint64_t)gen << TOKEN_GEN_SHIFT |
	       (uint64_t)rights << TOKEN_RIGHTS_SHIFT;
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
	return (rights_t)(token >> TOKEN_RIGHTS_SHIFT);
}

/* Page range in the badge word of a memory capability: first page and count (ports of
 * an ioport likewise). A count of 0 means the whole object. */
#define CAP_RANGE(first, count) ((uint64_t)(first) << 32 | (uint32_t)(count))

/* What a look-up of one handle gave. Good until the caller leaves the kernel, as a
 * question: cap_still answers it. */
struct cap_ref {
	struct object *object;
	struct cap_slot *slot;
	uint64_t token;
	uint64_t badge;
	uint32_t gen; /* of the slot */
};

/* ---- look-up ---- */

/* True if the capability is as it was found: the object lives, the slot still has it.
 * The object's lock or its tree lock is held; while it is, that remains true. */
static inline bool cap_still(const struct cap_ref *ref)
{
	return LIKELY(ref->object->gen == token_gen(ref->token) &&
		      atomic_load_explicit(&ref->slot->gen, memory_order_relaxed) == ref->gen);
}

/* Why what was read from the slot is not what the caller needs: ST_BAD_CAP, ST_BAD_TYPE,
 * ST_NO_RIGHT. */
status_t cap_find_why(struct cap_slot *slot, uint32_t gen, uint64_t token, enum object_type type);

/* Reads slot and object of `handle` in `cs` without any lock; type OBJ_ANY takes every
 * type. ST_BAD_CAP, ST_BAD_TYPE or ST_NO_RIGHT as documented for every call. */
MUST_CHECK static inline status_t cap_find(const struct cspace *cs, cap_t handle,
					   enum object_type type, rights_t need,
					   struct cap_ref *out)
{
	uint32_t gen = (uint32_t)(handle >> 32);
	struct cap_slot *slot;

	OPAQUE(gen); /* one word in one register, though it is compared twice */
	if (LIKELY((uint32_t)handle < CSPACE_CHUNK))
		slot = cspace_slot_near(cs, (uint32_t)handle);
	else if ((slot = cspace_slot(cs, handle)) == NULL)
		return ST_BAD_CAP;
	/* In this order: cap_still compares the generation once more, so token and
	 * badge are those of this generation. */
	if (UNLIKELY(atomic_load_explicit(&slot->gen, memory_order_acquire) != gen))
		return ST_BAD_CAP;
	uint64_t token = atomic_load_explicit(&slot->token, memory_order_acquire);
	struct object *o = object_at(token_object(token));
	/* An empty slot has no rights; only who needs none has to ask. */
	if (UNLIKELY(need & ~token_rights(token)) || (need == 0 && UNLIKELY(token == 0)) ||
	    (type != OBJ_ANY && UNLIKELY(o->type != type))) {
		status_t st = cap_find_why(slot, gen, token, type);

		if (st == ST_OK)
			__builtin_unreachable(); /* for the compiler: *out is not read then */
		return st;
	}
	out->object = o;
	out->slot = slot;
	out->token = token;
	out->badge = atomic_load_explicit(&slot->badge, memory_order_relaxed);
	out->gen = gen;
	return ST_OK;
}

/* Locks the object of `ref` if the capability still stands; else ST_BAD_CAP. */
MUST_CHECK UNCHECKED_LOCKS static inline status_t cap_ref_lock(const struct cap_ref *ref)
{
	spin_lock(&ref->object->lock);
	if (LIKELY(cap_still(ref)))
		return ST_OK;
	spin_unlock(&ref->object->lock);
	return ST_BAD_CAP;
}

/* `why`, which may be ST_OK, or ST_BAD_CAP if the capability is dead by now. Locks the object for
 * that. */
status_t cap_refuse(const struct cap_ref *ref, status_t why);

/* ---- capabilities in spaces ----
 *
 * All take what cap_find gave, with no lock held, and answer ST_BAD_CAP if it is dead by
 * now. The long ones work in pieces: ST_LATER asks to be called again, with what a new
 * cap_find gives, after a preemption point. */

/* The first capability to the new object `o`, with `rights`, in `cs`; from now on `o` is
 * live. ST_NO_MEMORY, ST_NO_SLOTS, ST_BAD_CAP: as from cspace_take; `o` is still new. */
status_t cap_insert(struct cspace *cs, struct object *o, rights_t rights, uint64_t badge,
		    cap_t *out) MUST_CHECK;

/* One capability on its way into another space, or another place in its own. */
struct cap_send {
	struct cap_ref ref;
	rights_t mask; /* rights that are left, of those that it has */
	bool move;
	uint64_t word; /* of a copy: 0 keeps the badge or range */
};

/* Copies or moves `count` capabilities, at most MSG_CAPS, all or none.
 * A copy is derived: a child of what it is made from, which needs RIGHT_COPY. With a word that is
 * not 0 an endpoint's or notification's capability is given that as its badge, if it has none
 * (ST_BAD_STATE); a memory's or ioport's the narrower range (ST_BAD_ARG if it isn't, or for any
 * other type). ST_NO_RIGHT; ST_REVOKED: below a capability that is being revoked; ST_TOO_BIG:
 * deeper than CAP_DEPTH.
 * What is moved keeps its place in the tree, and may be in the list only once (ST_BAD_ARG).
 * ST_TOO_BIG: it has more than CAP_HEIRS children.
 * All errors as from cspace_take besides. */
status_t cap_transfer(struct cspace *to, const struct cap_send *list, unsigned count,
		      cap_t out[]) MUST_CHECK;

/* The capability goes; what was derived from it stays. The object of which it was the
 * last dies: one piece of its destruction is done, what is left is the reaper's. */
status_t cap_drop(const struct cap_ref *ref) MUST_CHECK;

/* Everything derived from the capability goes, with bindings and mappings, on every CPU:
 * on ST_OK a call that found one of them before is done, or has missed. Between the
 * pieces nothing can be derived below it. Needs RIGHT_REVOKE (ST_NO_RIGHT). ST_BAD_CAP: it
 * went itself; if that was by a revoke, so did everything below. */
status_t cap_revoke(const struct cap_ref *ref) MUST_CHECK;

/* Lifts the mark of a revoke that nobody goes on with. */
void cap_revoke_abandon(const struct cap_ref *ref);

/* ---- bindings and mappings ---- */

/* Makes `binding`, a field of `owner`, a child of the capability, with its token and
 * badge. `gen` is the owner's, from when the caller knew it alive: ST_BAD_STATE if it is
 * dead by now. It is cut by cap_cut when the capability is revoked or its object dies, and
 * by cap_unbind; it survives the drop of the capability. ST_LATER: the binding is in use.
 * ST_REVOKED as for a copy. */
status_t cap_bind(const struct cap_ref *to, struct object *owner, object_gen_t gen,
		  enum cap_binding which, struct cap_slot *binding) MUST_CHECK;

/* Empties `binding` without cap_cut. False: it is being cut on another CPU, come back. */
bool cap_unbind(struct cap_slot *binding) MUST_CHECK;

/* The bound object, locked, if the binding still stands; else NULL. */
struct object *cap_binding_lock(const struct cap_slot *binding) UNCHECKED_LOCKS;

/* Takes the tree lock of what the capability names, if something may be hung below it:
 * ST_BAD_CAP, ST_REVOKED. Then cap_hang does so, and the caller unlocks
 * ref->object->tree. */
status_t cap_hold(const struct cap_ref *ref) MUST_CHECK UNCHECKED_LOCKS;

/* Hangs the node of a mapping below another in the tree of `o`, or takes it out. */
void cap_hang(struct object *o, struct cap_node *parent, struct cap_node *node) REQUIRES(o->tree);
void cap_unhang(struct object *o, struct cap_node *node) REQUIRES(o->tree);

/* ---- for the other parts of the kernel core ---- */

/* One piece of taking away all that is below the capability, or (NULL) below the dead object `o`:
 * so many nodes. ST_OK when nothing is left, else ST_LATER, or as from cap_revoke. */
status_t cap_prune(struct object *o, const struct cap_ref *ref, unsigned *budget) MUST_CHECK;

/* Drops what is in a slot of a space that is closed. True: it is empty. Adds to `work`
 * about how many nodes it touched. */
bool cap_evict(struct cap_slot *slot, unsigned *work);

/* Supplied by the owners of bindings: lets go of what `binding` stood for. Called without
 * locks; its token is cleared already, and until it returns true `binding` is not used for
 * anything else and its owner not freed (cap_unbind answers false). It may kill objects, but not
 * destroy them. False: call again after
 * a preemption point. */
typedef bool cap_cut_fn(struct cap_slot *binding);
cap_cut_fn thread_cut, timer_cut, irq_cut, aspace_cut, dma_cut, memory_cut, test_cut;

/* Supplied by aspace.c. The node is in a struct mapping. aspace_node_claim, with the tree lock
 * held, takes it for the caller, who calls aspace_node_unmap next, without locks: that unmaps
 * it on every CPU, takes the node out of the tree (cap_unhang) and frees it. False from the
 * first: another CPU is at it. False from the second: there is more to unmap, it can be claimed
 * again. */
bool aspace_node_claim(struct cap_node *node);
bool aspace_node_unmap(struct cap_node *node);
