/* SPDX-License-Identifier: MIT */
/* abi/guest.h - the state page of guest mode.
 *
 * A thread that lives in a personality half is given a guest half and a page of memory by
 * thread_set_guest. guest_enter takes the registers of the foreign program from the page
 * and runs it in the guest half alone. Whatever ends that is a return of guest_enter with
 * ST_OK: the page then has the program's registers, as the machine's header lays them out
 * (struct arch_registers), and at GUEST_EXIT the reason. The thread's own registers are
 * kept as by any system call; vector registers are those of the program, before and after.
 *
 * While the reason is GUEST_SYSCALL the program goes on as it does behind a system call, and what
 * the instruction takes for itself is neither written to the page nor read (machine's header).
 * Who wants these registers loaded changes the reason to GUEST_RESTORE.
 *
 * In its own code such a thread sees guest memory where the guest does, but can't execute it. An
 * access that fails, and whose instruction lies between the two addresses that thread_set_guest
 * was given, goes on at the second of them, with the address that could not be accessed in
 * the register of the first result (0: it was none that memory can have).
 */
#pragma once
#include <abi/msg.h>

#define GUEST_EXIT 1024 /* offset of struct guest_exit in the page; registers are before it */

enum guest_reason {
	GUEST_RESTORE, /* of no exit */
	GUEST_SYSCALL, /* it made a system call, by the instruction of native programs */
	GUEST_FAULT,   /* what the kernel does not resolve: `fault` says what */
	GUEST_KICK,    /* thread_kick; the program is where it was */
};

struct guest_exit {
	uint64_t reason; /* enum guest_reason */
	struct msg_fault fault;
};

_Static_assert(sizeof(struct guest_exit) == 72, "guest_exit is ABI");
