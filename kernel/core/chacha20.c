/* SPDX-License-Identifier: MIT */
#include <core/chacha20.h>

static uint32_t rotate(uint32_t x, unsigned bits)
{
	return x << bits | x >> (32 - bits);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

/* RFC 8439, section 2.3. Nothing but additions, rotations and exclusive-ors: how
 * long it takes says nothing about the key. */
void chacha20_block(const uint32_t state[16], uint8_t out[CHACHA20_BLOCK])
{
	uint32_t x[16];

	for (unsigned i = 0; i < 16; i++)
		x[i] = state[i];
	for (unsigned round = 0; round < 20; round += 2) {
		for (unsigned i = 0; i < 4; i++) /* columns */
			quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
		for (unsigned i = 0; i < 4; i++) /* diagonals */
			quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
				      &x[12 + (i + 3) % 4]);
	}
	for (unsigned i = 0; i < CHACHA20_BLOCK; i++)
		out[i] = (uint8_t)((x[i / 4] + state[i / 4]) >> i % 4 * 8);
}

/* The nonce stays zero: no key is used for a second stream. */
void chacha20_stream(const uint8_t key[CHACHA20_KEY], uint32_t counter, uint8_t out[CHACHA20_BLOCK])
{
	/* "expand 32-byte k", as little-endian words */
	uint32_t state[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	for (unsigned i = 0; i < CHACHA20_KEY; i++)
		state[4 + i / 4] |= (uint32_t)key[i] << i % 4 * 8;
	state[12] = counter;
	chacha20_block(state, out);
}
