/* SPDX-License-Identifier: MIT */
#include "sandbox.h"
#include <lib/sys/program.h>
#include <stdatomic.h>

static void must(status_t st, const char *what)
{
	if (st != ST_OK)
		give_up(what, st);
}

static uint64_t pages_of(const char *from, const char *to)
{
	return (uint64_t)(to - from) / MEMORY_PAGE;
}

static void map_at(cap_t aspace, cap_t memory, uint64_t va, uint64_t pages, unsigned access)
{
	must(STATUS(aspace_map, aspace, memory, va, 0, pages, access), "a mapping");
}

/* ---- the personality: moved code, without constants and calls to anything elsewhere ---- */

#define STATE ((struct arch_registers *)OWN_STATE)
#define EXIT  ((volatile struct guest_exit *)(OWN_STATE + GUEST_EXIT))

uint64_t task_enter(struct shared *s)
{
	s->status = sys_call3(SYS_guest_enter, s->self, 0, 0).status;
	s->enters++;
	return EXIT->reason;
}

static uint64_t foreign_write(struct shared *s, uint64_t from, uint64_t size)
{
	for (uint64_t n = 0; n < size; n++) {
		uint64_t word;
		if (reach_load((const void *)(from + n), &word) != 0)
			return -14ull; /* EFAULT */
		if (s->written < sizeof(s->text))
			s->text[s->written++] = (char)word;
	}
	return size;
}

uint64_t task_serve(struct shared *s)
{
	volatile struct arch_registers *r = STATE;

	while (task_enter(s) == GUEST_SYSCALL && s->status == ST_OK) {
		if (r->rax == 1) {
			r->rax = foreign_write(s, r->rsi, r->rdx);
		} else if (r->rax == 39) {
			r->rax = FOREIGN_PID;
		} else if (r->rax == 60) {
			s->exit = r->rdi;
			break;
		} else {
			r->rax = -38ull; /* ENOSYS */
		}
	}
	return EXIT->reason;
}

uint64_t task_repeat(struct shared *s)
{
	for (uint64_t n = 0; n < s->arg[0]; n++) {
		EXIT->fault.pc = 0;
		(void)task_enter(s);
		s->strays += EXIT->fault.pc >= USER_ADDRESS_END;
	}
	return EXIT->reason;
}

uint64_t task_repeat_until_error(struct shared *s)
{
	do
		(void)task_enter(s);
	while (s->status == ST_OK);
	return EXIT->reason;
}

uint64_t task_measure(struct shared *s)
{
	uint64_t sum = 0;

	for (uint64_t n = 0; n < s->arg[0]; n++) {
		uint64_t before = cycle_count();
		s->status = sys_call3(SYS_guest_enter, s->self, 0, 0).status;
		uint64_t after = cycle_count();
		sum += after - before - (cycle_count() - after);
	}
	return sum;
}

uint64_t task_load(struct shared *s)
{
	return reach_load((const void *)s->arg[0], &s->arg[1]);
}

uint64_t task_store(struct shared *s)
{
	return reach_store((void *)s->arg[0], &s->arg[1]);
}

uint64_t task_load_outside(struct shared *s)
{
	return *(volatile uint64_t *)s->arg[0];
}

uint64_t task_jump(struct shared *s)
{
	((void (*)(void))s->arg[0])();
	return 0;
}

static void personality_main(struct shared *s)
{
	s->result = s->task(s);
	atomic_store(&s->done, true);
	for (;;)
		sys_call3(SYS_thread_suspend, s->self, 0, 0);
}

/* ---- the test's side ---- */

static uint64_t moved(const void *code)
{
	return (uint64_t)code - (uint64_t)program_text + OWN_TEXT;
}

cap_t sandbox_guest(const struct sandbox *s)
{
	cap_t guest = make(SYS_aspace_create, s->half, ASPACE_GUEST, 0);

	map_at(guest, start->segment[0], (uint64_t)program_text,
	       pages_of(program_text, program_rodata), MAP_READ | MAP_EXEC);
	map_at(guest, start->segment[1], (uint64_t)program_rodata,
	       pages_of(program_rodata, program_relro), MAP_READ);
	map_at(guest, s->memory, FOREIGN, FOREIGN_PAGES, MAP_READ | MAP_WRITE | MAP_EXEC);
	return guest;
}

status_t sandbox_bind(const struct sandbox *s, cap_t guest)
{
	return STATUS(thread_set_guest, s->thread, guest, s->state, 0, moved(reach_begin),
		      moved(reach_end));
}

void sandbox_new(struct sandbox *s)
{
	cap_t own = new_memory(4);

	s->half = make(SYS_aspace_create, CAP_NONE, ASPACE_PERSONALITY, 0);
	map_at(s->half, start->segment[0], moved(program_text),
	       pages_of(program_text, program_rodata), MAP_READ | MAP_EXEC);
	s->shared = map(own, 4, MAP_READ | MAP_WRITE);
	map_at(s->half, own, OWN_DATA, 4, MAP_READ | MAP_WRITE);
	s->state = new_memory(1);
	s->regs = map(s->state, 1, MAP_READ | MAP_WRITE);
	s->exit = (struct guest_exit *)((uint8_t *)s->regs + GUEST_EXIT);
	map_at(s->half, s->state, OWN_STATE, 1, MAP_READ | MAP_WRITE);
	s->memory = new_memory(FOREIGN_PAGES);
	s->pages = map(s->memory, FOREIGN_PAGES, MAP_READ | MAP_WRITE);
	s->guest = sandbox_guest(s);

	cap_t space = new_space();
	struct sys_result r = SYS(thread_create, quota, s->half, space);
	must(r.status, "a thread");
	s->thread = r.out[0];
	r = SYS(cap_copy, space, start->cspace, s->thread, RIGHT_CONTROL, 0);
	must(r.status, "a capability to itself");
	s->shared->self = r.out[0];
	must(STATUS(thread_configure, s->thread, start->sched), "a sched");
	must(sandbox_bind(s, s->guest), "a guest");
}

void sandbox_begin(struct sandbox *s, const void *code, uint64_t rdi, uint64_t rsi)
{
	*s->regs = (struct arch_registers){
		.rip = (uint64_t)code,
		.rsp = FOREIGN + FOREIGN_PAGES * MEMORY_PAGE - 64,
		.rdi = rdi,
		.rsi = rsi,
		.rflags = 2,
	};
	s->exit->reason = 0;
	s->shared->exit = 0;
}

void sandbox_start(struct sandbox *s, uint64_t (*task)(struct shared *s))
{
	const struct arch_registers regs = {
		.rip = moved((const void *)personality_main),
		.rsp = OWN_DATA + 4 * MEMORY_PAGE - 8, /* as behind a call */
		.rdi = OWN_DATA,
		.fs_base = OWN_FS,
		.gs_base = OWN_GS,
	};

	s->shared->task = (uint64_t(*)(struct shared *))moved((const void *)task);
	s->shared->status = 1;
	s->shared->enters = 0;
	atomic_store(&s->shared->done, false);
	must(STATUS(thread_suspend, s->thread), "a stop");
	must(STATUS(thread_write_registers, s->thread, &regs), "registers");
	must(STATUS(thread_resume, s->thread), "a start");
}

void sandbox_await(struct sandbox *s)
{
	while (!atomic_load(&s->shared->done))
		yield();
	while (STATUS(thread_suspend, s->thread) != ST_OK)
		yield();
}

void sandbox_run(struct sandbox *s, uint64_t (*task)(struct shared *s))
{
	sandbox_start(s, task);
	sandbox_await(s);
}
