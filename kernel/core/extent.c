/* SPDX-License-Identifier: MIT */
#include <core/extent.h>
#include <core/assert.h>

/* A list begins with at most BOOT_RANGES extents, and a cut adds one at most. There
 * are a few cuts, for which EXTENTS_MAX has room; more are a mistake of ours. */
static void insert(struct extent_list *l, uint32_t at, struct extent e)
{
	ASSERT(l->count < EXTENTS_MAX);
	for (uint32_t i = l->count; i > at; i--)
		l->at[i] = l->at[i - 1];
	l->at[at] = e;
	l->count++;
}

static void discard(struct extent_list *l, uint32_t at)
{
	l->count--;
	for (uint32_t i = at; i < l->count; i++)
		l->at[i] = l->at[i + 1];
}

void extent_append(struct extent_list *l, uint64_t base, uint64_t end)
{
	struct extent *last = l->count > 0 ? &l->at[l->count - 1] : NULL;

	if (base >= end)
		return;
	ASSERT(last == NULL || last->end <= base);
	if (last != NULL && last->end == base)
		last->end = end;
	else
		insert(l, l->count, (struct extent){ base, end });
}

void extent_cut(struct extent_list *l, uint64_t base, uint64_t end)
{
	for (uint32_t i = 0; base < end && i < l->count;) {
		struct extent e = l->at[i];

		if (e.end <= base || e.base >= end) {
			i++;
			continue;
		}
		discard(l, i);
		if (e.base < base)
			insert(l, i++, (struct extent){ e.base, base });
		if (e.end > end)
			insert(l, i++, (struct extent){ end, e.end });
	}
}

/* From above, because low memory is scarce and some need just that: old devices,
 * and the page in which other CPUs start. */
bool extent_take(struct extent_list *l, uint64_t count, uint64_t limit, uint64_t *out)
{
	for (uint32_t i = l->count; i-- > 0;) {
		const struct extent *e = &l->at[i];
		uint64_t end = e->end < limit ? e->end : limit;

		if (end <= e->base || end - e->base < count)
			continue;
		*out = end - count;
		extent_cut(l, end - count, end);
		return true;
	}
	return false;
}

uint64_t extent_overlap(const struct extent_list *l, uint64_t base, uint64_t end)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l->count && l->at[i].base < end; i++) {
		uint64_t from = l->at[i].base > base ? l->at[i].base : base;
		uint64_t to = l->at[i].end < end ? l->at[i].end : end;

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
