/* SPDX-License-Identifier: MIT */
/* A thread's registers: words that the test's programs look at. */
#include "host.h"
#include <core/assert.h>
#include <core/syscall.h>

void arch_thread_init(struct arch_thread *t)
{
	*t = (struct arch_thread){ 0 };
}

void arch_thread_get(const struct arch_thread *t, struct arch_registers *out)
{
	*out = (struct arch_registers){ t->pc, t->sp };
}

status_t arch_thread_set(struct arch_thread *t, const struct arch_registers *r)
{
	if (r->pc >= ARCH_USER_END)
		return ST_BAD_ARG;
	t->pc = r->pc;
	t->sp = r->sp;
	return ST_OK;
}

void arch_thread_restart(struct arch_thread *t, uint64_t number,
			 const uint64_t arg[ARCH_SYSCALL_ARGS])
{
	t->number = number;
	for (unsigned i = 0; i < ARCH_SYSCALL_ARGS; i++)
		t->arg[i] = arg[i];
	t->restarts++;
}

status_t arch_guest_enter(struct arch_thread *t, bool called)
{
	struct arch_guest_start start;

	(void)called;
	if (!arch_guest_start(t, &start))
		return ST_BAD_ARG;
	arch_guest_run(t, &start);
	return ST_OK;
}

void arch_guest_leave(struct arch_thread *t, bool keep)
{
	if (keep)
		*t->guest = t->inside;
	t->in_guest = false;
}

/* A test leaves the kernel by itself. */
void arch_syscall(struct thread *t, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	syscall_dispatch(t, number, arg);
}

void arch_thread_leave(struct thread *t, uint64_t a, uint64_t b, uint64_t c)
{
	arch_thread_result(&t->arch, ST_OK, a, b, c);
}

void arch_thread_leave_to(struct cpu *c, struct thread *to, struct thread *from,
			  struct ipc_result r)
{
	arch_thread_switch(&from->arch, &to->arch);
	atomic_store_explicit(&c->current, to, memory_order_release);
	arch_thread_leave(to, r.a, r.b, r.c);
}

void arch_thread_save(struct arch_thread *t)
{
	ASSERT(atomic_exchange(&t->loaded, NULL) == arch_this_cpu());
}

void arch_thread_load(struct arch_thread *t)
{
	ASSERT(atomic_exchange(&t->loaded, arch_this_cpu()) == NULL);
}

bool host_user_modelled;

/* Where the modelled user memory at `va` is, and how much of `size` lies in that page; NULL: a
 * page fault. */
static char *user_piece(vaddr_t va, unsigned access, size_t *size)
{
	size_t rest = FRAME_SIZE - va % FRAME_SIZE;
	paddr_t pa;

	if (*size > rest)
		*size = rest;
	if (va >= ARCH_USER_END || !host_user_access(va, access, &pa))
		return NULL;
	return arch_phys_to_virt(pa);
}

/* Else a test's programs lie in its own memory. */
bool arch_copy_from_user(void *to, const void *from, size_t size)
{
	if (!host_user_modelled && from != NULL)
		__builtin_memcpy(to, from, size);
	for (size_t done = 0, piece; host_user_modelled && done < size; done += piece) {
		piece = size - done;
		const char *user = user_piece((vaddr_t)from + done, ARCH_READ, &piece);
		if (user == NULL)
			return false;
		__builtin_memcpy((char *)to + done, user, piece);
	}
	return host_user_modelled || from != NULL;
}

bool arch_copy_to_user(void *to, const void *from, size_t size)
{
	if (!host_user_modelled && to != NULL)
		__builtin_memcpy(to, from, size);
	for (size_t done = 0, piece; host_user_modelled && done < size; done += piece) {
		piece = size - done;
		char *user = user_piece((vaddr_t)to + done, ARCH_WRITE, &piece);
		if (user == NULL)
			return false;
		__builtin_memcpy(user, (const char *)from + done, piece);
	}
	return host_user_modelled || to != NULL;
}

void arch_thread_close(struct arch_thread *t, struct quota *q)
{
	(void)q;
	ASSERT(atomic_load(&t->loaded) == NULL);
}

void arch_thread_begin(struct arch_thread *t, vaddr_t pc, vaddr_t sp, uint64_t argument)
{
	t->pc = pc;
	t->sp = sp;
	t->arg[0] = argument;
}

void arch_run_threads(void)
{
	panic("a program on the host has no user mode");
}
