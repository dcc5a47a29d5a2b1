/* SPDX-License-Identifier: MIT */
/* What goes wrong in a program stops the thread that did it, is told to its handler, and
 * touches nothing else. */
#include "sandbox.h"
#include <stdatomic.h>

#define KERNEL     0xffffffff80000000ull
#define DIRECT_MAP 0xffff800000001000ull

enum vector {
	DE = 0,
	DB = 1,
	BP = 3,
	UD = 6,
	SS = 12,
	GP = 13,
	PF = 14,
	MF = 16,
	AC = 17,
	XM = 19,
};

/* What every machine has of these; QEMU's emulator does not know the rest. */
#define VECTORS (1u << DE | 1u << DB | 1u << BP | 1u << UD | 1u << GP | 1u << PF | 1u << MF)

#define UD2 0x0b0f

/* A beast of the zoo (zoo.S), and how it is to be reported. */
struct beast {
	const char *name;
	const void *code, *at;
	enum fault_kind kind;
	enum vector vector;
	uint32_t access;
	uint64_t address;
	bool elsewhere;    /* the report's pc is the address */
	enum vector other; /* as some processors and emulators have it; 0: none */
	bool harmless;     /* to some: they go on to the ud2 behind it */
};

#define BEASTS(B)                                                                                  \
	B(divide, ARITHMETIC, DE, )                                                                \
	B(divide_overflow, ARITHMETIC, DE, )                                                       \
	B(breakpoint, BREAKPOINT, BP, )                                                            \
	B(single_step, BREAKPOINT, DB, )                                                           \
	B(single_step_call, BREAKPOINT, DB, )                                                      \
	B(undefined, INSTRUCTION, UD, )                                                            \
	B(into, INSTRUCTION, UD, )                                                                 \
	B(halt, PROTECTION, GP, )                                                                  \
	B(cli, PROTECTION, GP, )                                                                   \
	B(sti, PROTECTION, GP, )                                                                   \
	B(in, PROTECTION, GP, )                                                                    \
	B(out, PROTECTION, GP, )                                                                   \
	B(read_cr0, PROTECTION, GP, )                                                              \
	B(write_cr3, PROTECTION, GP, )                                                             \
	B(write_cr4, PROTECTION, GP, )                                                             \
	B(read_dr7, PROTECTION, GP, )                                                              \
	B(clts, PROTECTION, GP, )                                                                  \
	B(rdmsr, PROTECTION, GP, )                                                                 \
	B(wrmsr, PROTECTION, GP, )                                                                 \
	B(swapgs, PROTECTION, GP, )                                                                \
	B(sysret, PROTECTION, GP, )                                                                \
	B(lgdt, PROTECTION, GP, )                                                                  \
	B(lidt, PROTECTION, GP, )                                                                  \
	B(invlpg, PROTECTION, GP, )                                                                \
	B(wbinvd, PROTECTION, GP, )                                                                \
	B(rdpmc, PROTECTION, GP, )                                                                 \
	B(sysenter, PROTECTION, GP, .other = UD)                                                   \
	B(sysexit, PROTECTION, GP, .other = UD)                                                    \
	B(interrupt_nmi, PROTECTION, GP, )                                                         \
	B(interrupt_machine, PROTECTION, GP, )                                                     \
	B(interrupt_80, PROTECTION, GP, )                                                          \
	B(interrupt_timer, PROTECTION, GP, )                                                       \
	B(interrupt_page, PROTECTION, GP, )                                                        \
	B(interrupt_double, PROTECTION, GP, )                                                      \
	B(xsetbv, PROTECTION, GP, .other = UD)                                                     \
	B(ltr, PROTECTION, GP, )                                                                   \
	B(kernel_segment, PROTECTION, GP, )                                                        \
	B(far_to_kernel, PROTECTION, GP, .other = PF)                                              \
	B(iret_to_kernel, PROTECTION, GP, .other = PF)                                             \
	B(read_null, MEMORY, PF, .access = FAULT_READ)                                             \
	B(write_null, MEMORY, PF, .access = FAULT_WRITE, .address = 8)                             \
	B(read_kernel, MEMORY, PF, .access = FAULT_READ, .address = KERNEL)                        \
	B(write_kernel, MEMORY, PF, .access = FAULT_WRITE, .address = DIRECT_MAP)                  \
	B(write_constant, MEMORY, PF, .access = FAULT_WRITE, .address = CONSTANT)                  \
	B(jump_null, MEMORY, PF, .access = FAULT_EXEC, .elsewhere = true)                          \
	B(jump_kernel, MEMORY, PF, .access = FAULT_EXEC, .address = KERNEL, .elsewhere = true)     \
	B(jump_data, MEMORY, PF, .access = FAULT_EXEC, .address = DATA, .elsewhere = true)         \
	B(jump_end, MEMORY, PF, .access = FAULT_EXEC, .address = USER_ADDRESS_END,                 \
	  .elsewhere = true)                                                                       \
	B(read_nowhere, PROTECTION, GP, )                                                          \
	B(stack_nowhere, PROTECTION, SS, .other = GP)                                              \
	B(stack_gone, MEMORY, PF, .access = FAULT_WRITE, .address = -8ull)                         \
	B(misaligned_vector, PROTECTION, GP, .harmless = true)                                     \
	B(misaligned, ALIGNMENT, AC, .harmless = true)                                             \
	B(simd, VECTOR, XM, .harmless = true)                                                      \
	B(x87, ARITHMETIC, MF, )

