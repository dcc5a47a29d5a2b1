/* SPDX-License-Identifier: MIT */
/* lib/net/random.h - numbers that who does not know the seed can't guess: SipHash-2-4 of a
 * counter, and of a connection's addresses. */
#pragma once
#include <stdint.h>

#define NET_SEED_BYTES 32u

/* Begins with a seed: one half for each of the two kinds of numbers. */
void net_random_seed(const uint8_t seed[NET_SEED_BYTES]);

/* The next number. */
uint32_t net_random(void);

/* SipHash-2-4 (Aumasson, Bernstein 2012) of `length` bytes under a key of 16. */
uint64_t net_siphash(const uint8_t key[16], const void *bytes, uint64_t length);
