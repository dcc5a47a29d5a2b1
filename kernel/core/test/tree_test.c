/* SPDX-License-Identifier: MIT */
#include "chance.h"
#include "tree_ok.h"
#include <core/tree.h>
#include <core/types.h>
#include <test/test.h>

#define NODES 64
#define KEYS  96 /* few enough for equal ones and overlaps */

static struct tree tree;
static struct tree_node node[NODES];
static uint64_t order[NODES], clock_now; /* when it was inserted; 0: it is not in the tree */

/* Whether `a` comes before `b`. */
static bool comes_before(unsigned a, unsigned b)
{
	return node[a].key != node[b].key ? node[a].key < node[b].key : order[a] < order[b];
}

/* The first of those that `after` (or any) comes before and that overlap; by looking at all. */
static struct tree_node *first_of_all(const struct tree_node *after, uint64_t low, uint64_t high)
{
	struct tree_node *best = NULL;

	for (unsigned i = 0; i < NODES; i++) {
		if (order[i] == 0 || node[i].key > high || node[i].last < low)
			continue;
		if (after != NULL && !comes_before((unsigned)(after - node), i))
			continue;
		if (best == NULL || comes_before(i, (unsigned)(best - node)))
			best = &node[i];
	}
	return best;
}

static bool agrees(uint64_t low, uint64_t high)
{
	const struct tree_node *previous = NULL;
	struct tree_node *n = tree_overlap(&tree, low, high);

	if (!tree_ok(&tree) || n != first_of_all(NULL, low, high))
		return false;
	for (; n != NULL; n = tree_overlap_next(n, low, high)) {
		if (tree_overlap_next(n, low, high) != first_of_all(n, low, high))
			return false;
	}
	if (tree_first(&tree) != first_of_all(NULL, 0, UINT64_MAX))
		return false;
	for (n = tree_first(&tree); n != NULL; previous = n, n = tree_next(n)) {
		if (tree_prev(n) != previous || tree_next(n) != first_of_all(n, 0, UINT64_MAX))
			return false;
	}
	return true;
}

TEST(tree_agrees_with_a_list)
{
	struct chance c = { test_seed() };

	for (uint64_t i = 0; i < test_rounds(3000); i++) {
		unsigned k = (unsigned)chance_below(&c, NODES);
		uint64_t key = chance_below(&c, KEYS);

		if (order[k] != 0) {
			tree_remove(&tree, &node[k]);
			order[k] = 0;
		} else {
			tree_insert(&tree, &node[k], key,
				    key + chance_below(&c, 2) * chance_below(&c, 40));
			order[k] = ++clock_now;
		}
		CHECK(node[k].linked == (order[k] != 0));
		uint64_t low = chance_below(&c, KEYS + 20);
		CHECK(agrees(low, low + chance_below(&c, 30)));
	}
}

TEST(tree_takes_extreme_keys)
{
	struct tree t = { 0 };
	struct tree_node n[3] = { 0 };

	CHECK(tree_first(&t) == NULL);
	CHECK(tree_overlap(&t, 0, UINT64_MAX) == NULL && tree_ok(&t));
	tree_insert(&t, &n[0], UINT64_MAX, UINT64_MAX);
	tree_insert(&t, &n[1], 0, 0);
	tree_insert(&t, &n[2], 0, UINT64_MAX);
	CHECK(tree_ok(&t) && tree_first(&t) == &n[1] && tree_next(&n[1]) == &n[2]);
	CHECK(tree_overlap(&t, UINT64_MAX, UINT64_MAX) == &n[2]);
	tree_remove(&t, &n[2]);
	CHECK(tree_overlap(&t, 1, UINT64_MAX - 1) == NULL && tree_ok(&t));
}

static unsigned depth_of(const struct tree_node *n)
{
	unsigned depth = 0;

	for (; n != NULL; n = n->parent)
		depth++;
	return depth;
}

/* Keys in the order that is worst for a tree without balance. */
TEST(tree_stays_flat)
{
	enum { MANY = 20000 };
	static struct tree_node many[MANY];
	struct tree t = { 0 };
	unsigned deepest = 0;

	for (unsigned i = 0; i < MANY; i++)
		tree_insert(&t, &many[i], i, i);
	for (unsigned i = 0; i < MANY; i++)
		deepest = depth_of(&many[i]) > deepest ? depth_of(&many[i]) : deepest;
	CHECK(deepest < 80); /* expected: 35 */
	for (unsigned i = 0; i < MANY; i++)
		tree_remove(&t, &many[i]);
	CHECK(t.root == NULL && t.first == NULL);
}
