/* SPDX-License-Identifier: MIT */
#include "tree_ok.h"

static bool node_ok(const struct tree_node *n, const struct tree_node *parent)
{
	uint64_t max = n->last;

	if (!n->linked || n->parent != parent || n->last < n->key ||
	    (parent != NULL && parent->weight < n->weight))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		const struct tree_node *c = n->child[i];

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
	while (first->child[0] != NULL)
		first = first->child[0];
	if (t->first != first || !node_ok(t->root, NULL))
		return false;
	for (const struct tree_node *n = first; tree_next(n) != NULL; n = tree_next(n)) {
		if (tree_next(n)->key < n->key)
			return false;
	}
	return true;
}
