/* SPDX-License-Identifier: MIT */
/* kernel/core/tree.h - an intrusive ordered tree (treap) with unsigned keys.
 *
 * The owner's lock guards it. Nothing is allocated; insert, remove and search are
 * O(log n) expected, the random weights being drawn by the caller's CPU.
 * Equal keys are kept in order of insertion.
 */
#pragma once
#include <core/types.h>

struct tree_node {
	struct tree_node *parent, *left, *right;
	uint64_t key;
	uint32_t weight;
	bool linked;
};

struct tree {
	struct tree_node *root;
	struct tree_node *first; /* lowest key */
};

void tree_insert(struct tree *t, struct tree_node *n, uint64_t key);
void tree_remove(struct tree *t, struct tree_node *n);

/* The node with the highest key that is not above `key`, or NULL. */
struct tree_node *tree_floor(const struct tree *t, uint64_t key);
struct tree_node *tree_next(const struct tree_node *n);

static inline struct tree_node *tree_first(const struct tree *t)
{
	return t->first;
}
