/* SPDX-License-Identifier: MIT */
#include <core/cap.h>
#include <core/assert.h>

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

#define CUT_COST 16 /* of CAP_BATCH: a binding or mapping that is undone */

#pragma weak test_cut
#pragma weak thread_cut
#pragma weak timer_cut
#pragma weak irq_cut
#pragma weak dma_cut

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

static unsigned flags_of(const struct cap_node *n)
{
	return atomic_load_explicit(&n->flags, memory_order_relaxed);
}

static void set_flags(struct cap_node *n, unsigned flags)
{
	atomic_store_explicit(&n->flags, (uint16_t)flags, memory_order_release);
}

static uint64_t token_of(const struct cap_slot *slot)
{
	return atomic_load_explicit(&slot->token, memory_order_acquire);
}

static uint64_t badge_of(const struct cap_slot *slot)
{
	return atomic_load_explicit(&slot->badge, memory_order_relaxed);
}

static uint32_t gen_of(const struct cap_slot *slot)
{
	return atomic_load_explicit(&slot->gen, memory_order_acquire);
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

static void node_unlink(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	*(n->prev != NULL ? &n->prev->next : first_child(o, n->parent)) = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
}

/* Up to CAP_HEIRS of the children of `n` become children of `heir` (NULL: of the object).
 * Returns how many. */
static unsigned node_bequeath(struct object *o, struct cap_node *n, struct cap_node *heir)
	REQUIRES(o->tree)
{
	struct cap_node *first = n->child;
	struct cap_node *last = NULL;
	unsigned count = 0;

	for (struct cap_node *c = first; c != NULL && count < CAP_HEIRS; c = c->next) {
		c->parent = heir;
		last = c;
		count++;
	}
	if (last == NULL)
		return 0;
	n->child = last->next;
	if (n->child != NULL)
		n->child->prev = NULL;
	struct cap_node **place = first_child(o, heir);
	last->next = *place;
	if (*place != NULL)
		(*place)->prev = last;
	*place = first;
	return count;
}

/* ST_OK if something may become a child of `n` and is not deeper than `depth` then. */
static status_t node_may_get_child(const struct cap_node *n, unsigned depth)
{
	for (; n != NULL; n = n->parent) {
		if (flags_of(n) & CAP_REVOKING)
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
	slot->node.kind = CAP_SLOT;
	slot->node.child = NULL;
	set_flags(&slot->node, 0);
	atomic_store_explicit(&slot->badge, badge, memory_order_relaxed);
	node_link(o, parent, &slot->node);
	o->caps++;
	atomic_store_explicit(&slot->token, token, memory_order_release);
}

/* From here on no look-up finds the slot. As long as it is linked it is a grave, and its
 * badge word says whose tree that is. If it was the object's last, that dies. */
static uint64_t slot_clear(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	uint32_t gen = gen_of(slot);

	spin_lock(&o->lock);
	atomic_store_explicit(&slot->gen, gen == ARCH_SLOT_GEN_MAX ? 0 : gen + 1,
			      memory_order_relaxed);
	atomic_store_explicit(&slot->badge, token_of(slot), memory_order_relaxed);
	set_flags(&slot->node, CAP_GRAVE);
	atomic_store_explicit(&slot->token, 0, memory_order_release);
	spin_unlock(&o->lock);
	if (!(o->flags & OBJECT_LIVE) || --o->caps > 0)
		return 0;
	return object_kill_locked(o);
}

static cap_t slot_handle(const struct cap_slot *slot)
{
	return (cap_t)gen_of(slot) << 32 | slot->index;
}

/* Gives a cleared slot without children back to its space. */
static void slot_free(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	node_unlink(o, &slot->node);
	set_flags(&slot->node, 0);
	cspace_put(container_of(object_at(slot->node.owner), struct cspace, obj), slot);
}

/* Frees graves from `n` upwards whose last child has gone. */
static void graves_free(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	while (n != NULL && (flags_of(n) & CAP_GRAVE) && n->child == NULL) {
		struct cap_node *parent = n->parent;

		slot_free(o, slot_of(n));
		n = parent;
	}
}

/* What is below a cleared slot goes to its parent, as far as one piece reaches; with
 * nothing left below it, it is free. Returns how many nodes changed their parent. */
static unsigned slot_bury(struct object *o, struct cap_slot *slot) REQUIRES(o->tree)
{
	unsigned moved = node_bequeath(o, &slot->node, slot->node.parent);

	graves_free(o, &slot->node);
	return moved;
}

/* ---- deriving ---- */

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
		o->flags = OBJECT_LIVE;
		slot_fill(o, slot, NULL, token_make(object_id(o), o->gen, rights), badge);
		*out = slot_handle(slot);
	}
	spin_unlock(&o->tree);
	return st;
}

