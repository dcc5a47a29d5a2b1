/* SPDX-License-Identifier: MIT */
/* kernel/core/tree.h - an intrusive ordered tree of ranges of unsigned keys.
 *
 * A treap: ordered by `key`, and a heap in the nodes' random weights, which keep it
 * balanced whatever its user does. Each node covers [key, last] (a plain key: last
 * is the same); what overlaps a range is found without looking at the rest.
 *
 * The owner's lock guards it. Nothing is allocated; insert, remove and search are
 * O(log n) expected. Equal keys are kept in order of insertion.
 */
#pragma once
#include <core/types.h>

struct tree_node {
	struct tree_node *parent, *child[2]; /* of lower and of higher keys */
	uint64_t key, last;
	uint64_t max; /* highest `last` in the subtree */
	uint32_t weight;
	bool linked;
};

struct tree {
	struct tree_node *root;
	struct tree_node *first; /* lowest key */
};

/* Links `n`, which is in no tree, as [key, last]; last >= key. */
void tree_insert(struct tree *t, struct tree_node *n, uint64_t key, uint64_t last);
void tree_remove(struct tree *t, struct tree_node *n);

/* Makes `n` end at `last`, which is in it. */
void tree_shorten(struct tree_node *n, uint64_t last);

/* In order, or NULL. */
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);

/* The first node, in order, that overlaps [low, high]; and the next one after `n`. */
struct tree_node *tree_overlap(const struct tree *t, uint64_t low, uint64_t high);
struct tree_node *tree_overlap_next(const struct tree_node *n, uint64_t low, uint64_t high);

static inline struct tree_node *tree_first(const struct tree *t)
{
	return t->first;
}
