/* SPDX-License-Identifier: MIT */
#include <core/blake2s.h>
#include <core/assert.h>

/* RFC 7693, section 2.6: the initialization vector, that of SHA-256. */
static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Section 2.7: which message word goes where, round by round. */
static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static uint32_t rotate(uint32_t x, unsigned bits)
{
	return x >> bits | x << (32 - bits);
}

/* Mixes column or diagonal `i` (0 to 7) of `v` with two message words. */
static void mix(uint32_t v[16], unsigned i, uint32_t first, uint32_t second)
{
	unsigned shift = i / 4; /* 0: column, 1: diagonal */
	uint32_t *a = &v[i % 4];
	uint32_t *b = &v[4 + (i + shift) % 4];
	uint32_t *c = &v[8 + (i + 2 * shift) % 4];
	uint32_t *d = &v[12 + (i + 3 * shift) % 4];

	*a += *b + first;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b + second;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

/* RFC 7693, section 3.2. The count of bytes and the mark of the last block go in, so
 * that no text hashes like the beginning of another. */
static void compress(struct blake2s *s, bool last)
{
	uint32_t m[16] = { 0 }, v[16];

	for (unsigned i = 0; i < BLAKE2S_BLOCK; i++)
		m[i / 4] |= (uint32_t)s->block[i] << i % 4 * 8;
	for (unsigned i = 0; i < 8; i++) {
		v[i] = s->h[i];
		v[8 + i] = iv[i];
	}
	v[12] ^= (uint32_t)s->hashed;
	v[13] ^= (uint32_t)(s->hashed >> 32);
	if (last)
		v[14] = ~v[14];
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 8; i++)
			mix(v, i, m[sigma[round][2 * i]], m[sigma[round][2 * i + 1]]);
	}
	for (unsigned i = 0; i < 8; i++)
		s->h[i] ^= v[i] ^ v[8 + i];
}

void blake2s_init(struct blake2s *s, const void *key, size_t size)
{
	ASSERT(size <= BLAKE2S_HASH);
	*s = (struct blake2s){ 0 };
	for (unsigned i = 0; i < 8; i++)
		s->h[i] = iv[i];
	s->h[0] ^= 0x01010000 | (uint32_t)size << 8 | BLAKE2S_HASH; /* section 2.5 */
	blake2s_update(s, key, size);
	if (size > 0)
		s->used = BLAKE2S_BLOCK; /* the key fills a block of its own */
}

void blake2s_update(struct blake2s *s, const void *data, size_t size)
{
	const uint8_t *from = data;

	for (size_t i = 0; i < size; i++) {
		/* A full block waits until more comes: the last one is special. */
		if (s->used == BLAKE2S_BLOCK) {
			s->hashed += BLAKE2S_BLOCK;
			compress(s, false);
			s->used = 0;
		}
		s->block[s->used++] = from[i];
	}
}

void blake2s_final(struct blake2s *s, uint8_t out[BLAKE2S_HASH])
{
	s->hashed += s->used;
	for (; s->used < BLAKE2S_BLOCK; s->used++)
		s->block[s->used] = 0;
	compress(s, true);
	for (unsigned i = 0; i < BLAKE2S_HASH; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> i % 4 * 8);
}
