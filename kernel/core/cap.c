/* SPDX-License-Identifier: MIT */
#include <core/cap.h>
#include <core/assert.h>
#include <core/slab.h>

/* Why letting the tree lock go in the middle of a revoke or sweep is right
 *
 * What stands for a mapping or a binding can't be undone under the tree lock: it takes
 * shootdowns, which are awaited without locks. So such a node is first marked as taken,
 * under the tree lock: a binding by CAP_BUSY, a mapping by aspace_node_claim. Then
 * the lock is let go, the mapping unmapped or the binding cut, and only then, under the
 * lock again, the node leaves the tree. Meanwhile
 * - the node keeps its memory: whoever else wants it away (another revoke, the sweep of
 *   the dead object, its owner) finds it taken and comes back later, so exactly one undoes
 *   and unlinks it;
 * - it stays in the tree below the capability that is revoked, so no other revoke of an
 *   ancestor finds that empty and returns too early; it can change its parent (drop), but
 *   only to one that is nearer to the root and below the same capability;
 * - nothing is derived below the capability, as it is marked CAP_REVOKING;
 * - the capability itself can go. So after each time the revoke looks it up again
 *   (cap_still), and keeps no pointer into the tree.
 * Whoever has taken a node gives it back before he leaves the kernel.
 */

#pragma weak test_cut /* of the unit tests */

static cap_cut_fn *const cap_cut[BIND_KINDS] = {
	[BIND_NONE] = test_cut,
	[BIND_THREAD_ASPACE... BIND_THREAD_STATE] = thread_cut,
	[BIND_TIMER_NOTIFICATION] = timer_cut,
	[BIND_IRQ_NOTIFICATION] = irq_cut,
	[BIND_ASPACE_PERSONALITY] = aspace_cut,
	[BIND_DMA_MEMORY] = dma_cut,
	[BIND_VIEW_TARGET] = memory_cut,
};

static struct cap_slot *slot_of(struct cap_node *n)
{
	return container_of(n, struct cap_slot, node);
}

status_t cap_refuse(const struct cap_ref *ref, status_t why)
{
	spin_lock(&ref->object->lock);
	bool alive = cap_still(ref);
	spin_unlock(&ref->object->lock);
	return alive ? why : ST_BAD_CAP;
}

status_t cap_find_why(struct cap_slot *slot, uint32_t gen, uint64_t token, enum object_type type)
{
	struct object *o = object_at(token_object(token));
	struct cap_ref ref = { .object = o, .slot = slot, .token = token, .gen = gen };

	if (token == 0)
		return ST_BAD_CAP;
	return cap_refuse(&ref, type != OBJ_ANY && o->type != type ? ST_BAD_TYPE : ST_NO_RIGHT);
}

/* ---- links; the tree is locked ---- */

static struct cap_node **first_child(struct object *o, struct cap_node *parent) REQUIRES(o->tree)
{
	return parent != NULL ? &parent->child : &o->children;
}

static void node_link(struct object *o, struct cap_node *parent, struct cap_node *n)
	REQUIRES(o->tree)
{
	struct cap_node **first = first_child(o, parent);

	n->parent = parent;
	n->prev = NULL;
	n->next = *first;
	if (*first != NULL)
		(*first)->prev = n;
	*first = n;
}

/* A new node without children. */
static void node_add(struct object *o, struct cap_node *parent, struct cap_node *n,
		     enum cap_kind kind) REQUIRES(o->tree)
{
	n->kind = (uint8_t)kind;
	n->child = NULL;
	STORE(n->flags, 0);
	node_link(o, parent, n);
}

static void node_unlink(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	*(n->prev != NULL ? &n->prev->next : first_child(o, n->parent)) = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
}

/* ST_OK if something may become a child of `n` and is not deeper than `depth` then. */
static status_t node_may_get_child(const struct cap_node *n, unsigned depth)
{
	for (; n != NULL; n = n->parent) {
		if (LOAD(n->flags) & CAP_REVOKING)
			return ST_REVOKED;
		if (depth-- == 0)
			return ST_TOO_BIG;
	}
	return ST_OK;
}

