/* SPDX-License-Identifier: MIT */
/* Registers that only some threads have: vector registers and segment bases. */
#include "registers.h"
#include "world.h"
#include <stdatomic.h>

#define ROUNDS 200

#define MXCSR_RESET 0x1f80u
#define FCW_RESET   0x37fu

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(0));
	return r;
}

bool upper_is_there(void)
{
	const uint32_t wanted = 1u << 27 | 1u << 28; /* OSXSAVE, AVX */
	uint32_t low, high;

	if ((cpuid(1).ecx & wanted) != wanted)
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & 6) == 6;
}

bool bases_can_be_set(void)
{
	return cpuid(0).eax >= 7 && (cpuid(7).ebx & 1);
}

/* ---- vector registers ---- */

static void fill(struct vector_registers *v, uint64_t seed)
{
	for (unsigned i = 0; i < 16; i++) {
		v->xmm[i][0] = seed * 0x9e3779b97f4a7c15 + i;
		v->xmm[i][1] = ~v->xmm[i][0];
	}
	v->mxcsr = (uint32_t)(MXCSR_RESET | (seed % 4) << 13); /* a way of rounding each */
	v->fcw = (uint16_t)(FCW_RESET | (seed % 4) << 10);
	v->reserved = 0;
}

/* Counts in `seen` how often all were as it had left them. */
static void hold_vectors(struct actor *a)
{
	struct vector_registers mine, now;
	uint64_t upper[4], upper_now[4];
	bool has_upper = upper_is_there();

	fill(&mine, a->arg[0]);
	memset(&now, 0, sizeof(now));
	vector_load(&mine);
	for (unsigned i = 0; i < 4; i++)
		upper[i] = upper_now[i] = a->arg[0] * 0x0123456789abcdefull + i;
	if (has_upper)
		upper_load(upper);
	for (unsigned n = 0; n < ROUNDS; n++) {
		SYS(thread_yield, a->self);
		vector_store(&now);
		if (has_upper)
			upper_store(upper_now);
		if (memcmp(&now, &mine, sizeof(now)) == 0 &&
		    memcmp(upper, upper_now, sizeof(upper)) == 0)
			a->seen++;
	}
}

/* Runs some that hold what `run` makes of their numbers, and finds it there ROUNDS times. */
static void each_has_its_own(void (*run)(struct actor *self))
{
	struct actor *a[5];

	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = actor_new(run);
		a[i]->arg[0] = i + 1;
	}
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		actor_start(a[i]);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		actor_await(a[i]);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		CHECK(a[i]->seen == ROUNDS);
}

TEST(vector_registers_are_each_threads_own)
{
	each_has_its_own(hold_vectors);
}

static void look_at_vectors(struct actor *a)
{
	struct vector_registers v;
	uint64_t upper[4] = { 0 };

	if (upper_is_there())
		upper_store(upper);
	vector_store(&v);
	for (unsigned i = 0; i < 16; i++)
		a->seen |= v.xmm[i][0] | v.xmm[i][1];
	for (unsigned i = 0; i < 4; i++)
		a->seen |= upper[i];
	a->arg[0] = v.mxcsr;
	a->arg[1] = v.fcw;
}

/* Nothing of another thread's is in the registers that one finds. */
TEST(vector_registers_begin_as_after_reset)
{
	for (unsigned i = 0; i < 8; i++) {
		struct actor *before = actor_new(hold_vectors);
		struct actor *a = actor_new(look_at_vectors);

		before->arg[0] = i + 77;
		actor_start(before);
		actor_start(a);
		actor_await(a);
		actor_await(before);
		CHECK(a->seen == 0);
		CHECK(a->arg[0] == MXCSR_RESET && a->arg[1] == FCW_RESET);
	}
}

