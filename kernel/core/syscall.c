/* SPDX-License-Identifier: MIT */
#include <core/syscall.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/thread.h>

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

#define SYSCALL(nr, name, mode, caps) syscall_fn sys_##name;
#include <abi/syscall.def>
#undef SYSCALL

static const struct syscall_line lines[] = {
#define SYSCALL(nr, name, how, list)                                                               \
	[nr] = { #name, sys_##name, how,                                                           \
	         sizeof((const struct syscall_cap[]){ list }) / sizeof(struct syscall_cap),        \
	         { list } },
#include <abi/syscall.def>
#undef SYSCALL
};

_Static_assert(ARRAY_LEN(lines) <= 64, "at most 64 system calls");

const char *syscall_name(uint64_t number)
{
	return number < ARRAY_LEN(lines) ? lines[number].name : NULL;
}

/* --- capabilities of a line --- */

static bool lock_before(const struct object *a, const struct object *b)
{
	return a->lock.rank != b->lock.rank ? a->lock.rank < b->lock.rank : a < b;
}

/* The objects of `c` without repeats, in the order in which they are locked. */
static unsigned lock_list(const struct syscall *c, unsigned caps, struct object **list)
{
	unsigned n = 0;

	for (unsigned i = 0; i < caps; i++) {
		struct object *o = c->cap[i].object;
		unsigned at = n;

		if (o == NULL)
			continue;
		while (at > 0 && lock_before(o, list[at - 1]))
			at--;
		if (at > 0 && list[at - 1] == o)
			continue;
		for (unsigned j = n; j > at; j--)
			list[j] = list[j - 1];
		list[at] = o;
		n++;
	}
	return n;
}

static void unlock_list(struct object *const *list, unsigned n) UNCHECKED_LOCKS
{
	while (n > 0)
		spin_unlock(&list[--n]->lock);
}

static status_t lock_all(const struct syscall *c, unsigned caps, struct object **list,
                         unsigned *n) UNCHECKED_LOCKS
{
	*n = lock_list(c, caps, list);
	for (unsigned i = 0; i < *n; i++) {
		if (i > 0 && list[i]->lock.rank == list[i - 1]->lock.rank)
			spin_lock_second(&list[i]->lock);
		else
			spin_lock(&list[i]->lock);
	}
	for (unsigned i = 0; i < caps; i++) {
		if (c->cap[i].object != NULL && !cap_still(&c->cap[i])) {
			unlock_list(list, *n);
			return ST_BAD_CAP;
		}
	}
	return ST_OK;
}

static status_t find_all(struct syscall *c, const struct syscall_line *line)
{
	for (unsigned i = 0; i < line->caps; i++) {
		const struct syscall_cap *need = &line->cap[i];

		c->cap[i].object = NULL;
		if (need->optional && c->arg[i] == CAP_NONE)
			continue;
		status_t st = cap_find(c->self->cspace, c->arg[i], need->type, need->right,
		                       &c->cap[i]);
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

static status_t run(struct syscall *c, const struct syscall_line *line) UNCHECKED_LOCKS
{
	struct object *list[SYSCALL_CAPS];
	unsigned n;

	status_t st = find_all(c, line);
	if (st != ST_OK)
		return st;
	st = lock_all(c, line->caps, list, &n);
	if (st != ST_OK)
		return st;
	if (line->mode == CHECKED)
		unlock_list(list, n);
	st = line->handler(c);
	if (line->mode == HELD)
		unlock_list(list, n);
	return st;
}

void syscall_dispatch(struct thread *self, uint64_t number, const uint64_t arg[SYSCALL_ARGS])
{
	struct cpu_counters *counters = &arch_this_cpu()->counters;
	struct syscall c;
	status_t st = ST_BAD_SYSCALL;

	c.self = self;
	c.out[0] = c.out[1] = c.out[2] = 0;
	if (LIKELY(number < ARRAY_LEN(lines) && lines[number].handler != NULL)) {
		for (unsigned i = 0; i < SYSCALL_ARGS; i++)
			c.arg[i] = arg[i];
		counters->calls[number]++;
		st = run(&c, &lines[number]);
	}
	spin_assert_none_held();
	if (st == ST_BLOCKED || st == SYSCALL_DONE)
		return;
	if (st == ST_LATER) {
		arch_thread_restart(&self->arch);
		return;
	}
	if (UNLIKELY(st < 0))
		counters->refused++;
	arch_thread_result(&self->arch, st, c.out[0], c.out[1], c.out[2]);
}
