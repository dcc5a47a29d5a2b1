/* SPDX-License-Identifier: MIT */
#include "play.h"
#include "vm.h"
#include <core/guest.h>
#include <core/user.h>
#include <test/test.h>
#include <string.h>

#define GUEST_VA 0x400000ull

static struct actor *worker, *boss;
static cap_t half, guest, state, memory; /* in `home` */
static struct arch_registers *regs;      /* in the state page */
static struct guest_exit *done;

/* A guest half with a page, for everything. */
static cap_t make_guest(void)
{
	cap_t as = vm_aspace(quota_root, ASPACE_GUEST, half);

	(void)vm_map(as, memory, GUEST_VA, 4, MAP_READ | MAP_WRITE | MAP_EXEC);
	return as;
}

static struct cap_ref of_home(cap_t handle, enum object_type type)
{
	struct cap_ref ref;

	if (cap_find(home, handle, type, 0, &ref) != ST_OK)
		panic("no such handle");
	return ref;
}

static struct thread_config serving(cap_t as, cap_t page)
{
	return (struct thread_config){
		.serves = true,
		.guest = of_home(as, OBJ_ASPACE),
		.state = of_home(page, OBJ_MEMORY),
		.fix_up_from = 0x1000,
		.fix_up_to = 0x2000,
	};
}

static status_t bind(const struct thread_config *c)
{
	struct cap_ref self = ref_of(worker, worker->thread);
	status_t st;

	if (thread_state(worker->t) != THREAD_STOPPED && !play_until(worker))
		return ST_UNSUPPORTED;
	do {
		st = thread_configure(&self, c);
		host_user_mode();
	} while (st == ST_LATER);
	return st;
}

static void begin(void)
{
	play_boot(1);
	half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);
	memory = vm_memory(quota_root, 4, MEMORY_ANON);
	state = vm_memory(quota_root, 1, MEMORY_ANON);
	guest = make_guest();
	boss = actor_make(NULL, 10);
	play_live_in(half);
	worker = actor_make(NULL, 10);
	struct thread_config c = serving(guest, state);
	if (bind(&c) != ST_OK)
		panic("no guest");
	regs = worker->t->arch.guest;
	done = (struct guest_exit *)((uintptr_t)regs + GUEST_EXIT);
	actor_resume(worker);
}

static paddr_t root_of(cap_t as, enum pagetable_which which)
{
	return vm_space(as)->table.root[which].pa;
}

/* The worker enters, and is in guest mode afterwards; or it is not, and has a result. */
static bool enters(void)
{
	uint64_t before = worker->t->arch.results;

	(void)play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0);
	return worker->t->arch.in_guest && worker->t->arch.results == before &&
	       host_user_root() == root_of(guest, ROOT_GUEST);
}

static bool came_back(status_t st)
{
	status_t got;

	return actor_woke(worker, &got) && got == st && !worker->t->arch.in_guest;
}

TEST(guest_makes_a_system_call)
{
	begin();
	for (unsigned i = 0; i < 4; i++) { /* the first goes the ordinary way */
		*regs = (struct arch_registers){ 0x1000 + i, 0x2000 };
		CHECK(enters());
		CHECK(worker->t->arch.inside.pc == 0x1000 + i);
		worker->t->arch.inside = (struct arch_registers){ 0x3000 + i, 0x4000 };
		done->reason = 77;
		guest_called();
		CHECK(came_back(ST_OK) && done->reason == GUEST_SYSCALL);
		CHECK(regs->pc == 0x3000 + i && regs->sp == 0x4000);
		CHECK(play_user() == worker && host_user_root() == root_of(guest, ROOT_MAIN));
	}
	CHECK(cpu_boot.counters.calls[SYS_guest_enter] == 4);
}

/* Both ways find the same wrong. */
TEST(guest_state_is_checked)
{
	begin();
	for (unsigned i = 0; i < 4; i++) {
		*regs = (struct arch_registers){ ARCH_USER_END, 0 };
		CHECK(play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0) == ST_BAD_ARG);
		CHECK(!worker->t->arch.in_guest && regs->pc == ARCH_USER_END);
		CHECK(host_user_root() == root_of(guest, ROOT_MAIN));
		*regs = (struct arch_registers){ 0x1000, 0 };
		CHECK(enters());
		/* What the page says now is nobody's business. */
		regs->pc = UINT64_MAX;
		guest_called();
		CHECK(came_back(ST_OK) && regs->pc == 0x1000);
	}
}

