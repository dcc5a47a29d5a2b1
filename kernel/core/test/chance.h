/* SPDX-License-Identifier: MIT */
/* kernel/core/test/chance.h - repeatable pseudo-random numbers for tests. */
#pragma once
#include <stdint.h>

struct chance {
	uint64_t state;
};

/* The generator "splitmix64": a counter, well stirred. */
static inline uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A number below `limit`. */
static inline uint64_t chance_below(struct chance *c, uint64_t limit)
{
	return chance_next(c) % limit;
}
