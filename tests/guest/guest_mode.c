/* SPDX-License-Identifier: MIT */
/* Guest mode: a foreign program runs, comes back for every reason there is, and reaches nothing. */
#include "registers.h"
#include "sandbox.h"
#include <stdatomic.h>

#define SPINS 10000 /* that show that a program runs */

/* The word that foreign_spin counts in. */
static uint64_t count_of(const struct sandbox *s)
{
	return __atomic_load_n((uint64_t *)(void *)s->pages, __ATOMIC_RELAXED);
}

/* Lets a program count for ever; it runs on return. */
static void spin(struct sandbox *s)
{
	sandbox_begin(s, foreign_spin, FOREIGN, 0);
	sandbox_start(s, task_enter);
	while (count_of(s) < SPINS)
		yield();
}

/* Waits until the program has gone on. */
static void await_progress(const struct sandbox *s)
{
	uint64_t before = count_of(s);

	while (count_of(s) == before)
		yield();
}

static bool stands_still(const struct sandbox *s)
{
	uint64_t before = count_of(s);

	for (unsigned n = 0; n < 100 && count_of(s) == before; n++)
		yield();
	return count_of(s) == before;
}

static void stop(const struct sandbox *s)
{
	while (STATUS(thread_suspend, s->thread) != ST_OK)
		yield();
}

/* ---- what a program does ---- */

TEST(guest_mode_runs_a_foreign_program)
{
	static const char line[] = "Hello from a foreign program\n";
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 3; i++) {
		s.shared->written = 0;
		sandbox_begin(&s, foreign_hello, 0, 0);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->status == ST_OK && s.shared->result == GUEST_SYSCALL);
		CHECK(s.shared->enters == 3 && s.shared->exit == FOREIGN_PID);
		CHECK(s.shared->written == sizeof(line) - 1);
		CHECK(memcmp(s.shared->text, line, sizeof(line) - 1) == 0);
	}
}

TEST(guest_mode_keeps_all_registers)
{
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_registers, FOREIGN, 1000);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->status == ST_OK && s.shared->enters == 1001 && s.shared->exit == 1);
}

TEST(guest_mode_runs_what_it_has_written)
{
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_compiler, FOREIGN + MEMORY_PAGE, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->status == ST_OK && s.shared->exit == 1000 * 1001 / 2);
}

TEST(guest_mode_has_bases_of_its_own)
{
	uint64_t *page;
	struct sandbox s;

	sandbox_new(&s);
	page = (uint64_t *)(void *)s.pages;
	page[1] = 0x123;
	page[513] = 0x456;
	sandbox_begin(&s, foreign_bases, 0, 0);
	s.regs->fs_base = FOREIGN;
	s.regs->gs_base = FOREIGN + MEMORY_PAGE;
	sandbox_run(&s, task_serve);
	CHECK(s.shared->status == ST_OK && s.shared->exit == 0x12300000456);
	CHECK(s.regs->fs_base == FOREIGN && s.regs->gs_base == FOREIGN + MEMORY_PAGE);
	/* Its personality's are what they were, after one call and after many. */
	for (unsigned i = 0; i < 2; i++) {
		struct arch_registers own;
		CHECK(STATUS(thread_read_registers, s.thread, &own) == ST_OK);
		CHECK(own.fs_base == OWN_FS && own.gs_base == OWN_GS);
		sandbox_begin(&s, foreign_registers, FOREIGN, 10);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->exit == 1 && s.regs->fs_base == 0 && s.regs->gs_base == 0);
	}
	/* The program is interrupted. */
	memset(s.pages, 0, 8);
	sandbox_begin(&s, foreign_spin, FOREIGN, 0);
	s.regs->fs_base = FOREIGN;
	sandbox_start(&s, task_enter);
	while (count_of(&s) < SPINS)
		yield();
	stop(&s);
	struct arch_registers own;
	CHECK(STATUS(thread_read_registers, s.thread, &own) == ST_OK);
	CHECK(own.fs_base == OWN_FS && own.gs_base == OWN_GS);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	CHECK(STATUS(thread_resume, s.thread) == ST_OK);
	sandbox_await(&s);
	CHECK(s.regs->fs_base == FOREIGN && s.regs->gs_base == 0);
}

