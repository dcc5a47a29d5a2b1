/* SPDX-License-Identifier: MIT */
/* kernel/core/chacha20.h - the ChaCha20 block function of RFC 8439. */
#pragma once
#include <core/types.h>

#define CHACHA20_KEY   32
#define CHACHA20_BLOCK 64

/* Section 2.3: `state` is the 16-word input, `out` the key stream block. */
void chacha20_block(const uint32_t state[16], uint8_t out[CHACHA20_BLOCK]);

/* Block number `counter` of the key stream of `key` with a nonce of zeros. */
void chacha20_stream(const uint8_t key[CHACHA20_KEY], uint32_t counter,
		     uint8_t out[CHACHA20_BLOCK]);
