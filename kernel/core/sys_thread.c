/* SPDX-License-Identifier: MIT */
/* Calls on threads and scheds. */
#include <core/sched.h>
#include <core/sys_cap.h>
#include <core/user.h>

static struct thread *thread_of(const struct cap_ref *ref)
{
	return container_of(ref->object, struct thread, obj);
}

static struct sched *sched_at(const struct cap_ref *ref)
{
	return container_of(ref->object, struct sched, obj);
}

/* ---- threads ---- */

status_t sys_thread_create(struct syscall *c)
{
	struct thread *t;
	status_t st = thread_create(sys_payer(c), &c->cap[1], &c->cap[2], &t);

	return st != ST_OK ? st : sys_publish(c, &t->obj);
}

status_t sys_thread_configure(struct syscall *c)
{
	struct thread_config config = {
		.sched = c->cap[1],
		.fault = c->cap[2],
		.notification = c->cap[3],
		.block = c->cap[4],
		.block_offset = c->arg[5],
	};

	return thread_configure(&c->cap[0], &config);
}

/* Locks what guards a thread that does not run, so that its registers stay where they are; the
 * tree lock of the thread is held. ST_BAD_STATE: it runs or is ready. */
MUST_CHECK UNCHECKED_LOCKS static status_t registers_lock(const struct thread *t,
							  struct object **where)
{
	uintptr_t place = t->place;

	if (thread_state_of(place) >= THREAD_READY)
		return ST_BAD_STATE;
	*where = thread_where(place);
	spin_lock(&(*where)->lock);
	if (t->place == place && !thread_is_loaded(t))
		return ST_OK;
	spin_unlock(&(*where)->lock);
	return ST_LATER;
}

UNCHECKED_LOCKS
static status_t registers_access(const struct cap_ref *ref, struct arch_registers *r, bool write)
{
	struct thread *t = thread_of(ref);
	struct object *where;
	status_t st = ST_BAD_CAP;

	spin_lock(&t->obj.tree);
	if (cap_still(ref))
		st = registers_lock(t, &where);
	if (st == ST_OK) {
		/* Who waits in a call will be given results: nothing of his is written. */
		bool waits =
			thread_state(t) != THREAD_STOPPED && !(thread_flags(t) & THREAD_FAULTED);
		if (!write)
			arch_thread_get(&t->arch, r);
		else
			st = waits ? ST_BAD_STATE : arch_thread_set(&t->arch, r);
		spin_unlock(&where->lock);
	}
	spin_unlock(&t->obj.tree);
	return st;
}

status_t sys_thread_write_registers(struct syscall *c)
{
	struct arch_registers r;

	status_t st = user_copy_in(c->self, &r, c->arg[1], sizeof(r));

	return st != ST_OK ? st : registers_access(&c->cap[0], &r, true);
}

status_t sys_thread_read_registers(struct syscall *c)
{
	struct arch_registers r;
	status_t st = registers_access(&c->cap[0], &r, false);

	return st != ST_OK ? st : user_copy_out(c->self, c->arg[1], &r, sizeof(r));
}

UNCHECKED_LOCKS status_t sys_thread_resume(struct syscall *c)
{
	thread_resume(thread_of(&c->cap[0]));
	return ST_OK;
}

UNCHECKED_LOCKS status_t sys_thread_suspend(struct syscall *c)
{
	return thread_suspend(thread_of(&c->cap[0]));
}

status_t sys_thread_yield(struct syscall *c)
{
	if (thread_of(&c->cap[0]) != c->self)
		return ST_BAD_ARG;
	sched_yield_turn();
	return ST_OK;
}

status_t sys_thread_park(struct syscall *c)
{
	if (thread_of(&c->cap[0]) != c->self)
		return ST_BAD_ARG;
	return thread_park(c->self, c->arg[1]);
}

UNCHECKED_LOCKS status_t sys_thread_unpark(struct syscall *c)
{
	thread_unpark(thread_of(&c->cap[0]));
	return ST_OK;
}

status_t sys_thread_kick(struct syscall *c)
{
	thread_kick(thread_of(&c->cap[0]));
	return ST_OK;
}

/* ---- scheds ---- */

status_t sys_sched_create(struct syscall *c)
{
	struct sched *s;
	status_t st = sched_create(sys_payer(c), sched_at(&c->cap[1]), &s);

	return st != ST_OK ? st : sys_publish(c, &s->obj);
}

status_t sys_sched_configure(struct syscall *c)
{
	struct sched_params p = {
		.priority = (uint32_t)c->arg[1],
		.weight = (uint32_t)(c->arg[1] >> 32),
		.budget = c->arg[2],
		.period = c->arg[3],
		.cpus = c->arg[4],
	};

	return sched_configure(sched_at(&c->cap[0]), &p, &c->cap[0]);
}

status_t sys_sched_read(struct syscall *c)
{
	const struct sched *s = sched_at(&c->cap[0]);

	c->out[0] = sched_spent(s);
	c->out[1] = s->priority | (uint64_t)s->weight << 32;
	c->out[2] = (uint64_t)s->pool;
	return ST_OK;
}