/* ---- slots; the tree is locked ---- */

static void slot_fill(struct object *o, struct cap_slot *slot, struct cap_node *parent,
		      uint64_t token, uint64_t badge) REQUIRES(o->tree)
{
	STORE(slot->badge, badge);
	node_add(o, parent, &slot->node, CAP_SLOT);
	o->caps++;
	STORE(slot->token, token);
}

/* From here on no look-up finds the slot. As long as it is linked it is a grave, and its
 * badge word says whose tree that is. If it was the object's last, that dies. */
static uint64_t slot_clear(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	uint32_t gen = LOAD(slot->gen);

	spin_lock(&o->lock);
	STORE(slot->gen, gen == ARCH_SLOT_GEN_MAX ? 0 : gen + 1);
	STORE(slot->badge, LOAD(slot->token));
	STORE(slot->node.flags, CAP_GRAVE);
	STORE(slot->token, 0);
	spin_unlock(&o->lock);
	if (!(o->flags & OBJECT_LIVE) || --o->caps > 0)
		return 0;
	return object_kill(o);
}

static cap_t slot_handle(const struct cap_slot *slot)
{
	return (cap_t)LOAD(slot->gen) << 32 | slot->index;
}

/* Gives a cleared slot without children back to its space. */
static void slot_free(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	node_unlink(o, &slot->node);
	STORE(slot->node.flags, 0);
	cspace_put(container_of(object_at(slot->node.owner), struct cspace, obj), slot);
}

/* Frees graves from `n` upwards whose last child has gone. */
static void graves_free(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	while (n != NULL && (LOAD(n->flags) & CAP_GRAVE) && n->child == NULL) {
		struct cap_node *parent = n->parent;

		slot_free(o, slot_of(n));
		n = parent;
	}
}

/* What is below a cleared slot goes to its parent, as far as one piece reaches; with
 * nothing left below it, it is free. Returns how many nodes changed their parent. */
static unsigned slot_bury(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	unsigned moved = 0;

	for (struct cap_node *c; moved < CAP_HEIRS && (c = slot->node.child) != NULL; moved++) {
		node_unlink(o, c);
		node_link(o, slot->node.parent, c);
	}
	graves_free(o, &slot->node);
	return moved;
}

/* ---- deriving and moving ---- */

/* The badge word of what is derived from `badge` with `word`. */
static status_t badge_derive(unsigned type, uint64_t badge, uint64_t word, uint64_t *out)
{
	uint64_t first = word >> 32;
	uint64_t count = (uint32_t)word;
	uint64_t from = badge >> 32;

	*out = word == 0 ? badge : word;
	if (word == 0)
		return ST_OK;
	if (type == OBJ_ENDPOINT || type == OBJ_NOTIFICATION)
		return badge == 0 ? ST_OK : ST_BAD_STATE;
	if ((type != OBJ_MEMORY && type != OBJ_IOPORT) || count == 0)
		return ST_BAD_ARG;
	if (badge == 0) /* the whole object; uses are checked against its size */
		return ST_OK;
	return first >= from && first + count <= from + (uint32_t)badge ? ST_OK : ST_BAD_ARG;
}

status_t cap_insert(struct cspace *cs, struct object *o, rights_t rights, uint64_t badge,
		    cap_t *out)
{
	struct cap_slot *slot;

	spin_lock(&o->tree);
	status_t st = cspace_take(cs, 1, &slot);
	if (st == ST_OK) {
		slab_publish(o);
		o->flags = OBJECT_LIVE;
		slot_fill(o, slot, NULL, token_make(object_id(o), o->gen, rights), badge);
		*out = slot_handle(slot);
	}
	spin_unlock(&o->tree);
	return st;
}