/* Both look at what the other has written, at the same addresses. */
TEST(guest_mode_memory_is_where_the_guest_has_it)
{
	uint64_t *word;
	struct sandbox s;

	sandbox_new(&s);
	word = (uint64_t *)(void *)(s.pages + 3 * MEMORY_PAGE);
	s.shared->arg[0] = FOREIGN + 3 * MEMORY_PAGE;
	s.shared->arg[1] = 0xabcdef;
	sandbox_run(&s, task_store);
	CHECK(s.shared->result == 0 && *word == 0xabcdef);
	sandbox_begin(&s, foreign_touch, FOREIGN + 3 * MEMORY_PAGE, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == 0xabcdef);
	*word = 77;
	sandbox_run(&s, task_load);
	CHECK(s.shared->result == 0 && s.shared->arg[1] == 77);
}

/* ---- what it can't reach ---- */

/* A touch of `va` ends guest mode with a fault that tells it. */
static bool touch_faults(struct sandbox *s, uint64_t va, bool write, enum fault_kind kind)
{
	const struct msg_fault *f = &s->exit->fault;

	sandbox_begin(s, foreign_touch, va, write);
	s->regs->rax = 5;
	sandbox_run(s, task_serve);
	return s->shared->status == ST_OK && s->shared->result == GUEST_FAULT &&
	       s->shared->enters == 1 && f->kind == kind && f->pc == s->regs->rip &&
	       s->regs->rip - (uint64_t)foreign_touch < 16 && s->regs->rdi == va &&
	       (kind != FAULT_MEMORY || f->address == va) && s->shared->exit == 0;
}

TEST(guest_mode_cannot_name_its_personality)
{
	static const uint64_t there[] = {
		PERSONALITY, PERSONALITY + 0x400000,      OWN_DATA,
		OWN_STATE,   OWN_STATE + MEMORY_PAGE - 8, USER_ADDRESS_END - 8,
	};
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < ARRAY_LEN(there); i++) {
		/* The personality has touched all of it just now. */
		CHECK(touch_faults(&s, there[i], false, FAULT_MEMORY));
		CHECK(s.exit->fault.access == FAULT_READ);
		CHECK((int64_t)s.exit->fault.status == ST_BAD_ADDRESS);
		sandbox_begin(&s, foreign_jump, there[i], 0);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->result == GUEST_FAULT && s.exit->fault.kind == FAULT_MEMORY);
		CHECK(s.exit->fault.access == FAULT_EXEC && s.exit->fault.address == there[i]);
	}
}

TEST(guest_mode_cannot_reach_the_kernel)
{
	struct sandbox s;

	sandbox_new(&s);
	CHECK(touch_faults(&s, 0xffffffff80000000, false, FAULT_MEMORY));
	CHECK(touch_faults(&s, 0xffff800000001000, true, FAULT_MEMORY));
	CHECK(touch_faults(&s, USER_ADDRESS_END, false, FAULT_MEMORY));
	CHECK(touch_faults(&s, 0x0000800000000000, false, FAULT_PROTECTION));
	CHECK(touch_faults(&s, 0, false, FAULT_MEMORY));
	CHECK(touch_faults(&s, (uint64_t)foreign_touch, true, FAULT_MEMORY));
	CHECK(s.exit->fault.access == FAULT_WRITE && (int64_t)s.exit->fault.status == ST_NO_RIGHT);
}

/* Memory that is there but was not touched comes without anybody being told. */
TEST(guest_mode_faults_that_the_kernel_resolves_are_not_seen)
{
	struct sandbox s;

	sandbox_new(&s);
	cap_t more = new_memory(64);
	CHECK(STATUS(aspace_map, s.guest, more, 0x10000000, 0, 64, MAP_READ | MAP_WRITE) == ST_OK);
	for (uint64_t i = 0; i < 64; i++) {
		sandbox_begin(&s, foreign_touch, 0x10000000 + i * MEMORY_PAGE, i & 1);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->result == GUEST_SYSCALL && s.shared->enters == 1);
		CHECK(s.regs->rax == 60 && s.shared->exit == 0);
	}
}

/* ---- what its personality can't ---- */

/* A fault of the personality's own code that is not fixed up is told to its handler. */
static void personality_faults(struct sandbox *s, uint64_t (*task)(struct shared *s), uint64_t va,
			       struct msg_fault *f)
{
	cap_t handler = new_endpoint();

