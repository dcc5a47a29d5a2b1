/* SPDX-License-Identifier: MIT */
/* kernel/core/grace.h - when every CPU has been outside the kernel once.
 *
 * Look-ups take no reference, so a CPU may be reading the header of an object
 * that died a moment ago, but only until it leaves the kernel. Memory that such
 * a reader may touch is given back after a grace period: draw a ticket when
 * nothing new can find the memory any more, give it back when the ticket is over.
 *
 * Periods are numbered and shared: one period serves every ticket drawn before
 * it began. An idle CPU counts as outside and is left asleep; a CPU that stays in
 * user mode is interrupted once, which makes it enter and leave the kernel. Periods begin
 * at least ARCH_GRACE_GAP apart, so whoever makes and destroys things as fast as he can
 * does not take much from others by that.
 *
 * Locks   one, of rank LOCK_GRACE.
 * Blocks  never: a period goes on when somebody calls grace_poll.
 */
#pragma once
#include <core/types.h>

/* A ticket for the next period to begin. May be drawn with locks held. */
MUST_CHECK uint64_t grace_ticket(void);

/* True when every CPU has been outside the kernel since the ticket was drawn. */
bool grace_is_over(uint64_t ticket);

/* True if a ticket has been drawn that is not over. */
bool grace_is_awaited(void);

/* Ends the running period if every CPU has been outside, and begins the next if
 * a ticket waits for it. Holds no lock: beginning takes one round of IPIs. */
void grace_poll(void);

/* For who waits by coming back: draws a ticket at first (`*ticket` is 0) and lets the periods
 * go on; true when it is over. Holds no lock. */
bool grace_passed(uint64_t *ticket);
