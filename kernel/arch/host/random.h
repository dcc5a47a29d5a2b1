/* SPDX-License-Identifier: MIT */
/* kernel/arch/host/random.h - the hardware source that the host stands in for,
 * and what tests make of it. */
#pragma once
#include <core/types.h>

enum host_random_source {
	HOST_RANDOM_GOOD,
	HOST_RANDOM_SHORT, /* gives eight bytes at a time */
	HOST_RANDOM_STUCK, /* gives the same word for ever */
	HOST_RANDOM_ABSENT,
};

extern _Atomic enum host_random_source host_random_source;
extern _Atomic uint64_t host_random_calls; /* of arch_random_seed */
