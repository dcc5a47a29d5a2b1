/* SPDX-License-Identifier: MIT */
/* What messages, signals and system calls cost, in instructions: run under -icount, where the
 * cycle counter counts them. From the first instruction of the stub to the one behind it. */
#include "world.h"
#include <abi/status.h>

#define WARM   16
#define ROUNDS 64

static uint64_t empty(void)
{
	uint64_t before = cycle_count();

	return cycle_count() - before;
}

static uint64_t sample[ROUNDS];

/* Between two readings of the counter, without what an empty measurement takes. */
static void note(unsigned round, uint64_t before, uint64_t after)
{
	if (round >= WARM)
		sample[round - WARM] = after - before - empty();
}

/* The kernel has other things to do, too: a round in which it did them says nothing. */
static uint64_t median(void)
{
	for (unsigned i = 1; i < ROUNDS; i++) {
		uint64_t x = sample[i];
		unsigned at = i;
		for (; at > 0 && sample[at - 1] > x; at--)
			sample[at] = sample[at - 1];
		sample[at] = x;
	}
	return sample[ROUNDS / 2];
}

/* The median of rounds of `once`. */
static uint64_t measure(void (*once)(void))
{
	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		uint64_t before = cycle_count();
		once();
		note(i, before, cycle_count());
	}
	return median();
}

/* ---- messages, from process to process ---- */

static cap_t bits, own;

static void answer(struct actor *a)
{
	struct sys_result r = sys_call3(SYS_endpoint_receive, a->arg[0], NEVER, 0);

	while (r.status == ST_OK)
		r = sys_call3(SYS_endpoint_reply_receive, a->arg[0], a->arg[1], NEVER);
}

/* Calls a->arg[0] with a->arg[1] and, if that is so, capability a->arg[2]; tells the median, or
 * nothing if an answer is not a->arg[3]. */
static void call(struct actor *a)
{
	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		a->block->cap[0] = (struct msg_cap){ a->arg[2], 0xffff, 0, 0 };
		uint64_t before = cycle_count();
		struct sys_result r = sys_call3(SYS_endpoint_call, a->arg[0], a->arg[1], NEVER);
		uint64_t after = cycle_count();
		if (r.status != ST_OK || r.out[0] != a->arg[3])
			return;
		note(i, before, after);
	}
	a->seen = median();
}

static void round_trip(const char *name, uint64_t info, uint64_t answers)
{
	struct actor *server = process_new(answer);
	struct actor *client = process_new(call);
	cap_t ep = new_endpoint();

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	server->arg[1] = answers;
	client->arg[0] = actor_give(client, ep, RIGHT_CALL, 1);
	client->arg[1] = info;
	client->arg[2] = actor_give(client, new_endpoint(), 0xffff, 0);
	client->arg[3] = answers;
	actor_start(server);
	yield();
	actor_start(client);
	actor_await(client);
	CHECK(client->seen != 0);
	bench_report(name, client->seen, "instructions");
}

static void round_trip_bytes(const char *name, uint64_t len)
{
	round_trip(name, MSG_INFO(1, len, 0), MSG_INFO(2, len, 0));
}

TEST(ipc_0b)
{
	round_trip_bytes("ipc_call_reply_0b_instr", 0);
}

TEST(ipc_8b)
{
	round_trip_bytes("ipc_call_reply_8b_instr", 8);
}

TEST(ipc_64b)
{
	round_trip_bytes("ipc_call_reply_64b_instr", 64);
}

TEST(ipc_72b)
{
	round_trip_bytes("ipc_call_reply_72b_instr", 72);
}

TEST(ipc_512b)
{
	round_trip_bytes("ipc_call_reply_512b_instr", 512);
}

TEST(ipc_1cap)
{
	round_trip("ipc_call_reply_1cap_instr", MSG_INFO(1, 0, 1), MSG_INFO(2, 0, 0));
}

/* ---- signals ---- */

static uint64_t *woken_at;

static void wait_for_signals(struct actor *a)
{
	for (;;) {
		volatile uint64_t *at = (volatile uint64_t *)a->arg[1];
		at[1] = cycle_count();
		struct sys_result r = sys_call3(SYS_notification_wait, a->arg[0], NEVER, 0);
		at[0] = cycle_count();
		at[2] += r.status == ST_OK && r.out[1] == 1;
	}
}