	CHECK(STATUS(thread_configure, s->thread, 0, handler) == ST_OK);
	s->shared->arg[0] = va;
	sandbox_start(s, task);
	struct sys_result r = SYS(endpoint_receive, handler, NEVER);
	CHECK(r.status == ST_OK && (r.out[0] & MSG_FAULT));
	memcpy(f, own_block()->word, sizeof(*f));
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
}

TEST(guest_mode_memory_is_never_executed_by_the_personality)
{
	struct sandbox s;
	struct msg_fault f = { 0 };

	sandbox_new(&s);
	s.pages[0] = 0xc3; /* ret */
	/* It can be executed, as the guest shows; and the personality has it in its TLB. */
	sandbox_begin(&s, foreign_jump, FOREIGN, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->result == GUEST_FAULT && s.exit->fault.pc != FOREIGN);
	s.shared->arg[0] = FOREIGN;
	sandbox_run(&s, task_load);
	CHECK(s.shared->result == 0);
	personality_faults(&s, task_jump, FOREIGN, &f);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_EXEC && f.address == FOREIGN);
	CHECK(f.pc == FOREIGN && (int64_t)f.status == ST_NO_RIGHT);
	personality_faults(&s, task_jump, (uint64_t)foreign_hello, &f);
	CHECK(f.access == FAULT_EXEC && f.address == (uint64_t)foreign_hello);
}

TEST(guest_mode_fix_up_catches_bad_addresses)
{
	static const uint64_t bad[] = { 0x1000, FOREIGN - 8, FOREIGN + FOREIGN_PAGES * MEMORY_PAGE,
					USER_ADDRESS_END, 0xffffffff80000000 };
	struct sandbox s;
	struct msg_fault f = { 0 };

	sandbox_new(&s);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		s.shared->arg[0] = bad[i];
		sandbox_run(&s, task_load);
		CHECK(s.shared->result == (bad[i] | 1));
		sandbox_run(&s, task_store);
		CHECK(s.shared->result == (bad[i] | 1));
	}
	/* What can't be written, and what is no address. */
	s.shared->arg[0] = (uint64_t)foreign_hello;
	sandbox_run(&s, task_load);
	CHECK(s.shared->result == 0);
	sandbox_run(&s, task_store);
	CHECK(s.shared->result == ((uint64_t)foreign_hello | 1));
	s.shared->arg[0] = 0x8000000000000000;
	sandbox_run(&s, task_load);
	CHECK(s.shared->result == 1);
	/* Other code has no such excuse. */
	personality_faults(&s, task_load_outside, bad[0], &f);
	CHECK(f.kind == FAULT_MEMORY && f.address == bad[0] && f.access == FAULT_READ);
}

/* ---- kicks ---- */

/* Lets the program that counts go on until it comes to `count`. */
static void enter_and_kick(struct sandbox *s, uint64_t count)
{
	sandbox_start(s, task_enter);
	while (count_of(s) < count)
		yield();
	CHECK(STATUS(thread_kick, s->thread) == ST_OK);
	sandbox_await(s);
	CHECK(s->shared->result == GUEST_KICK);
}

TEST(guest_mode_endless_loop_ends_with_a_kick)
{
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 5; i++) {
		memset(s.pages, 0, 8);
		spin(&s);
		CHECK(STATUS(thread_kick, s.thread) == ST_OK);
		sandbox_await(&s);
		CHECK(s.shared->status == ST_OK && s.shared->result == GUEST_KICK);
		CHECK(s.regs->rip - (uint64_t)foreign_spin < 64 && s.regs->r15 == FOREIGN);
		CHECK(s.regs->rax >= SPINS && s.regs->rax - count_of(&s) <= 1);
		/* It can be gone on with. */
		enter_and_kick(&s, count_of(&s) + SPINS);
	}
}

/* One before the program is entered ends that at once, whenever it came; and only one. */
TEST(guest_mode_kick_is_kept)
{
	struct sandbox s;

	sandbox_new(&s);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	sandbox_begin(&s, foreign_hello, 1, 2);
	struct arch_registers before = *s.regs;
	sandbox_run(&s, task_enter);
	CHECK(s.shared->status == ST_OK && s.shared->result == GUEST_KICK);
	CHECK(memcmp(&before, s.regs, sizeof(before)) == 0);
	s.shared->written = 0;
	sandbox_run(&s, task_serve);
	CHECK(s.shared->result == GUEST_SYSCALL && s.shared->exit == FOREIGN_PID);
	/* After the program has come back for another reason. */
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	sandbox_run(&s, task_enter);
	CHECK(s.shared->result == GUEST_KICK);
}