static status_t derive_check(const struct cap_send *s, uint64_t *badge)
	REQUIRES(s->ref.object->tree)
{
	if (!(token_rights(s->ref.token) & RIGHT_COPY))
		return ST_NO_RIGHT;
	status_t st = badge_derive(s->ref.object->type, s->ref.badge, s->word, badge);
	return st != ST_OK ? st : node_may_get_child(&s->ref.slot->node, CAP_DEPTH);
}

static status_t move_check(const struct cap_send *s, uint64_t *badge) REQUIRES(s->ref.object->tree)
{
	unsigned count = 0;

	*badge = s->ref.badge;
	for (const struct cap_node *c = s->ref.slot->node.child; c != NULL; c = c->next) {
		if (++count > CAP_HEIRS)
			return ST_TOO_BIG;
	}
	return ST_OK;
}

UNCHECKED_LOCKS static cap_t transfer_one(const struct cap_send *s, struct cap_slot *slot,
					  uint64_t badge)
{
	struct object *o = s->ref.object;
	struct cap_slot *old = s->ref.slot;
	struct cap_node *parent = s->move ? old->node.parent : &old->node;

	slot_fill(o, slot, parent, s->ref.token & (~(uint64_t)UINT16_MAX | s->mask), badge);
	if (s->move) {
		/* A revoke that was under way finds its capability gone, and its mark. */
		slot->node.child = old->node.child;
		old->node.child = NULL;
		for (struct cap_node *c = slot->node.child; c != NULL; c = c->next)
			c->parent = &slot->node;
		slot_clear(o, old);
		slot_free(o, old);
	}
	return slot_handle(slot);
}

/* Enters `o` into the list of those whose trees are locked, by address and each once. */
ALWAYS_INLINE unsigned list_enter(struct object *list[], unsigned n, struct object *o)
{
	unsigned at = n;

	for (unsigned i = 0; i < n; i++) {
		if (list[i] == o)
			return n;
	}
	for (; at > 0 && list[at - 1] > o; at--)
		list[at] = list[at - 1];
	list[at] = o;
	return n + 1;
}

