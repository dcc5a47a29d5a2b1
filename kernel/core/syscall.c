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
	const char *name;
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
	[nr] = { #name,                                                                            \
		 sys_##name,                                                                       \
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

const char *syscall_name(uint64_t number)
{
	return number < ARRAY_LEN(lines) ? lines[number].name : NULL;
}

static status_t find_all(struct syscall *c, const struct syscall_line *line)
{
	const struct cspace *cs = atomic_load_explicit(&c->self->cspace, memory_order_relaxed);

	for (unsigned i = 0; i < line->caps; i++) {
		const struct syscall_cap *need = &line->cap[i];

		c->cap[i].object = NULL;
		if (need->optional && c->arg[i] == CAP_NONE)
			continue;
		status_t st = cap_find(cs, c->arg[i], need->type, need->right, &c->cap[i]);
		if (UNLIKELY(st != ST_OK))
			return st;
	}
	return ST_OK;
}

UNCHECKED_LOCKS static inline status_t run(struct syscall *c, const struct syscall_line *line)
{
	status_t st = find_all(c, line);

	if (LIKELY(st == ST_OK) && line->mode != CHECKED)
		st = cap_ref_lock(&c->cap[0]);
	if (UNLIKELY(st != ST_OK))
		return st;
	st = line->handler(c);
	if (line->mode == HELD)
		spin_unlock(&c->cap[0].object->lock);
	return st;
}

void syscall_dispatch(struct thread *self, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	struct cpu *cpu = arch_this_cpu();
	struct cpu_counters *counters = &cpu->counters;
	struct syscall c UNINITIALIZED;
	status_t st = ST_BAD_SYSCALL;

	cpu_run_begin(cpu, (unsigned)number);
	c.self = self;
	c.arg = arg;
	c.out[0] = c.out[1] = c.out[2] = 0;
	if (UNLIKELY(self->work != 0) && sys_work_goes_on(self, number, &st)) {
		/* It went on with what it did before. */
	} else if (LIKELY(number < ARRAY_LEN(lines) && lines[number].handler != NULL)) {
		cpu_count_up(&counters->calls[number]);
		st = run(&c, &lines[number]);
	}
	spin_assert_none_held();
	if (LIKELY(st == ST_OK)) {
		arch_thread_result(&self->arch, ST_OK, c.out[0], c.out[1], c.out[2]);
	} else if (st == ST_BLOCKED) {
		thread_blocked(self);
	} else if (st == ST_LATER) {
		arch_thread_restart(&self->arch, number, arg);
	} else if (st != SYSCALL_DONE) {
		cpu_count_up(&counters->refused);
		arch_thread_result(&self->arch, st, 0, 0, 0);
	}
}
