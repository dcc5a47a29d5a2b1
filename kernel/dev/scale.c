/* SPDX-License-Identifier: MIT */
#include <dev/scale.h>
#include <core/assert.h>

void scale_init(struct scale *s, uint64_t from, uint64_t to)
{
	ASSERT(from != 0 && from <= 1ull << 63);
	ASSERT(to / from < 1ull << (64 - SCALE_FRACTION));

	/* Division by hand, one binary digit at a time: the dividend is wider
	 * than the compiler divides without a library. */
	uint64_t rest = to % from;
	s->ratio = to / from;
	for (unsigned digit = 0; digit < SCALE_FRACTION; digit++) {
		rest <<= 1;
		s->ratio <<= 1;
		if (rest >= from) {
			rest -= from;
			s->ratio |= 1;
		}
	}
}