/* They are paid for by the thread's quota, and returned to it. */
TEST(vector_registers_are_paid_for)
{
	cap_t outer = quota;

	quota = new_quota(1ull << 20);
	cap_t payer = quota;
	struct actor *plain = actor_new(hold_vectors), *a = actor_new(hold_vectors);
	quota = outer;

	plain->run = a->run = look_at_vectors;
	actor_start(plain);
	actor_await(plain);
	uint64_t before = SYS(quota_read, payer).out[0];
	actor_start(a);
	actor_await(a);
	/* Its stack and its area; what it touched besides was there. */
	uint64_t with = SYS(quota_read, payer).out[0];
	CHECK(with > before);
	CHECK(STATUS(object_destroy, a->thread) == ST_OK);
	CHECK(SYS(quota_read, payer).out[0] <= with - MEMORY_PAGE);
}

static void never(struct actor *a)
{
	(void)a;
}

TEST(vector_registers_without_memory_are_a_fault)
{
	cap_t handler = new_endpoint();
	struct actor *a = actor_new(never);
	cap_t poor = new_quota(64 * 1024);
	struct sys_result r = SYS(thread_create, poor, start->aspace, start->cspace);

	CHECK(r.status == ST_OK);
	CHECK(STATUS(thread_configure, r.out[0], start->sched, copy_of(handler, RIGHT_CALL, 7)) ==
	      ST_OK);
	while (SYS(memory_create, poor, 1, MEMORY_CONTIGUOUS).status == ST_OK)
		continue;
	const struct arch_registers regs = {
		.rip = (uint64_t)vector_store,
		.rsp = a->stack_top - 8,
		.rdi = (uint64_t)&a->arg,
	};
	CHECK(STATUS(thread_write_registers, r.out[0], &regs) == ST_OK);
	CHECK(STATUS(thread_resume, r.out[0]) == ST_OK);
	struct sys_result m = SYS(endpoint_receive, handler, NEVER);
	CHECK(m.status == ST_OK && (m.out[0] & MSG_FAULT) && m.out[1] == 7);
	struct msg_fault f;
	memcpy(&f, own_block()->word, sizeof(f));
	CHECK(f.kind == FAULT_VECTOR && (int64_t)f.status == ST_NO_MEMORY);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
}

/* ---- segment bases ---- */

static void hold_bases(struct actor *a)
{
	uint64_t fs = a->arg[0] << 12, gs = ~fs; /* any canonical address will do */

	set_bases(fs, gs);
	for (unsigned n = 0; n < ROUNDS; n++) {
		SYS(thread_yield, a->self);
		if (fs_base() == fs && gs_base() == gs)
			a->seen++;
	}
}

TEST(segment_bases_are_each_threads_own)
{
	if (!bases_can_be_set())
		SKIP("no FSGSBASE");
	each_has_its_own(hold_bases);
}

/* Reads through the bases, which works where they can't be read themselves. */
static void look_at_bases(struct actor *a)
{
	__asm__ volatile("movq %%fs:8, %0" : "=r"(a->arg[0]));
	__asm__ volatile("movq %%gs:8, %0" : "=r"(a->arg[1]));
}

TEST(segment_bases_come_with_the_registers)
{
	struct actor *a = actor_new(look_at_bases);
	uint64_t *page = new_pages(2);
	struct arch_registers regs;

	page[1] = 0x1234;
	page[513] = 0x5678;
	actor_start(a);
	CHECK(STATUS(thread_suspend, a->thread) == ST_OK);
	CHECK(STATUS(thread_read_registers, a->thread, &regs) == ST_OK);
	regs.fs_base = (uint64_t)page;
	regs.gs_base = (uint64_t)(page + 512);
	CHECK(STATUS(thread_write_registers, a->thread, &regs) == ST_OK);
	CHECK(STATUS(thread_read_registers, a->thread, &regs) == ST_OK);
	CHECK(regs.fs_base == (uint64_t)page && regs.gs_base == (uint64_t)(page + 512));
	CHECK(STATUS(thread_resume, a->thread) == ST_OK);
	actor_await(a);
	CHECK(a->arg[0] == 0x1234 && a->arg[1] == 0x5678);
}

/* ---- segment selectors ---- */

#define USER_DATA 0x1b
#define USER_CODE 0x23