TEST(guest_enters_by_a_capability_that_stands)
{
	begin();
	cap_t copy = give(worker, worker->thread, worker, RIGHTS_ALL, 0);
	cap_t weak = give(worker, worker->thread, worker, RIGHT_UNPARK, 0);
	CHECK(play_act(worker, SYS_guest_enter, weak, 0, 0, 0) == ST_NO_RIGHT);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(play_act(worker, SYS_guest_enter, copy, 0, 0, 0) == ST_BLOCKED);
		guest_called();
		CHECK(came_back(ST_OK));
	}
	/* Neither the slot nor its next tenant will do. */
	CHECK(do_drop(worker->cspace, copy) == ST_OK);
	CHECK(play_act(worker, SYS_guest_enter, copy, 0, 0, 0) == ST_BAD_CAP);
	cap_t next = give(worker, worker->thread, worker, RIGHTS_ALL, 0);
	CHECK((uint32_t)next == (uint32_t)copy && next != copy);
	CHECK(play_act(worker, SYS_guest_enter, copy, 0, 0, 0) == ST_BAD_CAP);
	CHECK(play_act(worker, SYS_guest_enter, next, 0, 0, 0) == ST_BLOCKED);
	CHECK(worker->t->arch.in_guest);
}

/* ---- faults ---- */

static const struct msg_fault report = { .kind = FAULT_MEMORY, .address = 0x1234, .pc = 0x99 };

TEST(guest_faults)
{
	begin();
	CHECK(enters());
	worker->t->arch.inside.pc = 0x99;
	thread_fault(worker->t, &report);
	CHECK(came_back(ST_OK) && done->reason == GUEST_FAULT && regs->pc == 0x99);
	CHECK(memcmp(&done->fault, &report, sizeof(report)) == 0);
	CHECK(play_user() == worker && host_user_root() == root_of(guest, ROOT_MAIN));
}

TEST(guest_memory_and_who_may_do_what)
{
	begin();
	struct thread *t = worker->t;
	cap_t own = vm_memory(quota_root, 1, MEMORY_ANON);
	const unsigned rx = MAP_READ | MAP_EXEC;
	CHECK(vm_map(half, own, ARCH_PERSONALITY, 1, rx) == ST_OK);
	/* The personality: all, but the guest's code. */
	CHECK(user_fault(t, GUEST_VA, FAULT_READ) == ST_OK);
	CHECK(user_fault(t, GUEST_VA, FAULT_WRITE) == ST_OK);
	CHECK(user_fault(t, GUEST_VA, FAULT_EXEC) == ST_NO_RIGHT);
	CHECK(user_fault(t, ARCH_PERSONALITY, FAULT_EXEC) == ST_OK);
	CHECK(user_fault(t, ARCH_PERSONALITY, FAULT_WRITE) == ST_NO_RIGHT);
	/* The guest: its own. */
	CHECK(enters());
	CHECK(user_fault(t, GUEST_VA, FAULT_EXEC) == ST_OK);
	CHECK(user_fault(t, ARCH_PERSONALITY, FAULT_READ) == ST_BAD_ADDRESS);
	CHECK(user_fault(t, ARCH_USER_END, FAULT_READ) == ST_BAD_ADDRESS);
}

TEST(fix_up_goes_on_behind_the_range)
{
	struct arch_thread *a;

	begin();
	a = &worker->t->arch;
	for (uint64_t pc = 0xfff; pc <= 0x2000; pc += pc == 0xfff ? 1 : 0x7ff) {
		struct msg_fault f = { .kind = FAULT_MEMORY, .address = 0x77, .pc = pc };
		bool in = pc >= 0x1000 && pc < 0x2000;
		a->pc = pc;
		CHECK(guest_fault(worker->t, &f) == in);
		CHECK(a->pc == (in ? 0x2000 : pc) && (!in || a->result[1] == 0x77));
		f.kind = FAULT_PROTECTION;
		CHECK(guest_fault(worker->t, &f) == in);
		f.kind = FAULT_INSTRUCTION;
		CHECK(!guest_fault(worker->t, &f));
	}
}

