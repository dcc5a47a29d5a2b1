/* SPDX-License-Identifier: MIT */
/* kernel/core/extent.h - lists of number ranges, for the memory map.
 *
 * Used while the frame allocator is being built, when there is nothing else to
 * allocate from; so a list has a fixed size, which is enough for every range of
 * the boot map and some cuts.
 */
#pragma once
#include <abi/boot.h>
#include <core/types.h>

#define EXTENTS_MAX (BOOT_RANGES + 16)

/* [base, end), not empty. */
struct extent {
	uint64_t base, end;
};

/* None overlaps another. As they were added, until the first cut. */
struct extent_list {
	uint32_t count;
	struct extent at[EXTENTS_MAX];
};

/* Adds a range that overlaps none; one that begins where the last ends is joined to it. An empty
 * one changes nothing. Panics when the list is full. */
void extent_append(struct extent_list *l, uint64_t base, uint64_t end);

/* Takes the range out of whatever it lies in. Panics when the list is full. */
void extent_cut(struct extent_list *l, uint64_t base, uint64_t end);

/* Takes the highest number below `limit`. False and no change when there is none. */
MUST_CHECK bool extent_take(struct extent_list *l, uint64_t limit, uint64_t *out);

/* How much of [base, end) lies in the list. */
uint64_t extent_overlap(const struct extent_list *l, uint64_t base, uint64_t end);

/* Divides by `unit`, counting only the units that lie in the list whole. */
void extent_scale_down(struct extent_list *l, uint64_t unit);
