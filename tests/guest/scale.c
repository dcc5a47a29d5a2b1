/* SPDX-License-Identifier: MIT */
/* Threads on CPUs of their own that work on objects of their own take nothing from each other: no
 * lock that somebody waits for and, where the cycle counter counts the instructions of all CPUs
 * together (-icount), no more of them for each operation than one thread alone needs. */
#include "scale.h"
#include <abi/node.h>
#include <abi/status.h>

#include <stdatomic.h>

#define PAGES 16 /* as many as a CPU and a quota keep at hand */
#define PLACE 0x2000000000ull

/* Lies behind the struct actor in the page that both sides see. */
struct work {
	uint64_t rounds;
	cap_t ep, aspace, memory, done;
	uint64_t bit;
	uint64_t wrong;
	unsigned count; /* of those who begin and end together; 0: each for himself */
	struct gate *gate;
	cap_t node; /* who has it looks at the counters when all are there */
	uint64_t waits;
};

/* In a page that all see. */
struct gate {
	_Atomic unsigned ready, finished;
	_Atomic bool open;
};

static struct work *work_of(struct actor *a)
{
	return (struct work *)(a + 1);
}

static void answer(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, work_of(a)->ep, NEVER);

	while (r.status == ST_OK)
		r = SYS(endpoint_reply_receive, work_of(a)->ep, MSG_INFO(2, 0, 0), NEVER);
}

static uint64_t lock_waits(cap_t node)
{
	struct node_counters n;
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < SCALE_CPUS; cpu++) {
		SYS(node_counters, node, cpu, &n, sizeof(n));
		sum += n.lock_waits;
	}
	return sum;
}

/* Nobody goes on before all are there, and none of them is in the kernel while it is counted. */
static void begin(struct work *w)
{
	if (w->count == 0)
		return;
	atomic_fetch_add(&w->gate->ready, 1);
	if (w->node != CAP_NONE) {
		while (atomic_load(&w->gate->ready) < w->count)
			continue;
		w->waits = lock_waits(w->node);
		atomic_store(&w->gate->open, true);
	}
	while (!atomic_load(&w->gate->open))
		continue;
}

static void finish(struct work *w)
{
	if (w->count != 0) {
		atomic_fetch_add(&w->gate->finished, 1);
		while (atomic_load(&w->gate->finished) < w->count)
			continue;
		if (w->node != CAP_NONE) {
			w->waits = lock_waits(w->node) - w->waits;
			atomic_store(&w->gate->open, false);
		}
		while (atomic_load(&w->gate->open))
			continue;
	}
	SYS(notification_signal, w->done, w->bit);
}

static void calls(struct actor *a)
{
	struct work *w = work_of(a);

	/* After the first the server waits for the next. */
	w->wrong += STATUS(endpoint_call, w->ep, MSG_INFO(1, 0, 0), NEVER) != ST_OK;
	begin(w);
	for (uint64_t i = 0; i < w->rounds; i++)
		w->wrong += STATUS(endpoint_call, w->ep, MSG_INFO(1, 0, 0), NEVER) != ST_OK;
	finish(w);
}

static void maps(struct actor *a)
{
	struct work *w = work_of(a);

	begin(w);
	for (uint64_t i = 0; i < w->rounds; i++) {
		w->wrong += STATUS(aspace_map, w->aspace, w->memory, PLACE, 0, 1,
				   MAP_READ | MAP_WRITE) != ST_OK;
		w->wrong += STATUS(aspace_unmap, w->aspace, PLACE, 1) != ST_OK;
	}
	finish(w);
}

