/* SPDX-License-Identifier: MIT */
/* kernel/core/blake2s.h - the hash BLAKE2s-256 of RFC 7693, with or without key. */
#pragma once
#include <core/types.h>

#define BLAKE2S_HASH  32
#define BLAKE2S_BLOCK 64

struct blake2s {
	uint32_t h[8];
	uint64_t hashed; /* bytes in the blocks that went into h */
	uint32_t used;   /* bytes of block that are filled */
	uint8_t block[BLAKE2S_BLOCK];
};

/* `key` of up to BLAKE2S_HASH bytes; size 0: none. */
void blake2s_init(struct blake2s *s, const void *key, size_t size);
void blake2s_update(struct blake2s *s, const void *data, size_t size);
void blake2s_final(struct blake2s *s, uint8_t out[BLAKE2S_HASH]);