#define DATA_OF_GUEST 0x300000ull

/* Stand for the pages that a beast is given. */
#define CONSTANT 1
#define DATA     2

#define DECLARE(name, ...) extern const char beast_##name[], beast_##name##_at[];
BEASTS(DECLARE)

static const struct beast zoo[] = {
#define BEAST(n, k, v, ...)                                                                        \
	{ .name = #n,                                                                              \
	  .code = beast_##n,                                                                       \
	  .at = beast_##n##_at,                                                                    \
	  .kind = FAULT_##k,                                                                       \
	  .vector = v,                                                                             \
	  __VA_ARGS__ },
	BEASTS(BEAST)
};

/* In a page that can't be written. */
static const uint64_t constant[2] __attribute__((aligned(16))) = { 1, 2 };

/* A thread to let them out in. */
struct cage {
	struct actor *actor;
	cap_t handler;
	uint64_t data;
};

static void never(struct actor *a)
{
	(void)a;
}

static void cage_open(struct cage *c)
{
	c->handler = new_endpoint();
	c->actor = actor_new(never);
	actor_configure(c->actor, CAP_NONE, c->handler, CAP_NONE);
	c->data = (uint64_t)new_pages(1);
}

static status_t let_out(const struct cage *c, const struct beast *b)
{
	const struct arch_registers regs = {
		.rip = (uint64_t)b->code,
		.rsp = c->actor->stack_top - 64,
		.rdi = (uint64_t)constant,
		.rsi = c->data,
	};
	status_t st = STATUS(thread_write_registers, c->actor->thread, &regs);

	return st != ST_OK ? st : STATUS(thread_resume, c->actor->thread);
}

static uint64_t address_of(const struct cage *c, const struct beast *b)
{
	if (b->address == CONSTANT)
		return (uint64_t)constant;
	return b->address == DATA ? c->data : b->address;
}

/* True if `pc` is the ud2 behind the beast, which does not know what it did. */
static bool went_on(const struct beast *b, uint64_t pc)
{
	const uint16_t *behind = (const uint16_t *)pc;

	return b->harmless && pc - (uint64_t)b->at - 1 < 8 && *behind == UD2;
}

static bool is_reported(const struct cage *c, const struct beast *b, const struct msg_fault *f)
{
	uint64_t pc = b->elsewhere ? address_of(c, b) : (uint64_t)b->at;

	if (went_on(b, f->pc))
		return f->kind == FAULT_INSTRUCTION && f->vector == UD;
	if (f->pc != pc || f->access != b->access)
		return false;
	if (b->other != 0 && f->vector == b->other)
		return true;
	if (f->kind != b->kind || f->vector != b->vector)
		return false;
	return b->kind != FAULT_MEMORY || (f->address == address_of(c, b) && f->status != ST_OK);
}

static struct msg_fault report_of(const struct msg_block *block)
{
	struct msg_fault f;

	memcpy(&f, block->word, sizeof(f));
	return f;
}

/* What was told of the beasts that were let out. */
struct census {
	uint64_t faults, calls; /* from guest mode, calls may be told too */
	uint64_t vectors;       /* a bit for each */
	uint64_t before;        /* faults that the kernel had counted */
};

static void census_add(struct census *all, const struct cage *c, const struct beast *b,
		       const struct msg_fault *f)
{
	all->faults++;
	all->vectors |= 1ull << f->vector;
	if (!is_reported(c, b, f))
		test_fail(b->name, (int)f->vector, "is not reported as it should be");
}

/* Nothing is missing: each was told, every kind was there, and the kernel has counted the same. */
static bool census_is_complete(const struct census *all, uint64_t beasts)
{
	return all->faults + all->calls == beasts && (all->vectors & VECTORS) == VECTORS &&
	       COUNT(faults) - all->before == all->faults;
}

/* Takes the report of a beast that was let out, and stops the thread. */
static void take_in(struct census *all, const struct cage *c, const struct beast *b)
{
	struct sys_result r = SYS(endpoint_receive, c->handler, NEVER);

	CHECK(r.status == ST_OK && (r.out[0] & MSG_FAULT));
	CHECK(MSG_LEN(r.out[0]) == sizeof(struct msg_fault));
	struct msg_fault f = report_of(own_block());
	census_add(all, c, b, &f);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
}

