/* SPDX-License-Identifier: MIT */
/* kernel/core/test/tree_ok.h - whether a tree of ranges is in order. */
#pragma once
#include <core/tree.h>

/* Order, heap, links and `max` are as they must be. */
bool tree_ok(const struct tree *t);