#define SELECTOR(r)                                                                                \
	static uint32_t r##_selector(void)                                                         \
	{                                                                                          \
		uint32_t value;                                                                    \
		__asm__ volatile("movl %%" #r ", %0" : "=r"(value));                               \
		return value;                                                                      \
	}
SELECTOR(cs)
SELECTOR(ss)
SELECTOR(ds)
SELECTOR(es)
SELECTOR(fs)
SELECTOR(gs)

static void load_selectors(uint32_t s)
{
	__asm__ volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs; movl %0, %%gs" : : "r"(s));
}

/* Nothing of the kernel's shows in them, and what a program puts there makes no difference: to
 * system calls, to what the kernel copies, to faults, and to the bases that are set behind it. */
TEST(segment_selectors_mean_nothing)
{
	static const uint32_t allowed[] = { 0, 1, 2, 3, USER_DATA, USER_CODE };
	const uint32_t found[] = { ds_selector(), es_selector(), fs_selector(), gs_selector() };
	cap_t memory = new_memory(4);
	uint64_t *page = map(memory, 4, MAP_READ | MAP_WRITE);

	CHECK(cs_selector() == USER_CODE && ss_selector() == USER_DATA);
	for (unsigned i = 0; i < ARRAY_LEN(found); i++)
		CHECK(found[i] <= 3 || found[i] == USER_DATA || found[i] == USER_CODE);
	for (uint64_t i = 0; i < ARRAY_LEN(allowed); i++) {
		uint64_t value = 0x1234 + i, back = 0;

		load_selectors(allowed[i]);
		if (bases_can_be_set())
			set_bases(0x10000 * i, ~value);
		CHECK(STATUS(memory_write, memory, 8 * i, &value, 8) == ST_OK);
		CHECK(STATUS(memory_read, memory, 8 * i, &back, 8) == ST_OK && back == value);
		page[512 * (i % 4) + i] = value; /* not there yet, at first */
		CHECK(page[i] == value || i % 4 != 0);
		yield();
		CHECK(!bases_can_be_set() || (fs_base() == 0x10000 * i && gs_base() == ~value));
		CHECK(cs_selector() == USER_CODE && ss_selector() == USER_DATA);
	}
	load_selectors(0);
}

/* ---- what may be written ---- */

/* Registers from outside are those of user mode, or they are refused. */
TEST(registers_of_no_user_are_refused)
{
	static const uint64_t bad[] = { USER_ADDRESS_END, 1ull << 47,         1ull << 63,
					UINT64_MAX,       0xffff800000000000, 0xffffffff80000000 };
	struct actor *a = actor_new(never);
	struct arch_registers good = { .rip = 0x400000, .rsp = 0x500000 }, now;

	CHECK(STATUS(thread_write_registers, a->thread, &good) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct arch_registers r = good;
		r.rip = bad[i];
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_ARG);
		r = good;
		r.fs_base = bad[i];
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_ARG);
		r = good;
		r.gs_base = bad[i];
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_ARG);
		if (bad[i] == USER_ADDRESS_END)
			continue; /* a stack may end there */
		r = good;
		r.rsp = bad[i];
		CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_BAD_ARG);
	}
	CHECK(STATUS(thread_read_registers, a->thread, &now) == ST_OK);
	CHECK(now.rip == good.rip && now.rsp == good.rsp);
}

/* Interrupts stay on, and I/O privilege and the like off, whatever is written. */
TEST(registers_flags_of_the_kernel_stay)
{
	struct actor *a = actor_new(never);
	struct arch_registers r = { .rip = 0x400000, .rsp = 0x500000, .rflags = UINT64_MAX };

	CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_OK);
	CHECK(STATUS(thread_read_registers, a->thread, &r) == ST_OK);
	CHECK(r.rflags == (USER_FLAGS | 0x202));
	r.rflags = 0;
	CHECK(STATUS(thread_write_registers, a->thread, &r) == ST_OK);
	CHECK(STATUS(thread_read_registers, a->thread, &r) == ST_OK);
	CHECK(r.rflags == 0x202);
}