static uint64_t token_masked(uint64_t token, rights_t mask)
{
	return token_make(token_object(token), token_gen(token), token_rights(token) & mask);
}

static status_t derive_check(const struct cap_ref *ref, uint64_t word, uint64_t *badge)
	REQUIRES(ref->object->tree)
{
	if (!cap_still(ref))
		return ST_BAD_CAP;
	if (!(token_rights(ref->token) & RIGHT_COPY))
		return ST_NO_RIGHT;
	status_t st = badge_derive(ref->object->type, ref->badge, word, badge);
	return st != ST_OK ? st : node_may_get_child(&ref->slot->node, CAP_DEPTH);
}

static void derive_to(struct cap_slot *slot, const struct cap_ref *ref, rights_t mask,
		      uint64_t badge) REQUIRES(ref->object->tree)
{
	slot_fill(ref->object, slot, &ref->slot->node, token_masked(ref->token, mask), badge);
}

status_t cap_derive(struct cspace *to, const struct cap_ref *from, rights_t mask, uint64_t word,
		    cap_t *out)
{
	struct cap_slot *slot;
	uint64_t badge;

	spin_lock(&from->object->tree);
	status_t st = derive_check(from, word, &badge);
	if (st == ST_OK)
		st = cspace_take(to, 1, &slot);
	if (st == ST_OK) {
		derive_to(slot, from, mask, badge);
		*out = slot_handle(slot);
	}
	spin_unlock(&from->object->tree);
	return st;
}

/* ---- moving ---- */

static status_t move_check(const struct cap_ref *ref) REQUIRES(ref->object->tree)
{
	unsigned count = 0;

	if (!cap_still(ref))
		return ST_BAD_CAP;
	for (const struct cap_node *c = ref->slot->node.child; c != NULL; c = c->next) {
		if (++count > CAP_HEIRS)
			return ST_TOO_BIG;
	}
	return ST_OK;
}

/* A revoke that was under way finds its capability gone, and its mark with it. */
static void move_to(struct cap_slot *slot, const struct cap_ref *ref, rights_t mask)
	REQUIRES(ref->object->tree)
{
	struct cap_node *old = &ref->slot->node;

	slot_fill(ref->object, slot, old->parent, token_masked(ref->token, mask), ref->badge);
	node_bequeath(ref->object, old, &slot->node);
	slot_clear(ref->object, ref->slot);
	slot_free(ref->object, ref->slot);
}

status_t cap_move(struct cspace *to, const struct cap_ref *from, cap_t *out)
{
	struct cap_slot *slot;

	spin_lock(&from->object->tree);
	status_t st = move_check(from);
	if (st == ST_OK)
		st = cspace_take(to, 1, &slot);
	if (st == ST_OK) {
		move_to(slot, from, (rights_t)~0u);
		*out = slot_handle(slot);
	}
	spin_unlock(&from->object->tree);
	return st;
}

/* Locks the trees of all objects in the list in the order of their addresses, each once,
 * or unlocks them. */
UNCHECKED_LOCKS static void transfer_lock(const struct cap_send *list, unsigned count, bool lock)
{
	struct object *done = NULL;

	if (LIKELY(count == 1)) {
		if (lock)
			spin_lock(&list[0].ref.object->tree);
		else
			spin_unlock(&list[0].ref.object->tree);
		return;
	}
	for (;;) {
		struct object *next = NULL;

		for (unsigned i = 0; i < count; i++) {
			struct object *o = list[i].ref.object;
			if (o > done && (next == NULL || o < next))
				next = o;
		}
		if (next == NULL)
			return;
		if (!lock)
			spin_unlock(&next->tree);
		else if (done == NULL)
			spin_lock(&next->tree);
		else
			spin_lock_second(&next->tree);
		done = next;
	}
}

