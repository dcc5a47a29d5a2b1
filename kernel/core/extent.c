/* SPDX-License-Identifier: MIT */
#include <core/extent.h>
#include <core/assert.h>

/* A list begins with at most BOOT_RANGES extents, and a cut adds one at most. There
 * are a few cuts, for which EXTENTS_MAX has room; more are a mistake of ours. */
static void add(struct extent_list *l, uint64_t base, uint64_t end)
{
	ASSERT(l->count < EXTENTS_MAX);
	l->at[l->count++] = (struct extent){ base, end };
}

void extent_append(struct extent_list *l, uint64_t base, uint64_t end)
{
	struct extent *last = l->count > 0 ? &l->at[l->count - 1] : NULL;

	if (base >= end)
		return;
	if (last != NULL && last->end == base)
		last->end = end;
	else
		add(l, base, end);
}

/* Downwards, so that what is added is not looked at. */
void extent_cut(struct extent_list *l, uint64_t base, uint64_t end)
{
	for (uint32_t i = l->count; i-- > 0;) {
		const struct extent e = l->at[i];

		if (base >= end || e.end <= base || e.base >= end)
			continue;
		l->at[i] = l->at[--l->count];
		if (e.base < base)
			add(l, e.base, base);
		if (e.end > end)
			add(l, end, e.end);
	}
}

/* From above, because low memory is scarce and some need just that: old devices,
 * and the page in which other CPUs start. */
bool extent_take(struct extent_list *l, uint64_t limit, uint64_t *out)
{
	uint64_t top = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		if (l->at[i].base < limit)
			top = most(top, least(l->at[i].end, limit));
	}
	if (top == 0)
		return false;
	*out = top - 1;
	extent_cut(l, top - 1, top);
	return true;
}

uint64_t extent_overlap(const struct extent_list *l, uint64_t base, uint64_t end)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		uint64_t from = most(l->at[i].base, base), to = least(l->at[i].end, end);

		if (from < to)
			sum += to - from;
	}
	return sum;
}

/* In place: what is written never overtakes what is read. */
void extent_scale_down(struct extent_list *l, uint64_t unit)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		uint64_t base = l->at[i].base / unit + (l->at[i].base % unit != 0);
		uint64_t end = l->at[i].end / unit;

		if (base < end)
			l->at[kept++] = (struct extent){ base, end };
	}
	l->count = kept;
}
