/* SPDX-License-Identifier: MIT */
/* Random calls of several processes at once, on all CPUs, that end with their quotas: the node
 * goes on, and nothing is left. */
#include "job.h"
#include <stdatomic.h>

#define PROCESSES 4
#define THREADS   2 /* of each, in the same spaces */
#define HANDLES   8 /* that are remembered of each type */
#define CAPS      5 /* of a call */
#define BUFFER    (4 * MEMORY_PAGE)

/* What the threads of a process have in common, in pages of their own. */
struct storm {
	_Atomic bool go;
	_Atomic uint64_t calls, passed;
	_Atomic uint64_t next;                       /* place in `handle` */
	_Atomic uint64_t handle[OBJ_TYPES][HANDLES]; /* that they know of */
	uint64_t buffer;
};

static uint64_t stir(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* The types that each call wants, and the type that it makes. */
#define C(type, right) OBJ_##type,
#define O(type, right) OBJ_##type,
static const uint8_t wants[64][CAPS] = {
#define SYSCALL(nr, name, mode, list) [nr] = { list },
#include <abi/syscall.def>
#undef SYSCALL
};

static const uint8_t makes[64] = {
	[SYS_quota_create] = OBJ_QUOTA,
	[SYS_cspace_create] = OBJ_CSPACE,
	[SYS_memory_create] = OBJ_MEMORY,
	[SYS_memory_view] = OBJ_MEMORY,
	[SYS_aspace_create] = OBJ_ASPACE,
	[SYS_thread_create] = OBJ_THREAD,
	[SYS_endpoint_create] = OBJ_ENDPOINT,
	[SYS_reply_create] = OBJ_REPLY,
	[SYS_notification_create] = OBJ_NOTIFICATION,
	[SYS_timer_create] = OBJ_TIMER,
};

static uint64_t handle_of(struct storm *s, unsigned type, uint64_t chance)
{
	return atomic_load(&s->handle[type % OBJ_TYPES][chance % HANDLES]) +
	       ((chance >> 8) % 64 == 0);
}

static uint64_t any_handle(struct storm *s, uint64_t chance)
{
	return handle_of(s, (unsigned)(chance >> 16 & 0xf), chance);
}

static uint64_t any_argument(struct storm *s, uint64_t chance)
{
	switch (chance >> 60) {
	case 0:
		return 0;
	case 1:
		return chance & 0xf;
	case 2:
		return 1ull << (chance & 63);
	case 3:
		return UINT64_MAX - (chance & 0xffff);
	case 4:
	case 5:
		return s->buffer + chance % BUFFER;
	case 6:
		return s->buffer + chance % 32 * MEMORY_PAGE;
	case 7:
		return MSG_INFO(chance & 0xff, chance >> 8 & 0x3ff, chance >> 20 & 7);
	case 8:
		return chance;
	case 9:
		return (chance & 0xff) * MEMORY_PAGE;
	default:
		return any_handle(s, chance);
	}
}

static void one_call(struct actor *a, struct storm *s, uint64_t *chance)
{
	uint64_t number = stir(chance) % 64, arg[6];

	/* So that most threads have a future. */
	if (number == SYS_object_destroy && stir(chance) % 8 != 0)
		number = SYS_thread_unpark;
	for (unsigned i = 0; i < 6; i++)
		arg[i] = any_argument(s, stir(chance));
	for (unsigned i = 0; i < CAPS; i++) {
		if (wants[number][i] != OBJ_NONE && stir(chance) % 16 != 0)
			arg[i] = handle_of(s, wants[number][i], stir(chance));
	}
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		uint64_t with = stir(chance);
		a->block->cap[i] = (struct msg_cap){ any_handle(s, with), (rights_t)(with >> 16),
						     (uint16_t)(with >> 32 & 1), 0 };
	}
	struct sys_result r = sys_call6(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	atomic_fetch_add(&s->calls, 1);
	if (r.status == ST_OK)
		atomic_fetch_add(&s->passed, 1);
	if (r.status == ST_OK && makes[number] != OBJ_NONE)
		atomic_store(&s->handle[makes[number]][atomic_fetch_add(&s->next, 1) % HANDLES],
			     r.out[0]);
}

static void rage(struct actor *a)
{
	struct storm *s = (struct storm *)a->arg[0];
	uint64_t chance = a->arg[1];

	while (!atomic_load(&s->go))
		SYS(thread_yield, a->self);
	for (;;)
		one_call(a, s, &chance);
}

struct process {
	cap_t quota;
	cap_t shared;        /* not its own: it can't take that away */
	struct storm *storm; /* in there */
	cap_t thread[THREADS];
};

/* What it may have, each of it several times. */
static void give_all(struct process *p, struct actor *a, cap_t memory, cap_t sched, cap_t common)
{
	const rights_t little = RIGHT_COPY | RIGHT_SEND;
	const struct {
		unsigned type;
		cap_t cap;
		rights_t rights;
	} given[] = {
		{ OBJ_QUOTA, p->quota, 0xffff },
		{ OBJ_CSPACE, a->cspace, 0xffff },
		{ OBJ_ASPACE, a->aspace, 0xffff },
		{ OBJ_THREAD, p->thread[0], 0xffff },
		{ OBJ_THREAD, p->thread[1], 0xffff },
		{ OBJ_MEMORY, memory, 0xffff },
		{ OBJ_ENDPOINT, common, 0xffff & ~RIGHT_DESTROY },
		/* Priorities are none of its business, nor are power and interrupts. */
		{ OBJ_SCHED, sched, RIGHT_RUN | little },
		{ OBJ_NODE, start->node, RIGHT_LOG | RIGHT_COUNTERS | RIGHT_ENTROPY | little },
	};

	for (unsigned i = 0; i < HANDLES * ARRAY_LEN(given); i++) {
		unsigned k = i % ARRAY_LEN(given);
		p->storm->handle[given[k].type][(i / ARRAY_LEN(given) + k) % HANDLES] =
			actor_give(a, given[k].cap, given[k].rights, 0);
	}
}

static void begin(struct process *p, cap_t sched, cap_t common, uint64_t seed)
{
	cap_t outer = quota, memory;
	struct actor *a[THREADS];

	p->shared = new_memory(BUFFER / MEMORY_PAGE);
	p->storm = map(p->shared, BUFFER / MEMORY_PAGE, MAP_READ | MAP_WRITE);
	p->storm->buffer = (uint64_t)(p->storm + 1);
	p->quota = quota = new_quota(3ull << 20);
	a[0] = process_new(rage);
	a[1] = actor_beside(a[0], rage);
	memory = new_memory(16);
	quota = outer;
	actor_map(a[0], p->shared, p->storm, BUFFER / MEMORY_PAGE, MAP_READ | MAP_WRITE);
	for (unsigned i = 0; i < THREADS; i++) {
		p->thread[i] = a[i]->thread;
		actor_configure(a[i], sched, CAP_NONE, CAP_NONE);
		a[i]->arg[0] = (uint64_t)p->storm;
		a[i]->arg[1] = seed * THREADS + i;
	}
	give_all(p, a[0], memory, sched, common);
	/* From when they may go they can end everything at any moment. */
	for (unsigned i = 0; i < THREADS; i++)
		actor_start(a[i]);
	atomic_store(&p->storm->go, true);
}

static void end(struct process *p)
{
	SYS(object_destroy, p->quota); /* it may have done that itself */
	CHECK(STATUS(object_destroy, p->shared) == ST_OK);
}

/* True if one of them runs, or could. */
static bool is_alive(const struct process *p)
{
	struct arch_registers r;
	bool alive = false;

	for (unsigned i = 0; i < THREADS; i++)
		alive = alive || STATUS(thread_read_registers, p->thread[i], &r) == ST_BAD_STATE;
	return alive;
}

TEST(rage_of_processes_harms_nobody_else)
{
	struct process p[PROCESSES] = { 0 };
	cap_t common = new_endpoint(), sched = make(SYS_sched_create, start->sched, 0, 0);
	uint64_t calls = 0, passed = 0, wanted = test_rounds(50000), seed = test_seed() * 1000;
	uint64_t cpus = (1ull << start->cpus) - 1;

	/* Less urgent than this thread. */
	CHECK(STATUS(sched_configure, sched, 100 | 1024ull << 32, 0, 0, cpus) == ST_OK);
	for (unsigned i = 0; i < PROCESSES; i++)
		begin(&p[i], sched, common, seed++);
	while (calls < wanted) {
		sleep_until(time_before() + MS);
		for (unsigned i = 0; i < PROCESSES; i++) {
			if (is_alive(&p[i]))
				continue;
			calls += atomic_load(&p[i].storm->calls);
			passed += atomic_load(&p[i].storm->passed);
			end(&p[i]);
			begin(&p[i], sched, common, seed++);
		}
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		end(&p[i]);
	CHECK(passed > calls / 10);
	/* Messages, signals and memory are as good as ever. */
	struct actor *a = job_process();
	cap_t ep = new_endpoint(), entrance = actor_give(a, ep, RIGHT_CALL, 5);
	JOB(a, endpoint_call, entrance, MSG_INFO(1, 512, 0), NEVER);
	CHECK(SYS(endpoint_receive, ep, NEVER).out[1] == 5);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(2, 0, 0)) == ST_OK);
	CHECK(MSG_METHOD(job_end(a).out[0]) == 2);
}
