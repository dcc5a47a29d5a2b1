/* SPDX-License-Identifier: MIT */
/* Guest mode's way in and out, for a guest that makes a system call and is gone on with. As
 * ipc_fast.h says of messages: everything is checked before anything is changed, and with the first
 * doubt the ordinary way is gone from the beginning. */
#include <core/guest.h>
#include <core/syscall.h>

static volatile struct guest_exit *exit_of(const struct arch_thread *user)
{
	return (volatile struct guest_exit *)((uintptr_t)user->guest + GUEST_EXIT);
}

/* True if `handle` names the capability that the running thread had to itself when it went the
 * ordinary way, and its slot still has that. No lock is held: only the thread itself could care if
 * it is being revoked, or itself is dying. */
ALWAYS_INLINE bool is_self(const struct thread *self, cap_t handle)
{
	const struct cap_slot *slot = self->entered.slot;

	return LIKELY(handle == self->entered.handle) &&
	       LIKELY(atomic_load_explicit(&slot->gen, memory_order_relaxed) ==
		      self->entered.gen) &&
	       LIKELY(atomic_load_explicit(&slot->token, memory_order_relaxed) ==
		      self->entered.token);
}

/* True if the short ways may be gone, and nobody wants anything of the running thread. */
ALWAYS_INLINE bool at_ease(const struct cpu *c, const struct thread *self)
{
	uintptr_t at = (uintptr_t)self + offsetof(struct thread, flags);

	return LIKELY((__atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE) &
		       ~(uint64_t)THREAD_UNPARKED) == c->hot) &&
	       LIKELY(!atomic_load_explicit(&c->resched, memory_order_relaxed));
}

__attribute__((noinline)) static void slow(struct thread *self, cap_t handle)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { handle };

	arch_syscall(self, SYS_guest_enter, arg);
}

void guest_enter(cap_t handle)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);
	const struct pagetable *table = c->tables.table;
	struct arch_guest_start start;

	if (UNLIKELY(!at_ease(c, self)) || UNLIKELY(table->root[ROOT_GUEST].pa == 0) ||
	    UNLIKELY(!is_self(self, handle)) ||
	    UNLIKELY(exit_of(&self->arch)->reason != GUEST_SYSCALL) ||
	    UNLIKELY(!arch_guest_start(&self->arch, &start))) {
		slow(self, handle);
		return;
	}
	pagetable_flip(&c->tables, table, ROOT_GUEST);
	cpu_count_up(&c->counters.calls[SYS_guest_enter]);
	arch_guest_run(&self->arch, &start);
}

void guest_called(void)
{
	struct cpu *c = arch_this_cpu();
	struct thread *self = atomic_load_explicit(&c->current, memory_order_relaxed);

	exit_of(&self->arch)->reason = GUEST_SYSCALL;
	arch_guest_stop(&self->arch);
	/* Should the guest be cut off, its tables are there until this CPU has seen it. */
	pagetable_flip(&c->tables, c->tables.table, ROOT_MAIN);
	if (UNLIKELY(atomic_load_explicit(&c->resched, memory_order_relaxed))) {
		arch_thread_result(&self->arch, ST_OK, 0, 0, 0);
		thread_exit_slow();
		return;
	}
	arch_thread_leave(self, 0, 0, 0);
}