UNCHECKED_LOCKS ALWAYS_INLINE status_t transfer_check(const struct cap_send *list, unsigned count,
						      uint64_t badge[])
{
	for (unsigned i = 0; i < count; i++) {
		const struct cap_send *s = &list[i];
		status_t st = ST_BAD_CAP;

		if (cap_still(&s->ref))
			st = s->move ? move_check(s, &badge[i]) : derive_check(s, &badge[i]);
		for (unsigned j = 0; st == ST_OK && j < count; j++) {
			if (s->move && j != i && list[j].ref.slot == s->ref.slot)
				st = ST_BAD_ARG;
		}
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

UNCHECKED_LOCKS ALWAYS_INLINE status_t transfer(struct cspace *to, const struct cap_send *list,
						unsigned count, cap_t out[])
{
	struct object *tree[MSG_CAPS] UNINITIALIZED;
	struct cap_slot *slot[MSG_CAPS] UNINITIALIZED;
	uint64_t badge[MSG_CAPS] UNINITIALIZED;

	unsigned trees = 0;
	for (unsigned i = 0; i < count; i++)
		trees = list_enter(tree, trees, list[i].ref.object);
	for (unsigned i = 0; i < trees; i++)
		spin_lock_second(&tree[i]->tree);
	status_t st = transfer_check(list, count, badge);
	if (st == ST_OK)
		st = cspace_take(to, count, slot);
	for (unsigned i = 0; st == ST_OK && i < count; i++)
		out[i] = transfer_one(&list[i], slot[i], badge[i]);
	while (trees > 0)
		spin_unlock(&tree[--trees]->tree);
	return st;
}

status_t cap_transfer(struct cspace *to, const struct cap_send *list, unsigned count, cap_t out[])
{
	ASSERT(count <= MSG_CAPS);
	/* Compiled twice: one is the usual number. */
	return LIKELY(count == 1) ? transfer(to, list, 1, out) : transfer(to, list, count, out);
}

/* ---- dropping ---- */

status_t cap_drop(const struct cap_ref *ref)
{
	struct object *o = ref->object;
	uint64_t dead = 0;

	spin_lock(&o->tree);
	bool found = cap_still(ref);
	if (found) {
		dead = slot_clear(o, ref->slot);
		slot_bury(o, ref->slot);
	}
	spin_unlock(&o->tree);
	/* Who made it pays for it, but is not held up by what others have hung below it. */
	if (dead != 0 && !object_destroy_some(dead))
		object_reap(dead);
	return found ? ST_OK : ST_BAD_CAP;
}

bool cap_evict(struct cap_slot *slot, unsigned *work)
{
	uint64_t token = LOAD(slot->token);
	uint64_t dead = 0;

	if (token == 0 && (LOAD(slot->node.flags) & CAP_GRAVE))
		token = LOAD(slot->badge);
	if (token == 0)
		return true;
	/* As long as the slot is linked, here or below, the object is not freed. */
	struct object *o = object_at(token_object(token));
	spin_lock(&o->tree);
	if (LOAD(slot->token) == token)
		dead = slot_clear(o, slot);
	if ((LOAD(slot->node.flags) & CAP_GRAVE) && LOAD(slot->badge) == token)
		*work += 1 + slot_bury(o, slot) / 16;
	spin_unlock(&o->tree);
	if (dead != 0)
		object_reap(dead);
	return LOAD(slot->token) == 0 && !(LOAD(slot->node.flags) & CAP_GRAVE);
}

/* ---- revoking and sweeping ---- */

/* Takes a leaf that stands for a mapping or a binding, see above. */
static bool leaf_take(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	if (n->kind == CAP_MAPPING)
		return aspace_node_claim(n);
	if (LOAD(n->flags) & CAP_BUSY)
		return false;
	STORE(n->flags, CAP_BUSY);
	spin_lock(&o->lock);
	STORE(slot_of(n)->token, 0);
	spin_unlock(&o->lock);
	return true;
}

/* Takes a binding out of the tree: from now on its owner may use it again. */
static void binding_unlink(struct object *o, struct cap_slot *binding) REQUIRES(o->tree)
{
	cap_unhang(o, &binding->node);
	STORE(binding->node.flags, 0);
	STORE(binding->gen, 0);
}

/* Undoes what a leaf that was taken stands for. False: there is more to undo. */
static bool leaf_cut(struct object *o, struct cap_node *n)
{
	if (n->kind == CAP_MAPPING)
		return aspace_node_unmap(n);
	bool done = cap_cut[n->which](slot_of(n));
	spin_lock(&o->tree);
	if (done)
		binding_unlink(o, slot_of(n));
	else
		STORE(n->flags, 0);
	spin_unlock(&o->tree);
	return done;
}

/* Removes leaves below `root` (NULL: the object). Stops when nothing is left, when the
 * budget is used up, or at a leaf that has to be cut: that one is taken and returned. */
static struct cap_node *prune(struct object *o, struct cap_node *root, unsigned *budget)
	REQUIRES(o->tree)
{
	struct cap_node *n = root;

	while (*budget > 0) {
		for (struct cap_node *c = *first_child(o, n); c != NULL; c = c->child)
			n = c;
		if (n == root)
			return NULL;
		--*budget;
		if (n->kind != CAP_SLOT) {
			*budget = 0; /* to undo it is enough for a piece */
			return leaf_take(o, n) ? n : NULL;
		}
		struct cap_node *parent = n->parent;
		if (LOAD(slot_of(n)->token) != 0)
			slot_clear(o, slot_of(n));
		slot_free(o, slot_of(n));
		n = parent;
	}
	return NULL;
}

status_t cap_prune(struct object *o, const struct cap_ref *ref, unsigned *budget)
{
	struct cap_node *root = ref != NULL ? &ref->slot->node : NULL;
	struct cap_node *leaf;
	status_t st;

	do {
		leaf = NULL;
		st = ST_BAD_CAP;
		spin_lock(&o->tree);
		if (ref == NULL || cap_still(ref)) {
			leaf = prune(o, root, budget);
			st = *first_child(o, root) == NULL ? ST_OK : ST_LATER;
			if (root != NULL)
				STORE(root->flags, (uint16_t)(st == ST_OK ? 0 : CAP_REVOKING));
		}
		spin_unlock(&o->tree);
	} while (leaf != NULL && leaf_cut(o, leaf));
	return st;
}

status_t cap_revoke(const struct cap_ref *ref)
{
	if (!(token_rights(ref->token) & RIGHT_REVOKE))
		return cap_refuse(ref, ST_NO_RIGHT);
	return cap_prune(ref->object, ref, &(unsigned){ CAP_BATCH });
}

void cap_revoke_abandon(const struct cap_ref *ref)
{
	spin_lock(&ref->object->tree);
	if (cap_still(ref))
		STORE(ref->slot->node.flags, 0);
	spin_unlock(&ref->object->tree);
}

/* ---- bindings and mappings ---- */

UNCHECKED_LOCKS status_t cap_bind(const struct cap_ref *to, struct object *owner, object_gen_t gen,
				  enum cap_binding which, struct cap_slot *binding)
{
	status_t st = cap_hold(to);

	if (st != ST_OK)
		return st;
	/* Under the owner's lock, so that its close, which comes after the kill, finds
	 * the binding, or we find it dead. */
	spin_lock(&owner->lock);
	if (owner->gen != gen) {
		st = ST_BAD_STATE;
	} else if (LOAD(binding->gen) != 0) {
		st = ST_LATER;
	} else {
		binding->node.which = (uint8_t)which;
		binding->node.owner = object_id(owner);
		STORE(binding->badge, to->badge);
		node_add(to->object, &to->slot->node, &binding->node, CAP_BINDING);
		STORE(binding->gen, object_id(to->object));
		STORE(binding->token, to->token);
	}
	spin_unlock(&owner->lock);
	spin_unlock(&to->object->tree);
	return st;
}

bool cap_unbind(struct cap_slot *binding)
{
	object_id_t id;

	while ((id = LOAD(binding->gen)) != 0) {
		struct object *o = object_at(id);

		spin_lock(&o->tree);
		bool here = LOAD(binding->gen) == id;
		bool busy = here && (LOAD(binding->node.flags) & CAP_BUSY);
		if (here && !busy) {
			spin_lock(&o->lock);
			STORE(binding->token, 0);
			spin_unlock(&o->lock);
			binding_unlink(o, binding);
		}
		spin_unlock(&o->tree);
		if (busy)
			return false;
	}
	return true;
}

struct object *cap_binding_lock(const struct cap_slot *binding)
{
	uint64_t token = LOAD(binding->token);

	if (token == 0)
		return NULL;
	struct object *o = object_at(token_object(token));
	spin_lock(&o->lock);
	if (LIKELY(LOAD(binding->token) == token && o->gen == token_gen(token)))
		return o;
	spin_unlock(&o->lock);
	return NULL;
}

status_t cap_hold(const struct cap_ref *ref)
{
	status_t st = ST_BAD_CAP;

	spin_lock(&ref->object->tree);
	if (cap_still(ref))
		st = node_may_get_child(&ref->slot->node, CAP_DEPTH + 1);
	if (st != ST_OK)
		spin_unlock(&ref->object->tree);
	return st;
}

void cap_hang(struct object *o, struct cap_node *parent, struct cap_node *node)
{
	node_add(o, parent, node, CAP_MAPPING);
}

void cap_unhang(struct object *o, struct cap_node *node)
{
	node_unlink(o, node);
	graves_free(o, node->parent);
}