static uint64_t park_then_enter(struct shared *s)
{
	s->arg[0] = (uint64_t)(int64_t)sys_call3(SYS_thread_park, s->self, s->arg[0], 0).status;
	return task_enter(s);
}

/* Kick and unpark do not take each other's place. */
TEST(guest_mode_kick_and_unpark_are_two)
{
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_hello, 0, 0);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	s.shared->arg[0] = 1; /* a deadline that has passed */
	sandbox_run(&s, park_then_enter);
	CHECK((int64_t)s.shared->arg[0] == ST_DEADLINE && s.shared->result == GUEST_KICK);
	CHECK(STATUS(thread_unpark, s.thread) == ST_OK);
	sandbox_run(&s, task_enter);
	CHECK(s.shared->result == GUEST_SYSCALL);
	s.shared->arg[0] = 1;
	sandbox_run(&s, park_then_enter);
	CHECK(s.shared->arg[0] == ST_OK);
}

/* ---- hostile states ---- */

/* Is refused whichever way is gone, and neither the page nor the program has changed. */
static bool is_refused(struct sandbox *s)
{
	const struct arch_registers before = *s->regs;
	static const uint64_t reasons[] = { GUEST_SYSCALL, GUEST_RESTORE, 99 };

	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
		s->exit->reason = reasons[i];
		sandbox_run(s, task_enter);
		if (s->shared->status != ST_BAD_ARG || s->exit->reason != reasons[i] ||
		    memcmp(&before, s->regs, sizeof(before)) != 0)
			return false;
	}
	return true;
}

TEST(guest_mode_refuses_addresses_that_are_none)
{
	static const uint64_t bad[] = { 0x0000800000000000, 0x8000000000000000,
					0xffff7fffffffffff };
	static const uint64_t kernels[] = { 0xffff800000000000, 0xffffffff80000000, UINT64_MAX };
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_null, 0, 0);
	sandbox_run(&s, task_enter);
	CHECK(s.shared->status == ST_OK && s.exit->reason == GUEST_SYSCALL);
	const struct arch_registers good = *s.regs;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		*s.regs = good;
		s.regs->rip = bad[i];
		CHECK(is_refused(&s));
		s.regs->rip = kernels[i];
		CHECK(is_refused(&s));
		s.regs->rip = USER_ADDRESS_END + i;
		CHECK(is_refused(&s));
		*s.regs = good;
		s.regs->fs_base = bad[i];
		CHECK(is_refused(&s));
		*s.regs = good;
		s.regs->gs_base = bad[i];
		CHECK(is_refused(&s));
		/* What the program could have done by itself does no harm. */
		*s.regs = good;
		s.regs->fs_base = s.regs->gs_base = kernels[i];
		s.regs->rsp = bad[i];
		s.exit->reason = i % 2 ? GUEST_SYSCALL : GUEST_RESTORE;
		sandbox_run(&s, task_enter);
		CHECK(s.shared->status == ST_OK && s.shared->result == GUEST_SYSCALL);
		CHECK(s.regs->rsp == bad[i] && s.regs->fs_base == kernels[i]);
	}
}

/* Begins a program as if behind a system call, or not. */
static void begin_with_flags(struct sandbox *s, const char *code, uint64_t flags, bool behind)
{
	sandbox_begin(s, code, FOREIGN, 0);
	s->regs->rflags = flags;
	s->exit->reason = behind ? GUEST_SYSCALL : GUEST_RESTORE;
}

/* The program finds the flags that it may choose as the page has them, and no others. */
TEST(guest_mode_flags_of_the_kernel_stay)
{
	const uint64_t steps = 0x100 | 0x10000, fixed = 0x202; /* the first: trap and resume */
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned n = 0; n < 4 * 64; n++) {
		uint64_t flags = 1ull << n / 4 | (n & 2 ? fixed : 0);

		if (flags & steps)
			continue;
		begin_with_flags(&s, foreign_flags, flags, n & 1);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->status == ST_OK && s.shared->result == GUEST_SYSCALL);
		CHECK(s.shared->exit == ((flags & USER_FLAGS) | fixed));
		CHECK(s.regs->rflags == s.shared->exit);
	}
	for (unsigned behind = 0; behind < 2; behind++) {
		begin_with_flags(&s, foreign_flags, ~steps, behind);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->exit == ((USER_FLAGS & ~steps) | fixed));
		/* Without interrupts no kick would come. */
		memset(s.pages, 0, 8);
		begin_with_flags(&s, foreign_spin, 0, behind);
		enter_and_kick(&s, SPINS);
	}
}

