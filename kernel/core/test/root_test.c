/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <core/elf.h>
#include <core/frame.h>
#include <core/random.h>
#include <core/root.h>
#include <test/test.h>

#define BOOTS 64

/* True if each of the 32 bits of a place is set in some of these and clear in others. */
static bool all_bits_vary(const vaddr_t place[BOOTS])
{
	const vaddr_t bits = (ROOT_PLACES - 1) * FRAME_SIZE;
	vaddr_t ever = 0, always = bits;

	for (unsigned i = 0; i < BOOTS; i++) {
		ever |= place[i] & bits;
		always &= place[i];
	}
	return ever == bits && always == 0;
}

/* Each boot has entropy of its own. */
TEST(root_lies_elsewhere_at_each_boot)
{
	vaddr_t place[BOOTS];

	for (unsigned i = 0; i < BOOTS; i++) {
		random_init();
		place[i] = root_place(ROOT_PROGRAM) - ROOT_PROGRAM;
		CHECK(place[i] % FRAME_SIZE == 0 && place[i] < ROOT_PLACES * FRAME_SIZE);
	}
	CHECK(all_bits_vary(place));
}

TEST(root_stack_does_not_follow_from_the_program)
{
	vaddr_t distance[BOOTS];

	random_init();
	for (unsigned i = 0; i < BOOTS; i++) {
		vaddr_t program = root_place(ROOT_PROGRAM), stack = root_place(ROOT_STACK);

		CHECK(program >= 0x200000 && program < ELF_END);
		CHECK(stack > ELF_END && stack < ARCH_PERSONALITY);
		distance[i] = stack - program;
	}
	CHECK(all_bits_vary(distance));
}
