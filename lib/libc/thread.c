/* SPDX-License-Identifier: MIT */
#include <lib/libc/port.h>
#include <abi/memory.h>
#include <abi/status.h>
#include <errno.h>
#include <stdarg.h>

cap_t libc_fault;

static struct thread threads[LIBC_THREADS];

/* What FS points to where there is no TLS of musl's: before there is one, and at a thread's end,
 * when its own may be gone. The canary of stacks is all it has. */
static uint64_t bare_tls[MACHINE_CANARY + 1];

struct thread *thread_self(void)
{
	return machine_thread();
}

cap_t libc_thread(void)
{
	return thread_self()->cap;
}

struct msg_block *libc_block(void)
{
	return thread_self()->block;
}

int thread_number(const struct thread *t)
{
	return (int)(t - threads) + 1;
}

/* Gives it a page for its message block, which it keeps for whoever has the slot next. */
static status_t give_block(struct thread *t, cap_t sched, cap_t fault)
{
	uint64_t offset;

	if (t->block == NULL) {
		long va = arena_map(1, MAP_READ | MAP_WRITE);
		if (va < 0)
			return ST_NO_MEMORY;
		t->block = (struct msg_block *)va;
	}
	cap_t memory = arena_memory((uint64_t)t->block, &offset);
	return SYS(thread_configure, t->cap, sched, fault, CAP_NONE, memory, offset).status;
}

/* Frames that are on the stack already are never returned from. */
static void use_bare_tls(void)
{
	machine_set_tls((uint64_t)bare_tls);
}

NO_CANARY void thread_adopt_first(void)
{
	__builtin_memcpy(&bare_tls[MACHINE_CANARY], libc_own->seed, sizeof(uint64_t));
	use_bare_tls();
	threads[0].cap = libc_own->thread;
	atomic_store(&threads[0].state, THREAD_TAKEN);
	machine_set_thread(&threads[0]);
}

bool thread_init(void)
{
	return give_block(&threads[0], CAP_NONE, CAP_NONE) == ST_OK;
}

/* A free slot, after what is left of threads that have ended was cleared away. */
static struct thread *take_slot(void)
{
	for (struct thread *t = threads; t < threads + LIBC_THREADS; t++) {
		uint32_t state = atomic_load(&t->state);
		if (state == THREAD_TAKEN)
			continue;
		if (!atomic_compare_exchange_strong(&t->state, &state, THREAD_TAKEN))
			continue;
		if (state == THREAD_ENDED)
			SYS(object_destroy, t->cap);
		return t;
	}
	return NULL;
}

static _Noreturn void enter(void *arg, int (*run)(void *))
{
	run(arg);
	thread_end();
}

int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
	struct thread *t = take_slot();
	va_list more;

	(void)flags; /* musl begins threads in one way only */
	if (t == NULL)
		return -EAGAIN;
	va_start(more, arg);
	int *number = va_arg(more, int *);
	void *tls = va_arg(more, void *);
	t->clear = va_arg(more, volatile int *);
	va_end(more);

	const struct startup_own *s = libc_own;
	struct sys_result made = SYS(thread_create, s->quota, s->aspace, s->cspace);
	if (made.status != ST_OK)
		goto give_back;
	t->cap = made.out[0];
	if (give_block(t, s->sched, libc_fault) != ST_OK)
		goto destroy;
	struct arch_registers regs;
	machine_thread_registers(&regs, (uint64_t)enter, (uint64_t)stack, (uint64_t)arg,
				 (uint64_t)run, (uint64_t)tls, (uint64_t)t);
	*number = thread_number(t);
	if (SYS(thread_write_registers, t->cap, &regs).status == ST_OK &&
	    SYS(thread_resume, t->cap).status == ST_OK)
		return *number;

destroy:
	SYS(object_destroy, t->cap);
give_back:
	atomic_store(&t->state, THREAD_FREE);
	return -EAGAIN;
}

/* The last a thread does, on the stack behind its message block: its own may be gone. */
static NO_CANARY _Noreturn void end(struct thread *t)
{
	volatile int *clear = t->clear;

	use_bare_tls();
	if (t->unmap != 0)
		arena_unmap(t->unmap, t->unmap_pages);
	t->unmap = 0;
	if (clear != NULL) {
		__atomic_store_n(clear, 0, __ATOMIC_SEQ_CST);
		futex_wake(clear, 1);
	}
	cap_t cap = t->cap;
	atomic_store(&t->state, THREAD_ENDED);
	for (;;)
		SYS(thread_suspend, cap);
}

NO_CANARY _Noreturn void thread_end(void)
{
	struct thread *t = thread_self();

	machine_on_stack((char *)t->block + MEMORY_PAGE, end, t);
}

/* musl's way to end a detached thread: nobody else gives back its stack. */
__attribute__((visibility("hidden"))) _Noreturn void __unmapself(void *base, size_t size);

_Noreturn void __unmapself(void *base, size_t size)
{
	struct thread *t = thread_self();

	t->unmap = (uint64_t)base;
	t->unmap_pages = size / MEMORY_PAGE;
	thread_end();
}
