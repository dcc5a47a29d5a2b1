/* SPDX-License-Identifier: MIT */
#include "../probe.h"
#include "../cpu.h"
#include "../feature.h"
#include "../regs.h"
#include "../trap.h"
#include "probe.h"
#include <arch/arch.h>
#include <core/frame.h>
#include <test/test.h>

#define TEST_VECTOR   0xe1
#define NON_CANONICAL 0x8000000000000000ul
#define LOWER_HALF    0x800000000000ul

TEST(probe_tells_what_can_be_reached)
{
	uint64_t variable = 5, out = 0;

	CHECK(arch_probe_read(&variable, &out) && out == 5);
	CHECK(arch_probe_write(&variable, 6) && *(volatile uint64_t *)&variable == 6);
	CHECK(!arch_probe_read((const void *)ARCH_CPU_MAP, &out));
	CHECK(!arch_probe_write((void *)ARCH_CPU_MAP, 0));
	CHECK(!arch_probe_read((const void *)NON_CANONICAL, &out));
	CHECK(!arch_probe_write((void *)NON_CANONICAL, 0));
}

TEST(probe_copies_to_and_from_user_memory)
{
	uint8_t *page = user_page_map();
	const uint64_t flags = read_rflags();
	uint8_t text[16] = "fifteen letters", back[16] = "";
	bool to, from, same = true;

	CHECK(page != NULL);
	to = arch_copy_to_user((void *)(USER_PAGE + 101), text, sizeof(text));
	from = arch_copy_from_user(back, (const void *)(USER_PAGE + 101), sizeof(back));
	for (unsigned i = 0; i < sizeof(text); i++)
		same = same && page[101 + i] == text[i] && back[i] == text[i];
	user_page_unmap();
	CHECK(to && from && same);
	CHECK((read_rflags() & RFLAGS_AC) == (flags & RFLAGS_AC));
}

TEST(probe_copy_stops_at_a_missing_page)
{
	uint8_t buffer[64] = "";
	bool mapped = user_page_map() != NULL;
	bool to = arch_copy_to_user((void *)(USER_PAGE + FRAME_SIZE - 8), buffer, sizeof(buffer));
	bool from = arch_copy_from_user(buffer, (const void *)(USER_PAGE + FRAME_SIZE - 8),
					sizeof(buffer));

	user_page_unmap();
	CHECK(mapped && !to && !from);
	CHECK((read_rflags() & RFLAGS_AC) == 0);
}

TEST(probe_copy_stays_in_the_user_half)
{
	static uint64_t secret = 0x5ec2e7;
	uint64_t buffer = 0;

	CHECK(!arch_copy_from_user(&buffer, &secret, sizeof(buffer)));
	CHECK(!arch_copy_to_user(&secret, &buffer, sizeof(buffer)));
	CHECK(buffer == 0 && *(volatile uint64_t *)&secret == 0x5ec2e7);
	CHECK(!arch_copy_from_user(&buffer, (const void *)(LOWER_HALF - 4), sizeof(buffer)));
	CHECK(!arch_copy_from_user(&buffer, (const void *)NON_CANONICAL, sizeof(buffer)));
	CHECK(!arch_copy_from_user(&buffer, (const void *)USER_PAGE, UINT64_MAX));
	CHECK(!arch_copy_from_user(&buffer, (const void *)USER_PAGE, LOWER_HALF));
	CHECK(arch_copy_from_user(&buffer, (const void *)USER_PAGE, 0));
}

static uint64_t flags_inside;

static void note_flags(struct trap_frame *f)
{
	(void)f;
	flags_inside = read_rflags();
}

/* An interrupt between STAC and CLAC: its handler has no access to user memory,
 * the interrupted code has it back afterwards. */
TEST(probe_window_is_closed_in_handlers)
{
	uint64_t after;

	if (!cpu_has(FEATURE_SMAP))
		SKIP("no SMAP on this CPU");
	trap_set_handler(TEST_VECTOR, note_flags);
	flags_inside = RFLAGS_AC;
	__asm__ volatile("stac; int %1; pushfq; popq %0; clac"
			 : "=r"(after)
			 : "i"(TEST_VECTOR)
			 : "memory", "cc");
	CHECK((flags_inside & RFLAGS_AC) == 0);
	CHECK((after & RFLAGS_AC) != 0);
}
