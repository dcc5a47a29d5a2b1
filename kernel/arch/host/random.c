/* SPDX-License-Identifier: MIT */
#include "random.h"
#include <arch/arch.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

_Atomic enum host_random_source host_random_source;
_Atomic uint64_t host_random_calls;

size_t arch_random_seed(void *out, size_t size, const char **source)
{
	static const char stuck[] = "\x05\x04\x03\x02\x01\x02\x03\x04";

	atomic_fetch_add(&host_random_calls, 1);
	*source = "getrandom";
	switch (atomic_load(&host_random_source)) {
	case HOST_RANDOM_ABSENT:
		return 0;
	case HOST_RANDOM_STUCK:
		for (size_t i = 0; i < size; i++)
			((char *)out)[i] = stuck[i % 8];
		return size;
	case HOST_RANDOM_SHORT:
		size = size < 8 ? size : 8;
		break;
	case HOST_RANDOM_GOOD:
		break;
	}
	if (getrandom(out, size, 0) != (ssize_t)size)
		abort();
	return size;
}
