/* SPDX-License-Identifier: MIT */
/* lib/sys/copy.h - copies to and from memory that its owner can take away at any time.
 *
 * A server that maps what a client brought must not die of the client's end. The kernel lets a
 * thread name a range of its code in which a fault is no fault, but a jump to the range's end;
 * here that is the one instruction that copies. Each thread that calls copy_try has to have
 * called copy_protect_thread; for others a fault stays what it is.
 */
#pragma once
#include <abi/rights.h>
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets the range of the calling thread; `self` is a capability to it. A thread has one, so it is
 * not for those that run foreign programs. Errors as of thread_set_guest. */
__attribute__((warn_unused_result)) status_t copy_protect_thread(cap_t self);

/* Copies `size` bytes; where they overlap the result is undefined. False: some of it could not be
 * reached, and what lies before that may have been copied. */
__attribute__((warn_unused_result)) bool copy_try(void *to, const void *from, size_t size);
