/* SPDX-License-Identifier: MIT */
/* Guest mode's way in and out, for a guest that makes a system call and is gone on with. As
 * ipc_fast.h says of messages: everything is checked before anything is changed, and with the first
 * doubt the ordinary way is gone from the beginning. */
#include <core/guest.h>
#include <core/cspace.h>
#include <core/syscall.h>

/* True if `handle` is a capability of the running thread to itself, with RIGHT_CONTROL. No lock is
 * held: only the thread itself could care if it is being revoked. */
ALWAYS_INLINE bool is_self(const struct thread *self, cap_t handle)
{
	const struct cspace *cs = atomic_load_explicit(&self->cspace, memory_order_relaxed);
	uint32_t index = (uint32_t)handle;

	if (UNLIKELY(index >= CSPACE_CHUNK))
		return false;
	const struct cap_slot *slot = cspace_slot_near(cs, index);
	if (UNLIKELY(atomic_load_explicit(&slot->gen, memory_order_acquire) != handle >> 32))
		return false;
	uint64_t token = atomic_load_explicit(&slot->token, memory_order_acquire);
	return LIKELY(object_at(token_object(token)) == &self->obj) &&
	       LIKELY(token_gen(token) == self->obj.gen) && LIKELY(token & RIGHT_CONTROL);
}

__attribute__((noinline)) static void slow(struct thread *self, cap_t handle)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { handle };

	arch_syscall(&self->arch, SYS_guest_enter, arg);
}

void guest_enter(cap_t handle, uint64_t a1, uint64_t a2, struct arch_thread *user)
{
	struct thread *self = container_of(user, struct thread, arch);
	struct cpu *c = arch_this_cpu();
	const struct pagetable *table = c->tables.table;
	struct arch_guest_start start;

	(void)a1, (void)a2;
	if (UNLIKELY(thread_flags(self) & ~THREAD_UNPARKED) || UNLIKELY(c->fast_limit == 0) ||
	    UNLIKELY(atomic_load_explicit(&c->resched, memory_order_relaxed)) ||
	    UNLIKELY(table->root[ROOT_GUEST].pa == 0) || UNLIKELY(!is_self(self, handle)) ||
	    UNLIKELY(!arch_guest_start(user, &start))) {
		slow(self, handle);
		return;
	}
	pagetable_flip(&c->tables, table, ROOT_GUEST);
	cpu_count_up(&c->counters.calls[SYS_guest_enter]);
	arch_guest_run(user, &start);
}

void guest_called(struct arch_thread *user)
{
	struct cpu *c = arch_this_cpu();

	arch_guest_stop(user);
	((struct guest_exit *)((uintptr_t)user->guest + GUEST_EXIT))->reason = GUEST_SYSCALL;
	/* Should the guest be cut off, its tables are there until this CPU has seen it. */
	pagetable_flip(&c->tables, c->tables.table, ROOT_MAIN);
	if (UNLIKELY(atomic_load_explicit(&c->resched, memory_order_relaxed))) {
		arch_thread_result(user, ST_OK, 0, 0, 0);
		thread_exit_slow();
		return;
	}
	arch_thread_leave(user, 0, 0, 0);
}
