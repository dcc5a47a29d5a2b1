/* SPDX-License-Identifier: MIT */
/* kernel/core/user.h - the memory of the running thread.
 *
 * What a user address names may change at any moment, so every byte is copied once, and then
 * looked at.
 *
 * Locks  none may be held.
 */
#pragma once
#include <core/types.h>

struct thread;

/* Copies from and to user memory; pages that are mapped but not there yet are brought in.
 * ST_BAD_ADDRESS: a part of the range is not mapped so, or is not user memory; ST_NO_MEMORY: a page
 * can't be paid for; ST_LATER: what is mapped changes all the time. After a failure some bytes may
 * have been copied. */
status_t user_copy_in(struct thread *self, void *to, uint64_t from, size_t size) MUST_CHECK;
status_t user_copy_out(struct thread *self, uint64_t to, const void *from, size_t size) MUST_CHECK;

/* Brings in the page at `va` for an access (FAULT_READ, ...) of the running thread. As from
 * aspace_fault. */
status_t user_fault(struct thread *self, vaddr_t va, unsigned access) MUST_CHECK;
