/* SPDX-License-Identifier: MIT */
#include <core/log.h>
#include <core/random.h>
#include <test/test.h>
#include <arch/arch.h>

#define WORDS 64

TEST(random_hardware_words_differ)
{
	uint64_t word[WORDS];
	const char *source = NULL;
	size_t got = arch_random_seed(word, sizeof(word), &source);

	if (got == 0)
		SKIP("this CPU has neither RDSEED nor RDRAND");
	CHECK(source != NULL);
	CHECK(got == sizeof(word));
	for (unsigned i = 0; i < WORDS; i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK(word[i] != word[j]);
	}
}

TEST(random_hardware_fills_no_more_than_asked)
{
	uint8_t byte[32];
	const char *source;
	bool all_touched = true;

	for (size_t size = 0; size < 20; size++) {
		bool touched[20] = { false };
		for (unsigned round = 0; round < 8; round++) {
			for (size_t i = 0; i < sizeof(byte); i++)
				byte[i] = 0x5a;
			size_t got = arch_random_seed(byte, size, &source);
			CHECK(got <= size);
			for (size_t i = 0; i < got; i++)
				touched[i] = touched[i] || byte[i] != 0x5a;
			for (size_t i = got; i < sizeof(byte); i++)
				CHECK(byte[i] == 0x5a);
			if (got == 0 && size > 0)
				SKIP("this CPU has neither RDSEED nor RDRAND");
		}
		for (size_t i = 0; i < size; i++)
			all_touched = all_touched && touched[i];
	}
	CHECK(all_touched);
}

/* tests/e2e/randomness.py compares this line of several boots. The word is drawn for
 * the test and used for nothing else. */
TEST(random_sample_for_comparison)
{
	uint64_t first = random_u64(), second = random_u64();

	log_raw("random sample %016lx", first);
	CHECK(first != second);
}
