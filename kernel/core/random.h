/* SPDX-License-Identifier: MIT */
/* kernel/core/random.h - the kernel's random generator.
 *
 * ChaCha20 (RFC 8439) keyed from a pool into which the port's hardware source,
 * the boot seed and timer jitter are mixed; the key is replaced after every
 * request, so that what was given out can't be computed later from the state.
 *
 * Locks   one lock of rank LOCK_RANDOM.
 */
#pragma once
#include <core/types.h>

/* Seeds the generator from every source there is and logs which were used.
 * Before the first secret (canary, ASLR base, token) is drawn. If no source
 * yields enough, collects timer jitter until it does, and says so. */
void random_init(void);

/* Mixes `size` bytes into the pool; they are credited with no entropy. */
void random_mix(const void *data, size_t size);

/* Fills `out`; never fails once random_init has run (asserted). */
void random_bytes(void *out, size_t size);
uint64_t random_u64(void);

/* The permutation behind it, for tests against RFC 8439, section 2.3.2:
 * `state` is the 16-word input block, `out` the 64-byte key stream block. */
void chacha20_block(const uint32_t state[16], uint8_t out[64]);