UNCHECKED_LOCKS static status_t transfer_check(const struct cap_send *list, unsigned count,
					       uint64_t badge[])
{
	for (unsigned i = 0; i < count; i++) {
		const struct cap_send *s = &list[i];
		status_t st = s->move ? move_check(&s->ref) : derive_check(&s->ref, 0, &badge[i]);

		if (st != ST_OK)
			return st;
		if (!(token_rights(s->ref.token) & RIGHT_SEND))
			return ST_NO_RIGHT;
		for (unsigned j = 0; j < count; j++) {
			if (s->move && j != i && list[j].ref.slot == s->ref.slot)
				return ST_BAD_ARG;
		}
	}
	return ST_OK;
}

UNCHECKED_LOCKS status_t cap_transfer(struct cspace *to, const struct cap_send *list,
				      unsigned count, cap_t out[])
{
	struct cap_slot *slot[MSG_CAPS];
	uint64_t badge[MSG_CAPS];

	ASSERT(count <= MSG_CAPS);
	transfer_lock(list, count, true);
	status_t st = transfer_check(list, count, badge);
	if (st == ST_OK)
		st = cspace_take(to, count, slot);
	for (unsigned i = 0; st == ST_OK && i < count; i++) {
		if (list[i].move)
			move_to(slot[i], &list[i].ref, list[i].mask);
		else
			derive_to(slot[i], &list[i].ref, list[i].mask, badge[i]);
		out[i] = slot_handle(slot[i]);
	}
	transfer_lock(list, count, false);
	return st;
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
	if (dead != 0)
		object_reap(dead);
	return found ? ST_OK : ST_BAD_CAP;
}

bool cap_evict(struct cap_slot *slot, unsigned *work)
{
	uint64_t token = token_of(slot);
	bool grave = token == 0 && (flags_of(&slot->node) & CAP_GRAVE);
	uint64_t dead = 0;

	if (grave)
		token = badge_of(slot);
	if (token == 0)
		return true;
	/* As long as the slot is linked, here or below, the object is not freed. */
	struct object *o = object_at(token_object(token));
	spin_lock(&o->tree);
	if (token_of(slot) == token) {
		dead = slot_clear(o, slot);
		grave = true;
	}
	if (grave && (flags_of(&slot->node) & CAP_GRAVE) && badge_of(slot) == token)
		*work += 1 + slot_bury(o, slot) / 16;
	spin_unlock(&o->tree);
	if (dead != 0)
		object_reap(dead);
	return token_of(slot) == 0 && !(flags_of(&slot->node) & CAP_GRAVE);
}

/* ---- revoking and sweeping ---- */

/* Takes a leaf that stands for a mapping or a binding, see above. */
static bool leaf_take(struct object *o, struct cap_node *n) REQUIRES(o->tree)
{
	if (n->kind == CAP_MAPPING)
		return aspace_node_claim(n);
	if (flags_of(n) & CAP_BUSY)
		return false;
	set_flags(n, CAP_BUSY);
	spin_lock(&o->lock);
	atomic_store_explicit(&slot_of(n)->token, 0, memory_order_release);
	spin_unlock(&o->lock);
	return true;
}

/* Takes a binding out of the tree: from now on its owner may use it again. */
static void binding_unlink(struct object *o, struct cap_slot *binding) REQUIRES(o->tree)
{
	node_unlink(o, &binding->node);
	graves_free(o, binding->node.parent);
	set_flags(&binding->node, 0);
	atomic_store_explicit(&binding->gen, 0, memory_order_release);
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
		set_flags(n, 0);
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
			bool mine = leaf_take(o, n);
			*budget -= mine && *budget > CUT_COST ? CUT_COST : *budget;
			return mine ? n : NULL;
		}
		struct cap_node *parent = n->parent;
		if (token_of(slot_of(n)) != 0)
			slot_clear(o, slot_of(n));
		slot_free(o, slot_of(n));
		n = parent;
	}
	return NULL;
}

