/* SPDX-License-Identifier: MIT */
/* tests/guest/scale.h - what operations cost one thread, and four on four CPUs with objects of
 * their own. */
#pragma once
#include "world.h"

#define SCALE_CPUS   4
#define SCALE_ROUNDS 2048

struct scale {
	uint64_t alone,
		together; /* cycles for an operation: of all CPUs, if they count instructions */
	uint64_t waits;   /* of the four for locks */
};

/* False: an operation failed. The machine has SCALE_CPUS. */
bool scale_calls(struct scale *out);
bool scale_maps(struct scale *out);
bool scale_faults(struct scale *out);
