/* SPDX-License-Identifier: MIT */
#include <core/user.h>
#include <core/aspace.h>
#include <core/guest.h>
#include <core/thread.h>

#define TRIES 4 /* of a copy, before the call is made again */

status_t user_fault(struct thread *self, vaddr_t va, unsigned access)
{
	struct aspace *as = atomic_load_explicit(&self->aspace, memory_order_relaxed);

	if (va >= ARCH_USER_END || as == NULL)
		return ST_BAD_ADDRESS;
	if (UNLIKELY(as != self->own_aspace) && !arch_thread_in_guest(&self->arch)) {
		if (va >= ARCH_PERSONALITY && atomic_load(&as->table.half) == NULL)
			guest_lose(self);
		if (va >= ARCH_PERSONALITY)
			as = self->own_aspace;
		else if (access & FAULT_EXEC)
			return ST_NO_RIGHT; /* only the guest itself runs its code */
	}
	return aspace_fault(as, va, access);
}

static status_t bring_in(struct thread *self, vaddr_t va, size_t size, unsigned access)
{
	status_t st = ST_OK;

	if (va > ARCH_USER_END || size > ARCH_USER_END - va)
		return ST_BAD_ADDRESS;
	for (vaddr_t at = ALIGN_DOWN(va, FRAME_SIZE); st == ST_OK && at < va + size;
	     at += FRAME_SIZE)
		st = user_fault(self, at, access);
	return st == ST_OK || st == ST_NO_MEMORY ? st : ST_BAD_ADDRESS;
}

static status_t copy(struct thread *self, void *kernel, uint64_t va, size_t size, unsigned access)
{
	for (unsigned n = 0; n < TRIES; n++) {
		if (access == FAULT_READ ? arch_copy_from_user(kernel, (const void *)va, size)
					 : arch_copy_to_user((void *)va, kernel, size))
			return ST_OK;
		status_t st = bring_in(self, va, size, access);
		if (st != ST_OK)
			return st;
	}
	return ST_LATER;
}

status_t user_copy_in(struct thread *self, void *to, uint64_t from, size_t size)
{
	return copy(self, to, from, size, FAULT_READ);
}

status_t user_copy_out(struct thread *self, uint64_t to, const void *from, size_t size)
{
	return copy(self, (void *)(uintptr_t)from, to, size, FAULT_WRITE);
}
