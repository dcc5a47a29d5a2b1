/* SPDX-License-Identifier: MIT */
#include <lib/sys/calls.h>
#include <lib/sys/copy.h>

/* The range, in copy.S. */
__attribute__((visibility("hidden"))) extern const char copy_begin[], copy_end[];

status_t copy_protect_thread(cap_t self)
{
	const struct guest_setup g = {
		.aspace = CAP_NONE,
		.state = CAP_NONE,
		.fix_up_from = (uint64_t)copy_begin,
		.fix_up_to = (uint64_t)copy_end,
	};

	return sys_thread_set_guest(self, &g);
}