static void signal(void)
{
	(void)sys_call3(SYS_notification_signal, bits, 1, 0);
}

TEST(signal_nobody)
{
	bits = new_notification();
	bench_report("signal_nobody_instr", measure(signal), "instructions");
}

TEST(signal_to_waiter)
{
	/* A more urgent thread in another space waits: until its program runs. */
	struct actor *a = process_new(wait_for_signals);
	cap_t memory = new_memory(1), sched = make(SYS_sched_create, start->sched, 0, 0);
	volatile uint64_t *at;

	CHECK(STATUS(sched_configure, sched, 200 | 1024ull << 32, 0, 0, 1) == ST_OK);
	woken_at = map(memory, 1, MAP_READ | MAP_WRITE);
	actor_map(a, memory, woken_at, 1, MAP_READ | MAP_WRITE);
	bits = new_notification();
	a->arg[0] = actor_give(a, bits, RIGHT_WAIT, 0);
	a->arg[1] = (uint64_t)woken_at;
	actor_configure(a, sched, CAP_NONE, CAP_NONE);
	actor_start(a);
	yield();
	at = woken_at;
	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		uint64_t before = cycle_count();
		signal();
		note(i, before, at[0]);
	}
	CHECK(at[2] == WARM + ROUNDS);
	bench_report("signal_to_waiter_instr", median(), "instructions");
	/* From when it waits again until the one that it had preempted goes on. */
	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		signal();
		note(i, at[1], cycle_count());
	}
	CHECK(at[2] == 2 * (WARM + ROUNDS));
	bench_report("context_switch_instr", median(), "instructions");
}

/* ---- faults ---- */

#define NOWHERE 0x10000000ull

static void read_nowhere(struct actor *a)
{
	a->seen = *(volatile uint64_t *)a->arg[0];
}