/* Behind a system call RCX and R11 are what the instruction makes of them. */
TEST(guest_mode_loads_all_registers_when_asked_to)
{
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 2; i++) {
		sandbox_begin(&s, foreign_jump, 0, 0);
		s.regs->rcx = 0x1111;
		s.regs->r11 = 0x2222;
		s.exit->reason = i ? GUEST_SYSCALL : GUEST_RESTORE;
		sandbox_run(&s, task_enter);
		CHECK(s.shared->result == GUEST_FAULT && s.regs->rip == 0);
		CHECK(s.regs->rcx == (i ? (uint64_t)foreign_jump : 0x1111));
		CHECK(i ? (s.regs->r11 & 0x202) == 0x202 : s.regs->r11 == 0x2222);
	}
}

/* A debugger's way: one instruction at a time. */
TEST(guest_mode_takes_single_steps)
{
	const uint64_t trap = 0x100;
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_null, 0, 0);
	s.regs->rflags |= trap;
	for (unsigned i = 0; i < 4; i++) {
		sandbox_run(&s, task_enter);
		CHECK(s.shared->result == GUEST_FAULT && s.exit->fault.kind == FAULT_BREAKPOINT);
		CHECK(s.regs->rip == (uint64_t)foreign_null + 5); /* behind MOVL */
		CHECK(s.regs->rflags & trap);
		sandbox_run(&s, task_enter);
		CHECK(s.shared->result == GUEST_SYSCALL);
		CHECK(s.regs->rip == (uint64_t)foreign_null + 7);
		sandbox_run(&s, task_enter); /* the jump */
		CHECK(s.shared->result == GUEST_FAULT && s.regs->rip == (uint64_t)foreign_null);
	}
}

/* ---- binding ---- */

TEST(guest_mode_binding_is_checked)
{
	struct sandbox s, other;
	uint64_t pages = 2;

	sandbox_new(&s);
	sandbox_new(&other);
	cap_t plain = make(SYS_aspace_create, CAP_NONE, ASPACE_PLAIN, 0);
	cap_t readable = copy_of(s.state, RIGHT_READ | RIGHT_MAP, 0);
	cap_t writable = copy_of(s.state, RIGHT_WRITE | RIGHT_MAP, 0);
	cap_t unmanaged = copy_of(s.guest, RIGHT_COPY, 0);

	CHECK(STATUS(thread_set_guest, s.thread, plain, s.state) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.half, s.state) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, other.guest, s.state) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, CAP_NONE) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, CAP_NONE, s.state) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, readable) == ST_NO_RIGHT);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, writable) == ST_NO_RIGHT);
	CHECK(STATUS(thread_set_guest, s.thread, unmanaged, s.state) == ST_NO_RIGHT);
	CHECK(STATUS(thread_set_guest, s.thread, s.state, s.guest) == ST_BAD_TYPE);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, s.state, 1) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, s.state, 1ull << 52) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, s.state, 0, 2, 1) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, s.state, 0, 0, USER_ADDRESS_END) ==
	      ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, start->thread, s.guest, s.state) == ST_BAD_ARG);
	/* What was bound still is. */
	sandbox_begin(&s, foreign_hello, 0, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID);
	/* Not while the program runs. */
	spin(&s);
	CHECK(sandbox_bind(&s, s.guest) == ST_BAD_STATE);
	stop(&s);
	CHECK(sandbox_bind(&s, s.guest) == ST_BAD_STATE);
	CHECK(STATUS(thread_resume, s.thread) == ST_OK);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	sandbox_await(&s);
	/* A slice has pages of its own numbering. */
	cap_t whole = new_memory(pages + 1);
	cap_t slice = copy_of(whole, 0xffff, (pages - 1) << 32 | pages);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, slice, pages) == ST_BAD_ARG);
	CHECK(STATUS(thread_set_guest, s.thread, s.guest, slice, pages - 1) == ST_OK);
}

