/* SPDX-License-Identifier: MIT */
/* kernel/core/guest.h - guest mode: a thread runs a foreign program, and comes back.
 *
 * A thread of a personality half is bound to a guest half and to a state page (abi/guest.h). From
 * then on its own code runs on the main root of the guest's tables, which shows both halves,
 * and the program on the other root, which does not even have an entry for the
 * personality's. guest_enter loads the registers that are in the page; what ends guest mode
 * puts them back and gives the thread its own. There is no message, no other thread and no
 * lock on this way.
 *
 * Everything in the page may change at any time: each register is read once, then checked. While
 * the program is interrupted its registers are the kernel's alone.
 *
 * Kick: a sticky flag, looked at before the program is entered and when it is gone on with
 * after an interrupt. A thread that is in user mode meanwhile is interrupted.
 *
 * Cut: when the guest half or the page goes, `aspace` is the thread's own space again at once,
 * and THREAD_CUT_OFF tells the CPU that it runs on, or will, to leave guest mode (ST_PEER_GONE)
 * and the guest's tables. Until then both are there.
 *
 * When the guest only loses the half (the capability that it was made with is revoked), its program
 * runs on, and the thread finds out by the first fault of its own code.
 */
#pragma once
#include <abi/guest.h>
#include <core/cap.h>

struct arch_thread;
struct thread;
struct thread_config;

/* For thread_configure. The first: guest half and page are both there, and of the half that the
 * thread lives in, or neither is; the fix-up range is one. The second: the bindings are in
 * force, the page is pinned at `state` (NULL: it serves no guest from now on); the thread's lock
 * is held, it runs here, or nowhere. */
bool guest_fits(const struct thread *t, const struct thread_config *c);
void guest_set(struct thread *t, const struct thread_config *c, struct arch_registers *state);

/* For thread_cut: takes guest and page away. True when no CPU uses either; else call again. */
bool guest_take_away(struct thread *t) MUST_CHECK;

/* The half was taken out of the guest's tables (aspace_cut), and the running thread, which is not
 * in guest mode, sees its own code nowhere else: it goes back to its own space. */
void guest_lose(struct thread *self);

/* The thread that is about to go to user mode is in guest mode, or cut off: loads the root that
 * it needs, or makes it leave. */
void guest_resume(struct thread *t);

/* The running thread took a fault that can't be resolved. True: its guest did, or its own code in
 * the fix-up range, and it goes on with its own code. */
bool guest_fault(struct thread *self, const struct msg_fault *f);

/* guest_fast.c, called by the machine's entry as ipc_call is: the running thread makes the
 * call guest_enter, or its guest a system call. On return cpu.current goes to user mode. */
void guest_enter(cap_t self);
void guest_called(void);
