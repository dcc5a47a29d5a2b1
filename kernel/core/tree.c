/* SPDX-License-Identifier: MIT */
#include <core/tree.h>
#include <core/assert.h>
#include <arch/arch.h>

/* Nobody who chooses keys can foretell the cycle counter well enough to choose
 * the weights with them; the multiplications (of splitmix64) spread it. */
static uint32_t draw_weight(const struct tree_node *n)
{
	uint64_t x = arch_cycles() + (uintptr_t)n;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(x >> 32);
}

/* True if it has changed. */
static bool update_max(struct tree_node *n)
{
	uint64_t max = n->last, old = n->max;

	if (n->child[0] != NULL && n->child[0]->max > max)
		max = n->child[0]->max;
	if (n->child[1] != NULL && n->child[1]->max > max)
		max = n->child[1]->max;
	n->max = max;
	return max != old;
}

/* From `n` on upwards. */
static void update_above(struct tree_node *n)
{
	while (n != NULL && update_max(n))
		n = n->parent;
}

/* Where the pointer to `n` is kept. */
static struct tree_node **link_of(struct tree *t, const struct tree_node *n)
{
	return n->parent == NULL ? &t->root : &n->parent->child[n->parent->child[1] == n];
}

/* `n` takes its parent's place, and the parent becomes its child. */
static void rotate_up(struct tree *t, struct tree_node *n)
{
	struct tree_node *p = n->parent;
	unsigned side = p->child[1] == n;
	struct tree_node *between = n->child[!side];

	*link_of(t, p) = n;
	n->parent = p->parent;
	p->child[side] = between;
	n->child[!side] = p;
	if (between != NULL)
		between->parent = p;
	p->parent = n;
	n->max = p->max; /* what is below has only moved */
	update_max(p);
}

void tree_insert(struct tree *t, struct tree_node *n, uint64_t key, uint64_t last)
{
	struct tree_node **link = &t->root;
	struct tree_node *parent = NULL;

	ASSERT(!n->linked && last >= key);
	*n = (struct tree_node){ .key = key, .last = last, .max = last, .linked = true };
	n->weight = draw_weight(n);
	while (*link != NULL) {
		parent = *link;
		if (parent->max < last)
			parent->max = last;
		link = &parent->child[key >= parent->key];
	}
	n->parent = parent;
	*link = n;
	if (t->first == NULL || key < t->first->key)
		t->first = n;
	while (n->parent != NULL && n->parent->weight < n->weight)
		rotate_up(t, n);
}

void tree_remove(struct tree *t, struct tree_node *n)
{
	ASSERT(n->linked);
	if (t->first == n)
		t->first = tree_next(n);
	while (n->child[0] != NULL && n->child[1] != NULL)
		rotate_up(t, n->child[n->child[1]->weight > n->child[0]->weight]);

	struct tree_node *child = n->child[n->child[0] == NULL];
	*link_of(t, n) = child;
	if (child != NULL)
		child->parent = n->parent;
	update_above(n->parent);
	n->linked = false;
}

void tree_shorten(struct tree_node *n, uint64_t last)
{
	ASSERT(n->linked && last >= n->key && last <= n->last);
	n->last = last;
	update_above(n);
}

/* The first node above `n` that has it on the other side. */
static struct tree_node *above(const struct tree_node *n, unsigned side)
{
	while (n->parent != NULL && n->parent->child[side] == n)
		n = n->parent;
	return n->parent;
}

/* The neighbour of `n` on one side. */
static struct tree_node *step(const struct tree_node *n, unsigned side)
{
	struct tree_node *to = n->child[side];

	while (to != NULL && to->child[!side] != NULL)
		to = to->child[!side];
	return to != NULL ? to : above(n, side);
}

struct tree_node *tree_next(const struct tree_node *n)
{
	return step(n, 1);
}

struct tree_node *tree_prev(const struct tree_node *n)
{
	return step(n, 0);
}

/* The first node of the subtree that overlaps. A lower subtree that reaches up to
 * `low` has the answer or none has it: what is in it, or follows it, and reaches
 * `low`, comes no earlier. */
static struct tree_node *first_overlap(struct tree_node *n, uint64_t low, uint64_t high)
{
	while (n != NULL && n->max >= low) {
		if (n->child[0] != NULL && n->child[0]->max >= low) {
			n = n->child[0];
			continue;
		}
		if (n->key > high)
			return NULL;
		if (n->last >= low)
			return n;
		n = n->child[1];
	}
	return NULL;
}

struct tree_node *tree_overlap(const struct tree *t, uint64_t low, uint64_t high)
{
	return first_overlap(t->root, low, high);
}

struct tree_node *tree_overlap_next(const struct tree_node *n, uint64_t low, uint64_t high)
{
	for (;;) {
		struct tree_node *found = first_overlap(n->child[1], low, high);

		if (found != NULL)
			return found;
		found = above(n, 1);
		if (found == NULL || found->key > high)
			return NULL;
		if (found->last >= low)
			return found;
		n = found;
	}
}
