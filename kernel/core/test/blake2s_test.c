/* SPDX-License-Identifier: MIT */
#include <core/blake2s.h>
#include <string.h>
#include <test/test.h>

/* RFC 7693, appendix B. */
TEST(blake2s_gives_the_hash_of_the_rfc)
{
	static const uint8_t want[BLAKE2S_HASH] = {
		0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
		0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
		0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
	};
	uint8_t got[BLAKE2S_HASH];
	struct blake2s s;

	blake2s_init(&s, NULL, 0);
	blake2s_update(&s, "abc", 3);
	blake2s_final(&s, got);
	CHECK(memcmp(got, want, sizeof(want)) == 0);
}

/* The hash of the hashes of the messages 00 01 02 .. of every length below 300,
 * each given in pieces of `piece` bytes; the key is 00 01 .. */
static void hash_of_hashes(size_t key_size, size_t piece, uint8_t out[BLAKE2S_HASH])
{
	uint8_t bytes[300], one[BLAKE2S_HASH];
	struct blake2s all, s;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	blake2s_init(&all, NULL, 0);
	for (size_t size = 0; size < sizeof(bytes); size++) {
		blake2s_init(&s, bytes, key_size);
		for (size_t at = 0; at < size; at += piece)
			blake2s_update(&s, bytes + at, size - at < piece ? size - at : piece);
		blake2s_final(&s, one);
		blake2s_update(&all, one, sizeof(one));
	}
	blake2s_final(&all, out);
}

/* The two values are what Python's hashlib.blake2s makes of the same. */
TEST(blake2s_agrees_with_hashlib_on_every_length)
{
	static const uint8_t plain[BLAKE2S_HASH] = {
		0xba, 0x4d, 0x4e, 0xce, 0x5f, 0x0b, 0x8d, 0x66, 0x23, 0x80, 0x68,
		0x90, 0x94, 0x75, 0x72, 0x43, 0x88, 0x0c, 0x72, 0x68, 0x7f, 0xeb,
		0x66, 0x04, 0xd3, 0x1e, 0x9d, 0x6d, 0xce, 0xf6, 0x35, 0x13,
	};
	static const uint8_t keyed[BLAKE2S_HASH] = {
		0xfd, 0xb4, 0x11, 0x4e, 0x43, 0xfc, 0x6b, 0x64, 0xe9, 0x08, 0xe1,
		0xae, 0x49, 0xed, 0x7b, 0x3e, 0xf4, 0xeb, 0x0e, 0x30, 0xf7, 0x29,
		0xcb, 0x90, 0xf6, 0xaf, 0x35, 0x56, 0x74, 0x9a, 0xdc, 0x1d,
	};
	static const size_t pieces[] = { 1, 63, 64, 65, 300 };
	uint8_t got[BLAKE2S_HASH];

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		hash_of_hashes(0, pieces[i], got);
		CHECK(memcmp(got, plain, sizeof(plain)) == 0);
		hash_of_hashes(BLAKE2S_HASH, pieces[i], got);
		CHECK(memcmp(got, keyed, sizeof(keyed)) == 0);
	}
}
