/* SPDX-License-Identifier: MIT */
/* Threads on CPUs of their own that work on objects of their own take nothing from each other: no
 * lock that somebody waits for and, where the cycle counter counts the instructions of all CPUs
 * together (-icount), no more of them for each operation than one thread alone needs. */
#include "scale.h"
#include "console.h"
#include <abi/node.h>
#include <abi/status.h>

#define PAGES 64
#define PLACE 0x2000000000ull

/* Lies behind the struct actor in the page that both sides see. */
struct work {
	uint64_t rounds;
	cap_t ep, aspace, memory, done;
	uint64_t bit;
	uint64_t wrong;
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

static void finish(struct work *w)
{
	SYS(notification_signal, w->done, w->bit);
}

static void calls(struct actor *a)
{
	struct work *w = work_of(a);

	for (uint64_t i = 0; i < w->rounds; i++)
		w->wrong += STATUS(endpoint_call, w->ep, MSG_INFO(1, 0, 0), NEVER) != ST_OK;
	finish(w);
}

static void maps(struct actor *a)
{
	struct work *w = work_of(a);

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
static struct actor *worker(void (*run)(struct actor *), unsigned cpu, cap_t done, uint64_t rounds)
{
	cap_t whole = quota;

	quota = new_quota(8 << 20);
	struct actor *a = process_new(run);
	struct work *w = work_of(a);
	*w = (struct work){ .rounds = rounds, .bit = 1ull << cpu };
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

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t lock_waits(void)
{
	struct node_counters n;
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < start->cpus; cpu++) {
		SYS(node_counters, start->node, cpu, &n, sizeof(n));
		sum += n.lock_waits;
	}
	return sum;
}

/* Cycles for each operation of `count` workers at once; what they did wrong is added to `wrong`. */
static uint64_t cost(void (*run)(struct actor *), unsigned count, uint64_t rounds, uint64_t *wrong)
{
	struct actor *a[SCALE_CPUS];
	cap_t done = new_notification();
	uint64_t left = 0;

	for (unsigned i = 0; i < count; i++) {
		a[i] = worker(run, i, done, rounds);
		left |= 1ull << i;
	}
	yield(); /* servers wait now */
	uint64_t begin = now();
	for (unsigned i = 0; i < count; i++)
		actor_start(a[i]);
	while (left != 0)
		left &= ~SYS(notification_wait, done, NEVER).out[1];
	uint64_t cycles = now() - begin;
	for (unsigned i = 0; i < count; i++)
		*wrong += work_of(a[i])->wrong;
	return cycles / (count * rounds);
}

static bool scale(const char *name, void (*run)(struct actor *), struct scale *out)
{
	uint64_t wrong = 0;

	out->alone = cost(run, 1, SCALE_ROUNDS, &wrong);
	uint64_t waits = lock_waits();
	out->together = cost(run, SCALE_CPUS, SCALE_ROUNDS, &wrong);
	out->waits = lock_waits() - waits;
	say("scale: %s: %lu cycles alone, %lu of four together, %lu waits for locks", name,
	    out->alone, out->together, out->waits);
	return wrong == 0;
}

bool scale_calls(struct scale *out)
{
	return scale("calls", calls, out);
}

bool scale_maps(struct scale *out)
{
	return scale("maps", maps, out);
}

bool scale_faults(struct scale *out)
{
	return scale("faults", faults, out);
}
