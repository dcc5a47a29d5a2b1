/* SPDX-License-Identifier: MIT */
/* The way into the kernel and back, whatever the call. */
#include "world.h"
#include "registers.h"

TEST(entry_keeps_and_clears_registers)
{
	struct all_registers before, after;

	for (unsigned i = 0; i < ARRAY_LEN(before.word); i++)
		before.word[i] = 0x1111111111111111ull * (i + 1);
	before.rax = SYS_node_entropy; /* refused: RDI is no capability */
	before.rdi = 0xdead00000007ull;
	system_call_with(&before, &after);
	CHECK((int32_t)after.rax == ST_BAD_CAP);
	CHECK(after.rax == (uint64_t)(int64_t)ST_BAD_CAP);
	CHECK(after.rsi == 0 && after.rdi == 0 && after.rdx == 0);
	CHECK(after.r8 == 0 && after.r9 == 0 && after.r10 == 0);
	CHECK(after.rbx == before.rbx && after.rbp == before.rbp);
	CHECK(after.r12 == before.r12 && after.r13 == before.r13);
	CHECK(after.r14 == before.r14 && after.r15 == before.r15);
	CHECK(after.rcx == (uint64_t)system_call_return);
	CHECK((after.r11 & ~0xffull) == (after.rflags & ~0xffull));
}

TEST(entry_refuses_numbers_that_are_none)
{
	static const uint64_t numbers[] = { 63,         64,         255,        256,
					    1ull << 31, 1ull << 32, 1ull << 63, UINT64_MAX };

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		struct sys_result r = sys_call6(numbers[i], 1, 2, 3, 4, 5, 6);
		CHECK(r.status == ST_BAD_SYSCALL);
		CHECK(r.out[0] == 0 && r.out[1] == 0 && r.out[2] == 0);
	}
}

/* RAX counts as a whole, also where the short ways begin. */
TEST(entry_refuses_numbers_with_more_bits)
{
	static const uint64_t numbers[] = { SYS_endpoint_call,       SYS_endpoint_reply_receive,
					    SYS_notification_signal, SYS_thread_yield,
					    SYS_guest_enter,         SYS_thread_unpark };
	cap_t bits = new_notification();

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		struct sys_result r = sys_call6(numbers[i] | 1ull << 32, bits, 1, NEVER, 0, 0, 0);
		CHECK(r.status == ST_BAD_SYSCALL);
	}
	CHECK(STATUS(notification_wait, bits, 0) == ST_WOULD_BLOCK);
}
