/* SPDX-License-Identifier: MIT */
/* tests/guest/scale.h - operations of one thread, and of four on four CPUs with objects of their
 * own. The machine has SCALE_CPUS.
 */
#pragma once
#include "world.h"

#define SCALE_CPUS   4
#define SCALE_ROUNDS 2048 /* operations of each */

enum scale_kind { SCALE_CALLS, SCALE_MAPS, SCALE_FAULTS };

struct scale {
	uint64_t alone, together; /* cycles for an operation */
	uint64_t waits;           /* for locks */
	uint64_t wrong;           /* answers that were none */
};

/* What they cost: of all CPUs together, where the cycle counter counts their instructions. */
void scale_cost(enum scale_kind kind, struct scale *out);

/* How often one waits for a lock while all are at it. */
void scale_waits(enum scale_kind kind, struct scale *out);