/* ---- kicks ---- */

TEST(kick_ends_guest_mode)
{
	begin();
	for (unsigned i = 0; i < 6; i++) {
		regs->pc = 0x1000;
		if (i % 3 == 0) /* before */
			thread_kick(worker->t);
		CHECK(enters() == (i % 3 != 0));
		if (i % 3 == 1) { /* meanwhile */
			thread_kick(worker->t);
			CHECK(play_user() == worker);
		} else if (i % 3 == 2) { /* it has come back just now */
			guest_called();
			CHECK(came_back(ST_OK) && done->reason == GUEST_SYSCALL);
			thread_kick(worker->t);
			CHECK(play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0) == ST_OK);
		}
		CHECK(!worker->t->arch.in_guest && worker->t->arch.result[0] == ST_OK);
		CHECK(done->reason == GUEST_KICK && regs->pc == 0x1000);
		CHECK(host_user_root() == root_of(guest, ROOT_MAIN));
		CHECK(!(thread_flags(worker->t) & THREAD_KICKED));
		worker->seen = worker->t->arch.results;
	}
}

/* A guest that is interrupted is gone on with on its own root, whatever ran meanwhile. */
TEST(guest_is_gone_on_with)
{
	begin();
	actor_resume(boss);
	CHECK(enters());
	CHECK(play_act(boss, SYS_quota_read, 0, 0, 0, 0) == ST_BAD_CAP); /* runs */
	CHECK(host_user_root() != root_of(guest, ROOT_GUEST));
	CHECK(play_until(worker) && worker->t->arch.in_guest);
	CHECK(host_user_root() == root_of(guest, ROOT_GUEST));
	/* Kicked while it did not run. */
	CHECK(play_act(boss, SYS_quota_read, 0, 0, 0, 0) == ST_BAD_CAP);
	thread_kick(worker->t);
	CHECK(worker->t->arch.in_guest && play_until(worker));
	CHECK(came_back(ST_OK) && done->reason == GUEST_KICK);
	CHECK(host_user_root() == root_of(guest, ROOT_MAIN));
}

/* ---- binding ---- */

TEST(guest_binding_is_checked)
{
	begin();
	cap_t other_half = vm_aspace(quota_root, ASPACE_PERSONALITY, CAP_NONE);
	cap_t other = vm_aspace(quota_root, ASPACE_GUEST, other_half);
	cap_t plain = vm_aspace(quota_root, ASPACE_PLAIN, CAP_NONE);
	const cap_t wrong[] = { other, plain, half, other_half };
	struct thread_config c;

	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		c = serving(wrong[i], state);
		CHECK(bind(&c) == ST_BAD_ARG);
	}
	c = serving(guest, state);
	c.state_page = 1;
	CHECK(bind(&c) == ST_BAD_ARG);
	c = serving(guest, state);
	c.guest.object = NULL;
	CHECK(bind(&c) == ST_BAD_ARG);
	c = serving(guest, state);
	c.state.object = NULL;
	CHECK(bind(&c) == ST_BAD_ARG);
	c = serving(guest, state);
	c.fix_up_from = c.fix_up_to + 1;
	CHECK(bind(&c) == ST_BAD_ARG);
	c = serving(guest, state);
	c.fix_up_to = ARCH_USER_END;
	CHECK(bind(&c) == ST_BAD_ARG);
	/* It is as it was. */
	CHECK(worker->t->fix_up_from == 0x1000 && worker->t->arch.guest == regs && enters());
	c = serving(guest, state);
	CHECK(bind(&c) == ST_BAD_STATE); /* not in guest mode */
	guest_called();
	CHECK(bind(&c) == ST_OK && enters());
}

