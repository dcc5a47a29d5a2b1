/* SPDX-License-Identifier: MIT */
#include "feature.h"
#include <arch/arch.h>

/* Intel SDM volume 1, 7.3.17: ten tries of RDRAND in a row do not all fail on
 * a sound CPU. RDSEED may have to wait for the circuit behind it. */
#define RDRAND_TRIES 10
#define RDSEED_TRIES 1000

static bool rdrand(uint64_t *value)
{
	bool ok;

	__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

static bool rdseed(uint64_t *value)
{
	bool ok;

	__asm__ volatile("rdseed %0" : "=r"(*value), "=@ccc"(ok));
	return ok;
}

/* Fills `out` from `source`; returns how far it got before it ran dry. */
static size_t draw(bool (*source)(uint64_t *), unsigned tries, uint8_t *out, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) {
		if (i % sizeof(value) == 0) {
			unsigned left = tries;
			while (!source(&value)) {
				if (--left == 0)
					return i;
				arch_cpu_relax();
			}
		}
		out[i] = (uint8_t)(value >> i % sizeof(value) * 8);
	}
	return size;
}

/* RDSEED gives what the circuit collects, RDRAND a generator that is seeded with
 * it: second best, and for when RDSEED runs dry because others use it too. */
size_t arch_random_seed(void *out, size_t size, const char **source)
{
	if (cpu_has(FEATURE_RDSEED) && draw(rdseed, RDSEED_TRIES, out, size) == size) {
		*source = "rdseed";
		return size;
	}
	*source = "rdrand";
	return cpu_has(FEATURE_RDRAND) ? draw(rdrand, RDRAND_TRIES, out, size) : 0;
}
