/* SPDX-License-Identifier: MIT */
/* kernel/core/ipc_fast.h - from one thread to another of the same CPU without a look at the queues.
 *
 * Some system calls begin here: a call to a server that waits, an answer after which the server
 * waits again, a signal to a thread that waits and is more urgent, a wait with which that one gives
 * the CPU back, a poll, and the end of a turn. They do what syscall.c and the objects do, whatever
 * the message, as long as nothing has to be waited for or put in order: no deadline, nobody queued,
 * both threads of this CPU and nothing wanted of them. Everything is checked before anything is
 * changed, and with the first doubt the ordinary way is gone from the beginning; the results are
 * the same.
 *
 * The machine's entry jumps to the five functions. The registers that a function must keep are
 * saved already and will be loaded from a thread, so all of ipc_fast.c is compiled to keep none
 * of them (mk/kernel.mk), and only a C function that is not returned to may call it. On return
 * cpu.current goes to user mode. Faults take the same way (thread_fault).
 */
#pragma once
#include <core/aspace.h>
#include <core/endpoint.h>

/* The system calls endpoint_call, endpoint_reply_receive, notification_signal, notification_wait
 * and thread_yield of the running thread; arguments as in abi/syscall.def. */
void ipc_call(cap_t endpoint, uint64_t info, uint64_t deadline);
void ipc_reply_receive(cap_t endpoint, uint64_t info, uint64_t deadline);
void ipc_signal(cap_t notification, uint64_t bits);
void ipc_wait(cap_t notification, uint64_t deadline);
void ipc_yield(cap_t thread);

/* Lets `c` use the fast path, or not (boot option test.slow). */
static inline void ipc_fast_allow(struct cpu *c, bool allow)
{
	c->hot = allow ? (uint64_t)c->id << 32 : UINT64_MAX;
}

/* The running thread has no doubt that `t`, which waits, can run here at once. */
static inline bool ipc_can_run(const struct cpu *c, const struct thread *t)
{
	return LIKELY(thread_hot(t) == c->hot);
}

/* `server`, the one that came last, leaves the endpoint and holds the next call. Nobody else is
 * helped: where servers wait, no caller does. `state` is THREAD_RUNNING only for one that
 * ipc_can_run: the CPU that another is of may still be on its way from it to the next. */
ALWAYS_INLINE void ipc_take_server(struct endpoint *ep, struct thread *server,
				   enum thread_state state) REQUIRES(ep->obj.lock)
{
	if (UNLIKELY(ep->holder != server)) {
		if (ep->holder != NULL)
			atomic_store_explicit(&ep->holder->serving, NULL, memory_order_relaxed);
		ep->holder = server;
		atomic_store_explicit(&server->serving, ep, memory_order_relaxed);
	}
	ep->servers = server->next;
	thread_put(server, state, NULL);
}

/* `from`, whose place is written, leaves the CPU to `to`, which ran here last. It goes on with what
 * its system call gives it. */

ALWAYS_INLINE void ipc_leave(struct cpu *c, struct thread *from, struct thread *to,
			     struct ipc_result r)
{
	struct aspace *as = atomic_load_explicit(&to->aspace, memory_order_relaxed);

	if (LIKELY(pagetable_switch_short(&c->tables, &as->table, c->bit)) &&
	    LIKELY(arch_thread_is_near(&c->arch, &to->arch))) {
		arch_thread_leave_to(c, to, from, r);
		return;
	}
	thread_switch(c, to);
	arch_thread_leave(to, r.a, r.b, r.c);
}