TEST(guest_page_is_pinned_while_it_is_bound)
{
	begin();
	struct thread_config none = { .serves = true };
	CHECK(vm_seal(state) == ST_BAD_STATE && vm_memory_ok(state));
	CHECK(vm_decommit(state, 0, 1) != ST_OK);
	CHECK(bind(&none) == ST_OK && worker->t->arch.guest == NULL);
	CHECK(worker->t->aspace == vm_space(half));
	CHECK(play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0) == ST_BAD_STATE);
	CHECK(vm_memory_ok(state) && vm_seal(state) == ST_OK);
	struct thread_config sealed = serving(guest, state);
	CHECK(bind(&sealed) == ST_BAD_STATE && worker->t->arch.guest == NULL);
}

TEST(guest_is_bound_all_or_nothing)
{
	begin();
	cap_t other = make_guest();
	cap_t page = vm_memory(quota_root, 1, MEMORY_ANON);
	struct thread_config c = serving(other, page);
	struct cap_ref self = ref_of(worker, worker->thread);
	int64_t step = 0;

	for (;; step++) {
		CHECK(play_until(worker));
		host_fail_step(step);
		status_t st = thread_configure(&self, &c);
		host_fail_step(-1);
		if (st == ST_OK)
			break;
		CHECK(st == ST_NO_MEMORY);
		CHECK(worker->t->aspace == vm_space(guest) && worker->t->arch.guest == regs);
		CHECK(vm_memory_ok(page) && vm_memory_ok(state) && enters());
		guest_called();
		CHECK(came_back(ST_OK));
	}
	CHECK(step > 0 && worker->t->aspace == vm_space(other));
	CHECK(worker->t->arch.guest != regs && vm_seal(state) == ST_OK);
}

/* ---- what is taken away ---- */

enum where { OWN_CODE, INSIDE, INTERRUPTED, STOPPED };

/* The worker has entered, or not, and is where it is to be. */
static bool put(enum where at)
{
	bool ok = at == OWN_CODE ? play_until(worker) : enters();

	if (at == INTERRUPTED) {
		ok = ok && play_act(boss, SYS_quota_read, 0, 0, 0, 0) == ST_BAD_CAP;
	} else if (at == STOPPED) {
		spin_lock(&worker->t->obj.lock);
		ok = thread_suspend(worker->t) == ST_OK && ok && play_user() != worker;
	}
	return ok;
}

/* Destroys the guest half, or revokes the page, until that is done. */
static void take_away(bool page)
{
	uint64_t ticket = page ? 0 : do_kill(&vm_space(guest)->obj);

	for (unsigned i = 0; i < 100; i++) {
		(void)play_user();
		if (page ? do_revoke_some(home, state) == ST_OK : object_destroy_some(ticket))
			return;
	}
	panic("it does not go");
}

static void take_away_at(enum where at, bool page)
{
	begin();
	actor_resume(boss);
	CHECK(put(at));
	take_away(page);
	/* Where the CPU was in user mode, it is not any more. */
	CHECK(at != INSIDE || !worker->t->arch.in_guest);
	if (at == STOPPED)
		actor_resume(worker);
	CHECK(play_until(worker) && !worker->t->arch.in_guest);
	CHECK(at == OWN_CODE || came_back(ST_PEER_GONE));
	CHECK(worker->t->arch.guest == NULL && worker->t->aspace == vm_space(half));
	CHECK(host_user_root() == root_of(half, ROOT_MAIN));
	CHECK(!(thread_flags(worker->t) & THREAD_CUT_OFF));
	CHECK(play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0) == ST_BAD_STATE);
	/* The page of a guest that is gone stays bound. */
	CHECK(vm_memory_ok(state) && vm_seal(state) == (page ? ST_OK : ST_BAD_STATE));
}

TEST(guest_half_is_destroyed_under_own_code)
{
	take_away_at(OWN_CODE, false);
}

TEST(guest_half_is_destroyed_in_guest_mode)
{
	take_away_at(INSIDE, false);
}

TEST(guest_half_is_destroyed_while_interrupted)
{
	take_away_at(INTERRUPTED, false);
}

TEST(guest_half_is_destroyed_while_stopped)
{
	take_away_at(STOPPED, false);
}

TEST(guest_page_is_revoked_under_own_code)
{
	take_away_at(OWN_CODE, true);
}