TEST(guest_mode_without_a_guest)
{
	struct sandbox s;

	sandbox_new(&s);
	CHECK(STATUS(thread_set_guest, s.thread, CAP_NONE, CAP_NONE) == ST_OK);
	sandbox_begin(&s, foreign_hello, 0, 0);
	sandbox_run(&s, task_enter);
	CHECK(s.shared->status == ST_BAD_STATE && s.exit->reason == 0);
	CHECK(STATUS(guest_enter, start->thread) == ST_BAD_STATE);
	CHECK(STATUS(guest_enter, s.thread) == ST_BAD_ARG); /* another's */
	CHECK(sandbox_bind(&s, s.guest) == ST_OK);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID);
}

/* One personality thread serves one program after the other. */
TEST(guest_mode_changes_its_guest)
{
	struct sandbox s;

	sandbox_new(&s);
	cap_t second = sandbox_guest(&s);
	cap_t page = new_memory(1);
	CHECK(STATUS(aspace_map, second, page, 0x300000, 0, 1, MAP_READ | MAP_WRITE) == ST_OK);
	s.shared->arg[0] = 0x300000;
	for (unsigned i = 0; i < 4; i++) {
		CHECK(sandbox_bind(&s, i % 2 ? second : s.guest) == ST_OK);
		sandbox_begin(&s, foreign_touch, 0x300000, 0);
		sandbox_run(&s, task_serve);
		CHECK(s.shared->result == (i % 2 ? GUEST_SYSCALL : GUEST_FAULT));
		sandbox_run(&s, task_load);
		CHECK(s.shared->result == (i % 2 ? 0 : 0x300001));
	}
}

/* Nobody else gets hold of the page's contents for ever, or makes it constant. */
TEST(guest_mode_state_page_is_pinned)
{
	struct sandbox s;

	sandbox_new(&s);
	CHECK(STATUS(memory_seal, s.state) == ST_BAD_STATE);
	CHECK(STATUS(memory_decommit, s.state, 0, 1) != ST_OK);
	cap_t copy = new_memory(1);
	sandbox_begin(&s, foreign_hello, 1, 2);
	CHECK(STATUS(memory_share, copy, s.state, 0, 0, 1, SHARE_COPY) == ST_OK);
	struct arch_registers *then = map(copy, 1, MAP_READ | MAP_WRITE);
	CHECK(then->rip == (uint64_t)foreign_hello && then->rdi == 1);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID && then->rdi == 1);
	then->rdi = 99;
	CHECK(s.regs->rdi == FOREIGN_PID);
	CHECK(STATUS(thread_set_guest, s.thread, CAP_NONE, CAP_NONE) == ST_OK);
	CHECK(STATUS(memory_decommit, s.state, 0, 1) == ST_OK);
}

/* ---- stopped, cut off, and ended ---- */

TEST(guest_mode_suspended_goes_on_later)
{
	struct arch_registers regs;
	struct sandbox s;

	sandbox_new(&s);
	spin(&s);
	for (unsigned i = 0; i < 5; i++) {
		stop(&s);
		CHECK(stands_still(&s));
		/* The thread's own registers are those of its own code. */
		CHECK(STATUS(thread_read_registers, s.thread, &regs) == ST_OK);
		CHECK(regs.rip >= PERSONALITY && regs.rsp > OWN_DATA && regs.r15 != FOREIGN);
		CHECK(STATUS(thread_resume, s.thread) == ST_OK);
		await_progress(&s);
	}
	/* A kick meanwhile is found when it goes on. */
	stop(&s);
	CHECK(STATUS(thread_kick, s.thread) == ST_OK);
	CHECK(stands_still(&s) && !atomic_load(&s.shared->done));
	CHECK(STATUS(thread_resume, s.thread) == ST_OK);
	sandbox_await(&s);
	CHECK(s.shared->result == GUEST_KICK && s.regs->r15 == FOREIGN);
	/* Who gives it other registers takes it out of guest mode. */
	memset(s.pages, 0, 8);
	spin(&s);
	stop(&s);
	sandbox_begin(&s, foreign_hello, 0, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID);
}

TEST(guest_mode_thread_dies_in_it)
{
	struct sandbox s;

	for (unsigned i = 0; i < 4; i++) {
		sandbox_new(&s);
		spin(&s);
		if (i % 2)
			stop(&s);
		CHECK(STATUS(object_destroy, s.thread) == ST_OK);
		CHECK(stands_still(&s));
		CHECK(STATUS(memory_seal, s.state) == ST_BAD_STATE); /* the test's mapping */
		CHECK(STATUS(object_destroy, s.guest) == ST_OK);
	}
}

