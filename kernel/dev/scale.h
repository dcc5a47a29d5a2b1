/* SPDX-License-Identifier: MIT */
/* kernel/dev/scale.h - from the ticks of one clock to those of another.
 *
 * A count is multiplied by the ratio of the two rates as a whole, never added up
 * from rounded pieces, so nothing drifts. The ratio is kept with 48 binary
 * digits behind the point: the error is below one part in 2^48 of the count.
 */
#pragma once
#include <core/types.h>

#define SCALE_FRACTION 48

struct scale {
	uint64_t ratio; /* times 2^SCALE_FRACTION */
};

/* Sets `s` up to turn ticks of `from` per second into ticks of `to` per second.
 * `from` is neither zero nor above 2^63, and to / from below 2^16. */
void scale_init(struct scale *s, uint64_t from, uint64_t to);

/* Rounds down; UINT64_MAX when the result is larger than that. */
static inline uint64_t scale_apply(const struct scale *s, uint64_t ticks)
{
	unsigned __int128 product = (unsigned __int128)ticks * s->ratio >> SCALE_FRACTION;

	return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}
