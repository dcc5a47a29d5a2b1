/* SPDX-License-Identifier: MIT */
#include "random.h"
#include "instance.h"
#include <string.h>
#include "port/arch/hooks.h"

static uint8_t number_key[16], connection_key[16];
static uint64_t counter;

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], unsigned count)
{
	while (count-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t net_siphash(const uint8_t key[16], const void *bytes, uint64_t length)
{
	const uint8_t *at = bytes;
	uint64_t k[2], word;

	memcpy(k, key, sizeof(k));
	uint64_t v[4] = { k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
			  k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573 };
	for (uint64_t left = length;; left -= 8, at += 8) {
		word = left < 8 ? length << 56 : 0;
		memcpy(&word, at, left < 8 ? left : 8);
		v[3] ^= word;
		rounds(v, 2);
		v[0] ^= word;
		if (left < 8)
			break;
	}
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void net_random_seed(const uint8_t seed[NET_SEED_BYTES])
{
	memcpy(number_key, seed, sizeof(number_key));
	memcpy(connection_key, seed + sizeof(number_key), sizeof(connection_key));
	counter = 0;
}

uint32_t net_random(void)
{
	counter++;
	return (uint32_t)net_siphash(number_key, &counter, sizeof(counter));
}

/* RFC 6528: apart for each connection, and rising with the clock for one that comes again. */
uint32_t net_tcp_first_number(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
			      uint16_t remote_port)
{
	struct {
		uint32_t address[2][4];
		uint16_t port[2];
	} connection = { .port = { local_port, remote_port } };

	memcpy(connection.address[0], local, IP_IS_V6(local) ? 16 : 4);
	memcpy(connection.address[1], remote, IP_IS_V6(remote) ? 16 : 4);
	return (uint32_t)(net_siphash(connection_key, &connection, sizeof(connection)) +
			  net_clock(net_instance) / 4096);
}