/* Says nothing but that the thread should try again; tells the median. */
static void handle_faults(struct actor *a)
{
	const struct msg_fault *f = (const struct msg_fault *)a->block;
	struct sys_result r = sys_call3(SYS_endpoint_receive, a->arg[0], NEVER, 0);
	bool right = r.status == ST_OK;

	for (unsigned i = 0; i < WARM + ROUNDS && right; i++) {
		uint64_t before = cycle_count();
		r = sys_call3(SYS_endpoint_reply_receive, a->arg[0], FAULT_RETRY, NEVER);
		note(i, before, cycle_count());
		right = r.status == ST_OK && (r.out[0] & MSG_FAULT) && f->kind == FAULT_MEMORY &&
			f->address == NOWHERE;
	}
	right = right && STATUS(endpoint_reply, a->self, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK;
	a->seen = right ? median() : 0;
}

TEST(fault_round_trip)
{
	/* The thread reads where nothing is, again and again. */
	struct actor *a = process_new(read_nowhere);
	struct actor *handler = process_new(handle_faults);
	cap_t ep = new_endpoint();

	a->arg[0] = NOWHERE;
	actor_configure(a, CAP_NONE, ep, CAP_NONE);
	handler->arg[0] = actor_give(handler, ep, RIGHT_RECEIVE, 0);
	actor_start(handler);
	yield();
	actor_start(a);
	actor_await(handler);
	CHECK(handler->seen != 0 && a->seen == 0);
	bench_report("fault_round_trip_instr", handler->seen, "instructions");
}

/* ---- calls ---- */

static void unpark(void)
{
	(void)sys_call3(SYS_thread_unpark, own, 0, 0);
}

static void poll_idle(void)
{
	(void)sys_call3(SYS_notification_wait, bits, 0, 0);
}

static void yield_alone(void)
{
	(void)sys_call3(SYS_thread_yield, own, 0, 0);
}

TEST(null_call)
{
	own = start->thread;
	bits = new_notification();
	bench_report("null_syscall_instr", measure(unpark), "instructions");
	bench_report("poll_idle_instr", measure(poll_idle), "instructions");
	bench_report("yield_alone_instr", measure(yield_alone), "instructions");
}

static void yield_for_ever(struct actor *a)
{
	for (;;)
		(void)sys_call3(SYS_thread_yield, a->self, 0, 0);
}

TEST(yield_to_another)
{
	struct actor *a = process_new(yield_for_ever);

	own = start->thread;
	actor_start(a);
	/* There and back are two. */
	bench_report("yield_instr", measure(yield_alone) / 2, "instructions");
}

/* ---- memory ---- */

#define MAP_AT 0x500000000000ull
#define MANY   64

static cap_t mapped;
static uint64_t mapped_pages;
static bool touches;

static void map_and_unmap(void)
{
	(void)SYS(aspace_map, start->aspace, mapped, MAP_AT, 0, mapped_pages, MAP_READ | MAP_WRITE);
	for (uint64_t i = 0; touches && i < mapped_pages; i++)
		*(volatile char *)(MAP_AT + i * MEMORY_PAGE) = 1;
	(void)SYS(aspace_unmap, start->aspace, MAP_AT, mapped_pages);
}

/* Pages that are there: without and with the faults that enter them. */
static void map_pages(uint64_t pages, const char *plain, const char *touched)
{
	mapped = new_memory(pages);
	mapped_pages = pages;
	CHECK(STATUS(memory_commit, mapped, 0, pages) == ST_OK);
	touches = false;
	bench_report(plain, measure(map_and_unmap), "instructions");
	touches = true;
	bench_report(touched, measure(map_and_unmap), "instructions");
}

TEST(map_unmap)
{
	map_pages(1, "map_unmap_1_page_instr", "map_touch_unmap_1_page_instr");
	map_pages(MANY, "map_unmap_64_pages_instr", "map_touch_unmap_64_pages_instr");
}

static void protect_and_back(void)
{
	(void)SYS(aspace_protect, start->aspace, MAP_AT, 1, MAP_READ);
	(void)SYS(aspace_protect, start->aspace, MAP_AT, 1, MAP_READ | MAP_WRITE);
}

TEST(protect)
{
	mapped = new_memory(1);
	CHECK(STATUS(aspace_map, start->aspace, mapped, MAP_AT, 0, 1, MAP_READ | MAP_WRITE) ==
	      ST_OK);
	*(volatile char *)MAP_AT = 1;
	bench_report("protect_twice_instr", measure(protect_and_back), "instructions");
	CHECK(STATUS(aspace_unmap, start->aspace, MAP_AT, 1) == ST_OK);
}

/* ---- pieces between two preemption points, at their longest ---- */

static cap_t other;

/* The mean of `once`, each after another `prepare`. */
static uint64_t measure_after(void (*prepare)(void), void (*once)(void))
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		prepare();
		uint64_t before = cycle_count();
		once();
		if (i >= WARM)
			sum += cycle_count() - before - empty();
	}
	return sum / ROUNDS;
}

static void write_many(void)
{
	(void)SYS(memory_decommit, other, 0, MANY);
	for (uint64_t i = 0; i < MANY; i++)
		*(volatile char *)(MAP_AT + i * MEMORY_PAGE) = 1;
}

static void share_many(void)
{
	(void)SYS(memory_share, other, mapped, 0, 0, MANY, SHARE_COPY);
}

static void decommit_many(void)
{
	(void)SYS(memory_decommit, mapped, 0, MANY);
}

static void commit_many(void)
{
	(void)SYS(memory_commit, mapped, 0, MANY);
}

TEST(share_and_decommit)
{
	mapped = new_memory(MANY);
	other = new_memory(MANY);
	CHECK(STATUS(aspace_map, start->aspace, mapped, MAP_AT, 0, MANY, MAP_READ | MAP_WRITE) ==
	      ST_OK);
	bench_report("share_64_pages_instr", measure_after(write_many, share_many), "instructions");
	bench_report("decommit_64_pages_instr", measure_after(write_many, decommit_many),
		     "instructions");
	bench_report("commit_64_pages_instr", measure_after(decommit_many, commit_many),
		     "instructions");
	CHECK(STATUS(aspace_unmap, start->aspace, MAP_AT, MANY) == ST_OK);
}

static void touch_device(void)
{
	(void)SYS(aspace_map, start->aspace, start->device, MAP_AT, 0xfe000, 1024, MAP_READ);
	(void)*(volatile char *)MAP_AT;
	(void)SYS(aspace_unmap, start->aspace, MAP_AT, 1024);
}

TEST(device)
{
	bench_report("map_device_instr", measure(touch_device), "instructions");
}