TEST(guest_page_is_revoked_in_guest_mode)
{
	take_away_at(INSIDE, true);
}

TEST(guest_page_is_revoked_while_interrupted)
{
	take_away_at(INTERRUPTED, true);
}

TEST(guest_page_is_revoked_while_stopped)
{
	take_away_at(STOPPED, true);
}

/* The capability that the guest was made with is revoked: it has no half any more. */
static void lose_half_at(enum where at)
{
	cap_t lent, own;

	begin();
	actor_resume(boss);
	own = vm_memory(quota_root, 1, MEMORY_ANON);
	CHECK(vm_map(half, own, ARCH_PERSONALITY, 1, MAP_READ | MAP_EXEC) == ST_OK);
	CHECK(do_derive(home, home, half, RIGHTS_ALL, 0, &lent) == ST_OK);
	cap_t first = half;
	half = lent;
	guest = make_guest();
	half = first;
	struct thread_config c = serving(guest, vm_memory(quota_root, 1, MEMORY_ANON));
	CHECK(bind(&c) == ST_OK);
	regs = worker->t->arch.guest;
	regs->pc = 0x1000;
	CHECK(put(at) && do_revoke(home, lent) == ST_OK);
	if (at == INSIDE) { /* the program does not notice */
		CHECK(worker->t->arch.in_guest &&
		      user_fault(worker->t, GUEST_VA, FAULT_READ) == ST_OK);
		guest_called();
		CHECK(came_back(ST_OK) && worker->t->aspace == vm_space(guest));
	}
	CHECK(user_fault(worker->t, ARCH_PERSONALITY, FAULT_EXEC) == ST_OK);
	CHECK(worker->t->arch.guest == NULL && worker->t->aspace == vm_space(half));
	CHECK(host_user_root() == root_of(half, ROOT_MAIN));
	CHECK(user_fault(worker->t, GUEST_VA, FAULT_READ) == ST_BAD_ADDRESS);
	CHECK(play_act(worker, SYS_guest_enter, worker->thread, 0, 0, 0) == ST_BAD_STATE);
	CHECK(bind(&c) == ST_BAD_ARG);
	c.guest = of_home(make_guest(), OBJ_ASPACE);
	CHECK(bind(&c) == ST_OK && vm_aspace_ok(guest) && vm_aspace_ok(half));
}

TEST(guest_loses_its_half_under_own_code)
{
	lose_half_at(OWN_CODE);
}

TEST(guest_loses_its_half_in_guest_mode)
{
	lose_half_at(INSIDE);
}

TEST(guest_page_has_to_be_readable)
{
	cap_t weak;

	begin();
	CHECK(do_derive(home, home, state, RIGHT_WRITE | RIGHT_MAP, 0, &weak) == ST_OK);
	struct thread_config c = serving(guest, weak);
	CHECK(bind(&c) == ST_NO_RIGHT && worker->t->arch.guest == regs && enters());
}

TEST(guest_thread_dies_in_guest_mode)
{
	begin();
	actor_resume(boss);
	CHECK(enters());
	cap_t victim = give(worker, worker->thread, boss, RIGHTS_ALL, 0);
	CHECK(act_destroy(boss, victim) == ST_OK);
	CHECK(vm_memory_ok(state) && vm_seal(state) == ST_OK);
	CHECK(vm_aspace_ok(guest) && vm_aspace_ok(half));
}

/* It is bound anew in the middle of a cut: the next one waits for a grace period of its own. */
TEST(guest_is_bound_anew_while_it_is_cut)
{
	begin();
	actor_resume(boss);
	CHECK(put(OWN_CODE));
	uint64_t ticket = do_kill(&vm_space(guest)->obj);
	for (unsigned i = 0; i < 100 && worker->t->guest_ticket == 0; i++)
		CHECK(!object_destroy_some(ticket));
	CHECK(worker->t->guest_ticket != 0);
	struct thread_config c = serving(make_guest(), vm_memory(quota_root, 1, MEMORY_ANON));
	CHECK(play_until(worker) && bind(&c) == ST_OK);
	CHECK(worker->t->guest_ticket == 0 && worker->t->arch.guest != NULL);
}
