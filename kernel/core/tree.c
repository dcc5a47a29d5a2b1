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

static void update_max(struct tree_node *n)
{
	n->max = n->last;
	if (n->left != NULL && n->left->max > n->max)
		n->max = n->left->max;
	if (n->right != NULL && n->right->max > n->max)
		n->max = n->right->max;
}

/* Where the pointer to `n` is kept. */
static struct tree_node **link_of(struct tree *t, const struct tree_node *n)
{
	if (n->parent == NULL)
		return &t->root;
	return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

/* `n` takes its parent's place, and the parent becomes its child. */
static void rotate_up(struct tree *t, struct tree_node *n)
{
	struct tree_node *p = n->parent;
	struct tree_node *between;

	*link_of(t, p) = n;
	n->parent = p->parent;
	if (p->left == n) {
		between = n->right;
		p->left = between;
		n->right = p;
	} else {
		between = n->left;
		p->right = between;
		n->left = p;
	}
	if (between != NULL)
		between->parent = p;
	p->parent = n;
	update_max(p);
	update_max(n);
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
		link = key < parent->key ? &parent->left : &parent->right;
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
	while (n->left != NULL && n->right != NULL)
		rotate_up(t, n->left->weight > n->right->weight ? n->left : n->right);

	struct tree_node *child = n->left != NULL ? n->left : n->right;
	*link_of(t, n) = child;
	if (child != NULL)
		child->parent = n->parent;
	for (struct tree_node *p = n->parent; p != NULL; p = p->parent)
		update_max(p);
	*n = (struct tree_node){ 0 };
}

struct tree_node *tree_next(const struct tree_node *n)
{
	if (n->right != NULL) {
		for (n = n->right; n->left != NULL; n = n->left)
			;
		return (struct tree_node *)(uintptr_t)n;
	}
	while (n->parent != NULL && n->parent->right == n)
		n = n->parent;
	return n->parent;
}

struct tree_node *tree_prev(const struct tree_node *n)
{
	if (n->left != NULL) {
		for (n = n->left; n->right != NULL; n = n->right)
			;
		return (struct tree_node *)(uintptr_t)n;
	}
	while (n->parent != NULL && n->parent->left == n)
		n = n->parent;
	return n->parent;
}

/* The first node of the subtree that overlaps. A left subtree that reaches up to
 * `low` has the answer or none has it: what is in it, or follows it, and reaches
 * `low`, comes no earlier. */
static struct tree_node *first_overlap(struct tree_node *n, uint64_t low, uint64_t high)
{
	while (n != NULL && n->max >= low) {
		if (n->left != NULL && n->left->max >= low) {
			n = n->left;
			continue;
		}
		if (n->key > high)
			return NULL;
		if (n->last >= low)
			return n;
		n = n->right;
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
		struct tree_node *found = first_overlap(n->right, low, high);

		if (found != NULL)
			return found;
		while (n->parent != NULL && n->parent->right == n)
			n = n->parent;
		n = n->parent;
		if (n == NULL || n->key > high)
			return NULL;
		if (n->last >= low)
			return (struct tree_node *)(uintptr_t)n;
	}
}

static bool node_ok(const struct tree_node *n, const struct tree_node *parent)
{
	uint64_t max = n->last;

	if (!n->linked || n->parent != parent || n->last < n->key ||
	    (parent != NULL && parent->weight < n->weight))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const struct tree_node *c = i == 0 ? n->left : n->right;

		if (c == NULL)
			continue;
		if (!node_ok(c, n) || (i == 0 ? c->key > n->key : c->key < n->key))
			return false;
		max = c->max > max ? c->max : max;
	}
	return n->max == max;
}

bool tree_ok(const struct tree *t)
{
	const struct tree_node *first = t->root;

	if (t->root == NULL)
		return t->first == NULL;
	while (first->left != NULL)
		first = first->left;
	if (t->first != first || !node_ok(t->root, NULL))
		return false;
	for (const struct tree_node *n = first; tree_next(n) != NULL; n = tree_next(n)) {
		if (tree_next(n)->key < n->key)
			return false;
	}
	return true;
}
