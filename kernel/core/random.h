/* SPDX-License-Identifier: MIT */
/* kernel/core/random.h - the kernel's random generator.
 *
 * Life    static; random_init seeds it, on the boot CPU, after
 *         arch_cpu_init_boot, which finds out what the port's source may use,
 *         and before the first secret (canary, ASLR base, token) is drawn.
 * Owns    a pool, which all input is hashed into, and the key that output is made
 *         with (both by BLAKE2s).
 * Locks   one lock of rank LOCK_RANDOM, held for a few blocks of arithmetic.
 * Blocks  never.
 *
 * Each request replaces the key before it gives anything out, so that what was
 * given out can't be computed later from what is in memory. The key is renewed
 * from the pool, with fresh input of the hardware source, every RANDOM_RESEED
 * requests. docs/decisions/0008-random-generator.md says why it is built so.
 */
#pragma once
#include <core/types.h>

#define RANDOM_SEED   32   /* bytes of good input that make the generator ready */
#define RANDOM_RESEED 1024 /* requests between two renewals of the key */
#define RANDOM_MAX    MIB(1)

/* Seeds the generator from every source there is and logs which were used: the
 * port's hardware source, then the boot seed, which is erased from boot_info.
 * If these don't give RANDOM_SEED bytes, collects timer jitter; a machine whose
 * timer does not vary either is refused. */
void random_init(void);

/* Fills `out` with at most RANDOM_MAX bytes; can't fail. Asserts that
 * random_init has run. */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void);