TEST(guest_mode_memory_is_taken_while_it_runs)
{
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 4; i++) {
		cap_t lent = copy_of(s.memory, 0xffff, 0);
		CHECK(STATUS(aspace_unmap, s.guest, FOREIGN, FOREIGN_PAGES) == ST_OK);
		CHECK(STATUS(aspace_map, s.guest, lent, FOREIGN, 0, 1, MAP_READ | MAP_WRITE) ==
		      ST_OK);
		memset(s.pages, 0, 8);
		spin(&s);
		CHECK(STATUS(cap_revoke, start->cspace, lent) == ST_OK);
		CHECK(stands_still(&s));
		sandbox_await(&s);
		CHECK(s.shared->result == GUEST_FAULT && s.exit->fault.kind == FAULT_MEMORY);
		CHECK(s.exit->fault.address == FOREIGN && s.regs->r15 == FOREIGN);
		CHECK(STATUS(cap_drop, start->cspace, lent) == ST_OK);
	}
}

/* The capability that the guest was made with is revoked: the joint view is gone on every CPU, and
 * the thread goes on in its own half when its program calls it. */
TEST(guest_mode_thread_outlives_the_joint_view)
{
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 4; i++) {
		cap_t lent = copy_of(s.half, 0xffff, 0), first = s.half;

		s.half = lent;
		cap_t guest = sandbox_guest(&s);
		s.half = first;
		CHECK(sandbox_bind(&s, guest) == ST_OK);
		sandbox_begin(&s, i & 1 ? foreign_spin : foreign_null, FOREIGN, 0);
		memset(s.pages, 0, 8);
		sandbox_start(&s, task_repeat_until_error);
		while (count_of(&s) == 0 && s.shared->enters == 0)
			yield();
		CHECK(STATUS(cap_revoke, start->cspace, lent) == ST_OK);
		if (i & 1) /* a program that makes no call is brought back as ever */
			CHECK(STATUS(thread_kick, s.thread) == ST_OK);
		sandbox_await(&s);
		CHECK(s.shared->status == ST_BAD_STATE);
		sandbox_run(&s, task_enter);
		CHECK(s.shared->status == ST_BAD_STATE);
		CHECK(sandbox_bind(&s, guest) == ST_BAD_ARG && sandbox_bind(&s, s.guest) == ST_OK);
		CHECK(STATUS(cap_drop, start->cspace, lent) == ST_OK);
	}
	sandbox_begin(&s, foreign_hello, 0, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID);
}

/* The guest half, or the page, goes: guest mode ends with an error, and the thread lives. */
TEST(guest_mode_ends_when_its_guest_does)
{
	struct sandbox s;

	sandbox_new(&s);
	for (unsigned i = 0; i < 8; i++) {
		cap_t guest = sandbox_guest(&s), page = copy_of(s.state, 0xffff, 0);

		CHECK(STATUS(thread_set_guest, s.thread, guest, page) == ST_OK);
		memset(s.pages, 0, 8);
		spin(&s);
		if (i & 2)
			stop(&s);
		uint64_t before = s.regs->rip;
		if (i & 1)
			CHECK(STATUS(object_destroy, guest) == ST_OK);
		else
			CHECK(STATUS(cap_revoke, start->cspace, page) == ST_OK &&
			      STATUS(cap_drop, start->cspace, page) == ST_OK);
		if (!(i & 1)) /* only what was derived from it goes: the binding */
			CHECK(STATUS(memory_decommit, s.state, 0, 1) == ST_OK);
		CHECK(stands_still(&s));
		if (i & 2)
			CHECK(STATUS(thread_resume, s.thread) == ST_OK);
		sandbox_await(&s);
		CHECK(s.shared->status == ST_PEER_GONE);
		CHECK(s.regs->rip == (i & 1 ? before : 0));
		sandbox_run(&s, task_enter);
		CHECK(s.shared->status == ST_BAD_STATE);
	}
	CHECK(sandbox_bind(&s, s.guest) == ST_OK);
	sandbox_begin(&s, foreign_hello, 0, 0);
	sandbox_run(&s, task_serve);
	CHECK(s.shared->exit == FOREIGN_PID);
}
