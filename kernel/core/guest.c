/* SPDX-License-Identifier: MIT */
#include <core/guest.h>
#include <core/aspace.h>
#include <core/grace.h>
#include <core/syscall.h>

_Static_assert(sizeof(struct arch_registers) <= GUEST_EXIT &&
		       GUEST_EXIT + sizeof(struct guest_exit) <= FRAME_SIZE,
	       "a state page has both");

syscall_fn sys_thread_set_guest, sys_guest_enter;

static struct guest_exit *exit_of(const struct thread *t)
{
	return (struct guest_exit *)((uintptr_t)t->arch.guest + GUEST_EXIT);
}

static bool take_flag(struct thread *t, uint32_t flag)
{
	return (thread_flags(t) & flag) && (atomic_fetch_and(&t->flags, ~flag) & flag);
}

/* ---- binding ---- */

static struct aspace *guest_of(const struct thread_config *c)
{
	return container_of(c->guest.object, struct aspace, obj);
}

bool guest_fits(const struct thread *t, const struct thread_config *c)
{
	return c->fix_up_from <= c->fix_up_to && c->fix_up_to < ARCH_USER_END &&
	       (c->guest.object == NULL) == (c->state.object == NULL) &&
	       (c->guest.object == NULL ||
		atomic_load(&guest_of(c)->table.half) == &t->own_aspace->table);
}

void guest_set(struct thread *t, const struct thread_config *c, struct arch_registers *state)
{
	struct cpu *cpu = arch_this_cpu();
	struct aspace *as = state != NULL ? guest_of(c) : t->own_aspace;

	atomic_fetch_and(&t->flags, ~THREAD_CUT_OFF);
	t->guest_ticket = 0; /* of a cut that this overtakes */
	atomic_store_explicit(&t->aspace, as, memory_order_release);
	t->arch.guest = state;
	t->fix_up_from = c->fix_up_from;
	t->fix_up_to = c->fix_up_to;
	if (atomic_load_explicit(&cpu->current, memory_order_relaxed) == t)
		pagetable_switch(&cpu->tables, &as->table, cpu->bit);
}

bool guest_take_away(struct thread *t)
{
	if (atomic_load_explicit(&t->aspace, memory_order_relaxed) != t->own_aspace) {
		atomic_store(&t->aspace, t->own_aspace);
		atomic_fetch_or(&t->flags, THREAD_CUT_OFF);
	}
	/* Who was in the kernel may have read the old one. */
	if (!grace_passed(&t->guest_ticket))
		return false;
	if ((thread_flags(t) & THREAD_CUT_OFF) &&
	    (thread_state(t) == THREAD_RUNNING || thread_is_loaded(t))) {
		cpu_resched(atomic_load_explicit(&t->loaded_on, memory_order_relaxed));
		return false;
	}
	t->guest_ticket = 0;
	return true;
}

status_t sys_thread_set_guest(struct syscall *c)
{
	const struct thread_config config = {
		.serves = true,
		.guest = c->cap[1],
		.state = c->cap[2],
		.state_page = c->arg[3],
		.fix_up_from = c->arg[4],
		.fix_up_to = c->arg[5],
	};

	return thread_configure(&c->cap[0], &config);
}

/* ---- out of guest mode, and back ---- */

/* The running thread goes on with its own code, on its own or the joint root. */
static void leave(struct thread *t, enum guest_reason reason, const struct msg_fault *f)
{
	struct cpu *c = arch_this_cpu();
	struct aspace *as = atomic_load_explicit(&t->aspace, memory_order_acquire);
	bool is_cut = as == t->own_aspace;

	(void)take_flag(t, THREAD_CUT_OFF);
	if (arch_thread_in_guest(&t->arch)) {
		arch_guest_leave(&t->arch, !is_cut);
		arch_thread_result(&t->arch, is_cut ? ST_PEER_GONE : ST_OK, 0, 0, 0);
	}
	if (is_cut) {
		t->arch.guest = NULL;
	} else {
		exit_of(t)->reason = reason;
		if (f != NULL)
			exit_of(t)->fault = *f;
	}
	pagetable_switch(&c->tables, &as->table, c->bit);
}

void guest_lose(struct thread *self)
{
	atomic_store(&self->aspace, self->own_aspace);
	leave(self, GUEST_KICK, NULL);
}

void guest_resume(struct thread *t)
{
	/* Between its state and its flags, as who sets one looks at the other. */
	atomic_thread_fence(memory_order_seq_cst);
	bool inside = arch_thread_in_guest(&t->arch);
	struct aspace *as = atomic_load_explicit(&t->aspace, memory_order_acquire);

	if (as == t->own_aspace || (inside && take_flag(t, THREAD_KICKED)))
		leave(t, GUEST_KICK, NULL);
	else if (inside && arch_this_cpu()->tables.root != as->table.root[ROOT_GUEST].pa)
		pagetable_load(&as->table, ROOT_GUEST);
}

bool guest_fault(struct thread *self, const struct msg_fault *f)
{
	if (arch_thread_in_guest(&self->arch)) {
		leave(self, GUEST_FAULT, f);
		return true;
	}
	if ((f->kind != FAULT_MEMORY && f->kind != FAULT_PROTECTION) ||
	    f->pc - self->fix_up_from >= self->fix_up_to - self->fix_up_from)
		return false;
	arch_thread_jump(&self->arch, self->fix_up_to, f->address);
	return true;
}

/* ---- the ordinary way in ---- */

status_t sys_guest_enter(struct syscall *c)
{
	struct pagetable_cpu *tables = &arch_this_cpu()->tables;
	struct thread *self = c->self;

	if (c->cap[0].object != &self->obj)
		return ST_BAD_ARG;
	/* Without a guest it runs on a space that has no second root. */
	if (tables->table->root[ROOT_GUEST].pa == 0 || (thread_flags(self) & THREAD_CUT_OFF))
		return ST_BAD_STATE;
	if (take_flag(self, THREAD_KICKED)) {
		exit_of(self)->reason = GUEST_KICK;
		return ST_OK;
	}
	status_t st = arch_guest_enter(&self->arch, exit_of(self)->reason == GUEST_SYSCALL);
	if (st != ST_OK)
		return st;
	if ((uint32_t)c->arg[0] < CSPACE_CHUNK) {
		self->entered.handle = c->arg[0];
		self->entered.gen = c->cap[0].gen;
		self->entered.slot = c->cap[0].slot;
		self->entered.token = c->cap[0].token;
	}
	pagetable_flip(tables, tables->table, ROOT_GUEST);
	return SYSCALL_DONE;
}