status_t cap_revoke(const struct cap_ref *ref)
{
	struct object *o = ref->object;
	struct cap_node *root = &ref->slot->node;
	unsigned budget = CAP_BATCH;

	if (!(token_rights(ref->token) & RIGHT_REVOKE))
		return cap_refuse(ref, ST_NO_RIGHT);
	for (;;) {
		struct cap_node *leaf = NULL;
		status_t st = ST_BAD_CAP;

		spin_lock(&o->tree);
		if (cap_still(ref)) {
			set_flags(root, CAP_REVOKING);
			leaf = prune(o, root, &budget);
			st = root->child == NULL ? ST_OK : ST_LATER;
			if (st == ST_OK)
				set_flags(root, 0);
		}
		spin_unlock(&o->tree);
		if (leaf == NULL || !leaf_cut(o, leaf))
			return st;
	}
}

void cap_revoke_abandon(const struct cap_ref *ref)
{
	spin_lock(&ref->object->tree);
	if (cap_still(ref))
		set_flags(&ref->slot->node, 0);
	spin_unlock(&ref->object->tree);
}

bool cap_sweep(struct object *o)
{
	unsigned budget = CAP_BATCH;

	for (;;) {
		spin_lock(&o->tree);
		struct cap_node *leaf = prune(o, NULL, &budget);
		bool done = o->children == NULL;
		spin_unlock(&o->tree);
		if (leaf == NULL || !leaf_cut(o, leaf))
			return done;
	}
}

status_t cap_inspect(const struct cap_ref *ref, enum object_type *type, rights_t *rights)
{
	*type = ref->object->type;
	*rights = token_rights(ref->token);
	return cap_refuse(ref, ST_OK);
}

/* ---- bindings and mappings ---- */

static void binding_fill(const struct cap_ref *to, struct cap_slot *binding, object_id_t owner,
			 enum cap_binding which) REQUIRES(to->object->tree)
{
	binding->node.kind = CAP_BINDING;
	binding->node.which = (uint8_t)which;
	binding->node.owner = owner;
	binding->node.child = NULL;
	set_flags(&binding->node, 0);
	atomic_store_explicit(&binding->badge, to->badge, memory_order_relaxed);
	node_link(to->object, &to->slot->node, &binding->node);
	atomic_store_explicit(&binding->gen, object_id(to->object), memory_order_release);
	atomic_store_explicit(&binding->token, to->token, memory_order_release);
}

UNCHECKED_LOCKS status_t cap_bind(const struct cap_ref *to, struct object *owner, object_gen_t gen,
				  enum cap_binding which, struct cap_slot *binding)
{
	status_t st = cap_hold(to);

	if (st != ST_OK)
		return st;
	/* Under the owner's lock, so that its close, which comes after the kill, finds
	 * the binding, or we find it dead. */
	spin_lock(&owner->lock);
	if (owner->gen != gen)
		st = ST_BAD_STATE;
	else if (gen_of(binding) != 0)
		st = ST_LATER;
	else
		binding_fill(to, binding, object_id(owner), which);
	spin_unlock(&owner->lock);
	spin_unlock(&to->object->tree);
	return st;
}

bool cap_unbind(struct cap_slot *binding)
{
	object_id_t id;

	while ((id = gen_of(binding)) != 0) {
		struct object *o = object_at(id);

		spin_lock(&o->tree);
		bool here = gen_of(binding) == id;
		bool busy = here && (flags_of(&binding->node) & CAP_BUSY);
		if (here && !busy) {
			spin_lock(&o->lock);
			atomic_store_explicit(&binding->token, 0, memory_order_release);
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
	uint64_t token = token_of(binding);

	if (token == 0)
		return NULL;
	struct object *o = object_at(token_object(token));
	spin_lock(&o->lock);
	if (LIKELY(token_of(binding) == token && o->gen == token_gen(token)))
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

static void mapping_init(struct cap_node *node)
{
	node->kind = CAP_MAPPING;
	node->child = NULL;
	set_flags(node, 0);
}

void cap_hang(const struct cap_ref *ref, struct cap_node *node)
{
	mapping_init(node);
	node_link(ref->object, &ref->slot->node, node);
}

void cap_hang_beside(struct object *o, struct cap_node *beside, struct cap_node *node)
{
	mapping_init(node);
	node_link(o, beside->parent, node);
}

void cap_unhang(struct object *o, struct cap_node *node)
{
	node_unlink(o, node);
	graves_free(o, node->parent);
}