static void faults(struct actor *a)
{
	struct work *w = work_of(a);

	begin(w);
	w->wrong += STATUS(aspace_map, w->aspace, w->memory, PLACE, 0, PAGES,
			   MAP_READ | MAP_WRITE) != ST_OK;
	for (uint64_t i = 0; i < w->rounds; i++) {
		volatile char *page = (volatile char *)(PLACE + i % PAGES * MEMORY_PAGE);
		w->wrong += *page != 0;
		*page = 1;
		if (i % PAGES == PAGES - 1)
			w->wrong += STATUS(memory_decommit, w->memory, 0, PAGES) != ST_OK;
	}
	finish(w);
}

static void pin(struct actor *a, unsigned cpu)
{
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
	uint64_t rank = SYS(sched_read, start->sched).out[1];

	if (STATUS(sched_configure, sched, rank, 0, 0, 1ull << cpu) != ST_OK)
		give_up("a CPU for an actor", 0);
	actor_configure(a, sched, CAP_NONE, CAP_NONE);
}

/* A process, paid by a quota of its own as all that it has, that does `run` on one CPU. */
static struct actor *worker(void (*run)(struct actor *), unsigned cpu, cap_t done)
{
	cap_t whole = quota;

	quota = new_quota(8 << 20);
	struct actor *a = process_new(run);
	struct work *w = work_of(a);
	*w = (struct work){ .rounds = SCALE_ROUNDS, .bit = 1ull << cpu };
	w->aspace = actor_give(a, a->aspace, RIGHT_MANAGE, 0);
	w->memory = actor_give(a, new_memory(PAGES), RIGHT_READ | RIGHT_WRITE | RIGHT_MAP, 0);
	w->done = actor_give(a, done, RIGHT_SIGNAL, w->bit);
	pin(a, cpu);
	if (run == calls) {
		struct actor *server = process_new(answer);
		cap_t ep = new_endpoint();
		w->ep = actor_give(a, ep, RIGHT_CALL, 1);
		work_of(server)->ep = actor_give(server, ep, RIGHT_RECEIVE, 0);
		pin(server, cpu);
		actor_start(server);
	}
	quota = whole;
	return a;
}

/* Lets `count` workers do `rounds` operations each, beginning together or not; cycles for each
 * operation. */
static uint64_t cost(void (*run)(struct actor *), unsigned count, bool together, struct scale *out)
{
	cap_t done = new_notification(), page = new_memory(1);
	struct gate *gate = map(page, 1, MAP_READ | MAP_WRITE);
	struct actor *a[SCALE_CPUS];
	uint64_t left = 0;

	for (unsigned i = 0; i < count; i++) {
		a[i] = worker(run, i, done);
		struct work *w = work_of(a[i]);
		if (together) {
			w->count = count;
			w->gate = gate;
			actor_map(a[i], page, gate, 1, MAP_READ | MAP_WRITE);
			w->node = i == 0 ? actor_give(a[i], start->node, RIGHT_COUNTERS, 0)
					 : CAP_NONE;
		}
		left |= 1ull << i;
	}
	yield(); /* servers wait now */
	uint64_t begin = cycle_count();
	for (unsigned i = 0; i < count; i++)
		actor_start(a[i]);
	while (left != 0)
		left &= ~SYS(notification_wait, done, NEVER).out[1];
	uint64_t cycles = cycle_count() - begin;
	for (unsigned i = 0; i < count; i++)
		out->wrong += work_of(a[i])->wrong;
	out->waits = work_of(a[0])->waits;
	return cycles / (count * SCALE_ROUNDS);
}

static void (*const kinds[])(struct actor *) = {
	[SCALE_CALLS] = calls,
	[SCALE_MAPS] = maps,
	[SCALE_FAULTS] = faults,
};

void scale_cost(enum scale_kind kind, struct scale *out)
{
	*out = (struct scale){ 0 };
	out->alone = cost(kinds[kind], 1, false, out);
	out->together = cost(kinds[kind], SCALE_CPUS, false, out);
}

void scale_waits(enum scale_kind kind, struct scale *out)
{
	*out = (struct scale){ 0 };
	out->together = cost(kinds[kind], SCALE_CPUS, true, out);
}
