/* SPDX-License-Identifier: MIT */
#include <core/syscall.h>
#include <core/sys_cap.h>

enum syscall_mode { HELD, TAKEN, CHECKED };

struct syscall_cap {
	uint8_t type;
	bool optional;
	rights_t right;
};

struct syscall_line {
	syscall_fn *handler;
	uint8_t mode;
	uint8_t caps;
	struct syscall_cap cap[SYSCALL_CAPS];
};

#define C(type, right) { OBJ_##type, false, RIGHT_##right },
#define O(type, right) { OBJ_##type, true, RIGHT_##right },

/* Calls that no module supplies are NULL. */
#define SYSCALL(nr, name, mode, caps) __attribute__((weak)) syscall_fn sys_##name;
#include <abi/syscall.def>
#undef SYSCALL

static const struct syscall_line lines[] = {
#define SYSCALL(nr, name, how, list)                                                               \
	[nr] = { sys_##name,                                                                       \
		 how,                                                                              \
		 sizeof((const struct syscall_cap[]){ list }) / sizeof(struct syscall_cap),        \
		 { list } },
#include <abi/syscall.def>
#undef SYSCALL
};

#define SYSCALL(nr, name, how, list)                                                               \
	_Static_assert((how) == CHECKED || sizeof((const struct syscall_cap[]){ list }) ==         \
						   sizeof(struct syscall_cap),                     \
		       "one object is locked");
#include <abi/syscall.def>
#undef SYSCALL

_Static_assert(ARRAY_LEN(lines) <= CPU_SYSCALLS, "at most 64 system calls");

static inline status_t find(struct syscall *c, const struct syscall_line *line, unsigned i)
{
	const struct cspace *cs = atomic_load_explicit(&c->self->cspace, memory_order_relaxed);
	const struct syscall_cap *need = &line->cap[i];

	return cap_find(cs, c->arg[i], need->type, need->right, &c->cap[i]);
}

/* Those behind the first, which every call has. */
__attribute__((noinline)) static status_t find_others(struct syscall *c,
						      const struct syscall_line *line)
{
	status_t st = ST_OK;

	for (unsigned i = 1; st == ST_OK && i < line->caps; i++) {
		c->cap[i].object = NULL;
		if (!line->cap[i].optional || c->arg[i] != CAP_NONE)
			st = find(c, line, i);
	}
	return st;
}

UNCHECKED_LOCKS static inline status_t run(struct syscall *c, const struct syscall_line *line)
{
	status_t st = find(c, line, 0);

	if (LIKELY(st == ST_OK) && line->caps > 1)
		st = find_others(c, line);
	if (LIKELY(st == ST_OK) && line->mode != CHECKED)
		st = cap_ref_lock(&c->cap[0]);
	if (UNLIKELY(st != ST_OK))
		return st;
	st = line->handler(c);
	if (line->mode == HELD)
		spin_unlock(&c->cap[0].object->lock);
	return st;
}

#define RUN ((status_t)-102) /* a call like any other */

/* What may not be: there is no such call, or it goes on with what it did before. */
__attribute__((noinline)) static status_t run_other(struct syscall *c, uint64_t number)
{
	status_t st;

	if (c->self->work != 0 && sys_work_goes_on(c, number, &st))
		return st;
	return number < ARRAY_LEN(lines) && lines[number].handler != NULL ? RUN : ST_BAD_SYSCALL;
}

/* What has no results to write. */
__attribute__((noinline)) static void finish_other(struct syscall *c, uint64_t number, status_t st)
{
	struct thread *self = c->self;

	if (st == ST_BLOCKED) {
		thread_blocked(self);
	} else if (st == ST_LATER) {
		arch_thread_restart(&self->arch, number, c->arg);
	} else if (st != SYSCALL_DONE) {
		cpu_count_up(&arch_this_cpu()->counters.refused);
		arch_thread_result(&self->arch, st, 0, 0, 0);
	}
}

void syscall_dispatch(struct thread *self, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	struct cpu *cpu = arch_this_cpu();
	struct syscall c UNINITIALIZED;
	status_t st = RUN;

	cpu_run_begin(cpu, (unsigned)number);
	c.self = self;
	c.arg = arg;
	c.out[0] = c.out[1] = c.out[2] = 0;
	if (UNLIKELY(number >= ARRAY_LEN(lines)) || UNLIKELY(lines[number].handler == NULL) ||
	    UNLIKELY(self->work != 0))
		st = run_other(&c, number);
	if (LIKELY(st == RUN)) {
		cpu_count_up(&cpu->counters.calls[number]);
		st = run(&c, &lines[number]);
	}
	spin_assert_none_held();
	if (LIKELY(st == ST_OK))
		arch_thread_result(&self->arch, ST_OK, c.out[0], c.out[1], c.out[2]);
	else
		finish_other(&c, number, st);
}