TEST(fault_each_kind_is_reported)
{
	struct census all = { .before = COUNT(faults) };

	for (unsigned i = 0; i < 2 * ARRAY_LEN(zoo); i++) {
		struct cage c;
		cage_open(&c);
		CHECK(let_out(&c, &zoo[i / 2]) == ST_OK);
		take_in(&all, &c, &zoo[i / 2]);
	}
	CHECK(census_is_complete(&all, 2 * ARRAY_LEN(zoo)));
}

#define HERD   4  /* beasts at a time, on as many CPUs as there are */
#define ROUNDS 80 /* of the whole zoo, in each of the cages: some thousands of faults each */

TEST(fault_zoo_runs_on_and_on)
{
	struct census all = { .before = COUNT(faults) };
	uint64_t count = test_rounds(ROUNDS) * ARRAY_LEN(zoo);
	struct cage c[HERD];

	for (unsigned i = 0; i < HERD; i++)
		cage_open(&c[i]);
	for (uint64_t n = 0; n < count; n++) {
		for (unsigned i = 0; i < HERD; i++)
			CHECK(let_out(&c[i], &zoo[(n + i) % ARRAY_LEN(zoo)]) == ST_OK);
		for (unsigned i = 0; i < HERD; i++)
			take_in(&all, &c[i], &zoo[(n + i) % ARRAY_LEN(zoo)]);
	}
	CHECK(census_is_complete(&all, HERD * count));
}

/* From guest mode: its personality is told the same, each time, and no handler anything. */
TEST(fault_zoo_runs_on_in_guest_mode)
{
	struct census all = { .before = COUNT(faults) };
	uint64_t count = test_rounds(ROUNDS) * ARRAY_LEN(zoo);
	struct cage c = { .data = DATA_OF_GUEST };
	struct sandbox s;

	sandbox_new(&s);
	CHECK(STATUS(aspace_map, s.guest, new_memory(1), c.data, 0, 1, MAP_READ | MAP_WRITE) ==
	      ST_OK);
	for (uint64_t n = 0; n < count; n++) {
		const struct beast *b = &zoo[n % ARRAY_LEN(zoo)];
		sandbox_begin(&s, b->code, (uint64_t)constant, c.data);
		sandbox_run(&s, task_enter);
		CHECK(s.shared->status == ST_OK);
		if (b->code == beast_single_step_call) {
			CHECK(s.shared->result == GUEST_SYSCALL);
			all.calls++;
			continue;
		}
		CHECK(s.shared->result == GUEST_FAULT);
		census_add(&all, &c, b, &s.exit->fault);
	}
	CHECK(all.calls == test_rounds(ROUNDS) && census_is_complete(&all, count));
}

/* Without a handler the thread just stops, where it was. */
TEST(fault_without_handler_stops_the_thread)
{
	struct arch_registers regs;
	struct cage c;

	cage_open(&c);
	struct actor *other = actor_new(never);
	for (unsigned i = 0; i < ARRAY_LEN(zoo); i++) {
		c.actor = actor_new(never);
		CHECK(let_out(&c, &zoo[i]) == ST_OK);
		actor_start(other);
		actor_await(other);
		while (STATUS(thread_read_registers, c.actor->thread, &regs) == ST_BAD_STATE)
			yield();
		CHECK(STATUS(thread_read_registers, c.actor->thread, &regs) == ST_OK);
		if (!zoo[i].elsewhere && !went_on(&zoo[i], regs.rip))
			if (regs.rip != (uint64_t)zoo[i].at)
				test_fail(zoo[i].name, (int)(regs.rip - (uint64_t)zoo[i].at),
					  "stopped elsewhere");
	}
}

/* The handler repairs what was wrong, and the thread goes on. */
TEST(fault_can_be_repaired)
{
	struct arch_registers regs;
	struct cage c;
	struct beast b = { .code = beast_read_null };

	cage_open(&c);
	CHECK(let_out(&c, &b) == ST_OK);
	CHECK(SYS(endpoint_receive, c.handler, NEVER).status == ST_OK);
	CHECK(STATUS(thread_read_registers, c.actor->thread, &regs) == ST_OK);
	CHECK(regs.rip == (uint64_t)beast_read_null_at && regs.rax == 0);
	*(uint64_t *)c.data = 0x123456789abcdef0;
	regs.rax = c.data;
	CHECK(STATUS(thread_write_registers, c.actor->thread, &regs) == ST_OK);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_RETRY, 0, 0)) == ST_OK);

	/* Behind each beast is an instruction that is none. */
	struct sys_result r = SYS(endpoint_receive, c.handler, NEVER);
	CHECK(r.status == ST_OK && (r.out[0] & MSG_FAULT));
	struct msg_fault f = report_of(own_block());
	CHECK(f.kind == FAULT_INSTRUCTION && f.pc > (uint64_t)beast_read_null_at);
	CHECK(STATUS(thread_read_registers, c.actor->thread, &regs) == ST_OK);
	CHECK(regs.rax == 0x123456789abcdef0);
}
