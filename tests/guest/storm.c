/* SPDX-License-Identifier: MIT */
#include "storm.h"
#include "console.h"
#include "job.h"
#include <abi/node.h>
#include <abi/status.h>
#include <stdatomic.h>

#define SPACES 4
#define ALL    0xffffu
#define PART   20 /* its subtree is about so much smaller than the whole */

static struct {
	cap_t space[SPACES];
	cap_t *handle; /* in the space of its index, modulo their number */
	unsigned count;
	cap_t root; /* in the program's own space */
	_Atomic unsigned ready;
	_Atomic bool go, over;
} storm;

/* A number below `n`; each actor has a seed of its own. */
static uint64_t chance(uint64_t *seed, uint64_t n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 33) % n;
}

/* Makes `a` run on one CPU, or what stands for it on a machine with fewer. */
static cap_t sched_for(unsigned cpu)
{
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
	uint64_t rank = SYS(sched_read, start->sched).out[1];

	if (STATUS(sched_configure, sched, rank, 0, 0, 1ull << cpu % start->cpus) != ST_OK)
		give_up("a CPU for an actor", 0);
	return sched;
}

static void pin(struct actor *a, unsigned cpu)
{
	actor_configure(a, sched_for(cpu), CAP_NONE, CAP_NONE);
}

static uint64_t lock_waits(uint64_t cpu)
{
	struct node_counters n;

	SYS(node_counters, start->node, cpu, &n, sizeof(n));
	return n.lock_waits;
}

/* All actors of a storm begin together. */
static void together(void)
{
	atomic_fetch_add(&storm.ready, 1);
	while (!atomic_load(&storm.go))
		continue;
}

static void start_together(struct actor *const list[], unsigned count)
{
	atomic_store(&storm.ready, 0);
	atomic_store(&storm.go, false);
	atomic_store(&storm.over, false);
	for (unsigned i = 0; i < count; i++) {
		pin(list[i], i);
		actor_start(list[i]);
	}
	while (atomic_load(&storm.ready) < count)
		yield();
	atomic_store(&storm.go, true);
}

/* ---- revoking ---- */

static cap_t space_of(unsigned i)
{
	return storm.space[i % SPACES];
}

/* A tree by chance: each hangs below one of those before it. */
static void grow_tree(unsigned count)
{
	uint64_t seed = test_seed();

	storm.count = 0;
	storm.handle = new_pages(count * sizeof(cap_t) / MEMORY_PAGE + 1);
	for (unsigned i = 0; i < SPACES; i++)
		storm.space[i] = new_space();
	storm.root = copy_of(new_endpoint(), ALL, 0);
	while (storm.count < count) {
		unsigned i = storm.count;
		unsigned from = i == 0 ? 0 : (unsigned)chance(&seed, i);
		struct sys_result r =
			i == 0 ? SYS(cap_copy, space_of(0), start->cspace, storm.root, ALL, 0)
			       : SYS(cap_copy, space_of(i), space_of(from), storm.handle[from], ALL,
				     0);
		if (r.status == ST_TOO_BIG)
			continue; /* too deep */
		CHECK(r.status == ST_OK);
		storm.handle[storm.count++] = r.out[0];
	}
}

static void revoke_all(struct actor *a)
{
	together();
	a->arg[0] = (uint64_t)(int64_t)STATUS(cap_revoke, start->cspace, storm.root);
	atomic_store(&storm.over, true);
}

static void revoke_part(struct actor *a)
{
	together();
	a->arg[0] = (uint64_t)(int64_t)STATUS(cap_revoke, space_of(PART), storm.handle[PART]);
}

/* Counts what should not be: answers that none may give, and capabilities that were alive when
 * the revoke had returned. */
static void derive_on(struct actor *a)
{
	uint64_t seed = 77, wrong = 0;

	together();
	for (unsigned i = 0; i < 100 || !atomic_load(&storm.over); i++) {
		unsigned from = (unsigned)chance(&seed, storm.count);
		bool was_over = atomic_load(&storm.over);
		status_t st =
			STATUS(cap_copy, space_of(i), space_of(from), storm.handle[from], ALL, 0);
		wrong += st != ST_OK && st != ST_BAD_CAP && st != ST_REVOKED && st != ST_TOO_BIG &&
			 st != ST_NO_MEMORY;
		wrong += was_over && st != ST_BAD_CAP;
		for (volatile unsigned n = 0; n < 50000; n++) /* not to hold the others up */
			continue;
	}
	a->arg[0] = wrong;
}

/* Makes calls on what is its own. From here to there its CPU waits for nobody: before and after,
 * others put the actor there. */
static void stand_by(struct actor *a)
{
	uint64_t wrong = 0, worst = 0, calls = 0;

	together();
	uint64_t waits = lock_waits(a->arg[3]);
	while (!atomic_load(&storm.over)) {
		uint64_t before = cycle_count();
		struct sys_result r =
			SYS(cap_copy, a->arg[1], start->cspace, a->arg[2], RIGHT_SIGNAL, 0);
		wrong += r.status != ST_OK;
		wrong += STATUS(cap_drop, a->arg[1], r.out[0]) != ST_OK;
		wrong += STATUS(notification_signal, a->arg[2], 1) != ST_OK;
		uint64_t cycles = cycle_count() - before;
		worst = cycles > worst ? cycles : worst;
		calls += 3;
	}
	a->arg[0] = wrong;
	a->arg[1] = worst;
	a->arg[2] = calls;
	a->seen = lock_waits(a->arg[3]) - waits;
}

void storm_revoke(unsigned count)
{
	struct actor *const list[] = { actor_new(revoke_all), actor_new(revoke_part),
				       actor_new(derive_on), actor_new(stand_by) };
	struct actor *bystander = list[3];

	grow_tree(count);
	CHECK(storm.count == count);
	bystander->arg[1] = new_space();
	bystander->arg[2] = new_notification();
	bystander->arg[3] = 3 % start->cpus;
	/* This program stays on CPU 0: where it waited, others would come for it. */
	SYS(thread_configure, start->thread, sched_for(0));
	yield();
	start_together(list, ARRAY_LEN(list));
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		actor_await(list[i]);
	SYS(thread_configure, start->thread, start->sched);
	say("storm: %lu calls beside it, the slowest three in %lu cycles", bystander->arg[2],
	    bystander->arg[1]);
	/* Whose objects are others waits for nobody, if he has a CPU of his own. */
	if (start->cpus > 3)
		CHECK(bystander->seen == 0);
	CHECK((int64_t)list[0]->arg[0] == ST_OK && list[2]->arg[0] == 0 && bystander->arg[0] == 0);
	CHECK((int64_t)list[1]->arg[0] == ST_OK || (int64_t)list[1]->arg[0] == ST_BAD_CAP);
	for (unsigned i = 0; i < count; i++)
		CHECK(STATUS(cap_inspect, space_of(i), storm.handle[i]) == ST_BAD_CAP);
	CHECK(STATUS(cap_inspect, start->cspace, storm.root) == ST_OK);
	CHECK(STATUS(cap_copy, space_of(0), start->cspace, storm.root, ALL, 0) == ST_OK);
}

/* ---- what changes its place in one piece ---- */

/* A capability with `count` children, in a space of its own. */
static cap_t with_children(cap_t space, unsigned count)
{
	cap_t parent = copy_of(new_endpoint(), ALL, 0);

	for (unsigned i = 0; i < count; i++) {
		if (STATUS(cap_copy, space, start->cspace, parent, ALL, 0) != ST_OK)
			give_up("children", 0);
	}
	return parent;
}

void storm_heirs(unsigned count)
{
	struct actor *a = job_process();
	struct msg_block *block = own_block();
	cap_t ep = new_endpoint(), space = new_space();

	/* Four at once, in a message. */
	JOB(a, endpoint_receive, actor_give(a, ep, RIGHT_RECEIVE, 0), NEVER);
	CHECK(job_waits(a));
	for (unsigned i = 0; i < MSG_CAPS; i++)
		block->cap[i] = (struct msg_cap){ .handle = with_children(space, count),
						  .rights = ALL,
						  .flags = MSG_CAP_MOVE };
	(void)SYS(endpoint_call, ep, MSG_INFO(1, 0, MSG_CAPS), 1);
	CHECK(job_end(a).status == ST_OK);
	CHECK(STATUS(cap_inspect, start->cspace, block->cap[0].handle) == ST_BAD_CAP);
	/* One goes, with more children than change their parent in one piece. */
	cap_t parent = with_children(space, 5 * count);
	CHECK(STATUS(cap_move, start->cspace, start->cspace, parent) == ST_TOO_BIG);
	CHECK(STATUS(cap_drop, start->cspace, parent) == ST_OK);
	CHECK(STATUS(object_destroy, space) == ST_OK);
}

/* ---- destroying ---- */

void storm_destroy(unsigned count)
{
	cap_t space = new_space();

	for (unsigned i = 0; i < count; i++)
		CHECK(STATUS(cap_copy, space, start->cspace, quota, ALL, 0) == ST_OK);
	CHECK(STATUS(object_destroy, space) == ST_OK);

	space = new_space();
	cap_t q = new_quota(32 << 20);
	for (unsigned i = 0; i < count; i++) {
		struct sys_result r = SYS(endpoint_create, q);
		CHECK(r.status == ST_OK);
		CHECK(STATUS(cap_copy, space, start->cspace, r.out[0], ALL, 0) == ST_OK);
	}
	CHECK(STATUS(object_destroy, q) == ST_OK);
	CHECK(STATUS(object_destroy, space) == ST_OK);
}

/* ---- spaces that come and go ---- */

static uint64_t interrupts(unsigned cpu)
{
	struct node_counters n;

	SYS(node_counters, start->node, cpu, &n, sizeof(n));
	return n.interrupts;
}

/* Stays in user mode, where only interrupts disturb it, until it is told to stop. */
static void sit_still(struct actor *a)
{
	(void)a;
	together();
	while (!atomic_load(&storm.over))
		continue;
}

static void make_spaces(struct actor *a)
{
	uint64_t wrong = 0;

	together();
	for (uint64_t i = 0; i < a->arg[0]; i++) {
		struct sys_result r = SYS(cspace_create, quota);
		wrong += r.status != ST_OK || STATUS(object_destroy, r.out[0]) != ST_OK;
	}
	a->seen = wrong;
	atomic_store(&storm.over, true);
}

void storm_spaces(unsigned count)
{
	struct actor *const list[] = { actor_new(make_spaces), actor_new(sit_still) };
	unsigned cpu = 1 % start->cpus;

	list[0]->arg[0] = count;
	uint64_t before = interrupts(cpu);
	uint64_t began = time_before();
	start_together(list, ARRAY_LEN(list));
	actor_await(list[0]);
	actor_await(list[1]);
	CHECK(list[0]->seen == 0);
	/* Each end waits for every CPU to have been outside the kernel. The kernel asks for that
	 * at most every quarter of a millisecond; a time slice is longer than that. */
	uint64_t most = (time_before() - began) / (MS / 4) * 2 + 10;
	say("storm: %lu interrupts, at most %lu", interrupts(cpu) - before, most);
	if (start->cpus > 1)
		CHECK(interrupts(cpu) - before <= most);
}

/* ---- memory ---- */

void storm_memory(uint64_t pages)
{
	cap_t from = new_memory(pages), to = new_memory(pages);

	CHECK(STATUS(memory_commit, from, 0, pages) == ST_OK);
	char *at = map(from, pages, MAP_READ | MAP_WRITE);
	for (uint64_t i = 0; i < pages; i++)
		at[i * MEMORY_PAGE] = 1;
	CHECK(STATUS(memory_share, to, from, 0, 0, pages, SHARE_COPY) == ST_OK);
	for (uint64_t i = 0; i < pages; i += 2) /* each is copied */
		at[i * MEMORY_PAGE] = 2;
	CHECK(STATUS(aspace_protect, start->aspace, at, pages, MAP_READ) == ST_OK);
	CHECK(STATUS(memory_seal, to) == ST_OK);
	CHECK(STATUS(aspace_unmap, start->aspace, at, pages) == ST_OK);
	CHECK(STATUS(memory_decommit, from, 0, pages / 2) == ST_OK);
	CHECK(STATUS(object_destroy, from) == ST_OK);
	CHECK(STATUS(object_destroy, to) == ST_OK);
}

/* ---- handles that named something ---- */

#define NAMES 32

static struct {
	cap_t target[2]; /* notifications; only the first is ever named by what is dropped */
	_Atomic(cap_t) handle;
	_Atomic uint64_t dropped; /* handles up to this round are dead */
	_Atomic uint64_t round;
} stale;

/* Makes capabilities with a badge and drops them, over and over in the same few slots. */
static void come_and_go(struct actor *a)
{
	uint64_t wrong = 0;

	together();
	for (uint64_t i = 1; i <= a->arg[0]; i++) {
		struct sys_result r = SYS(cap_copy, start->cspace, start->cspace, stale.target[0],
					  RIGHT_SIGNAL, 1ull << i % 64);
		wrong += r.status != ST_OK;
		atomic_store(&stale.round, 0); /* the handle changes */
		atomic_store(&stale.handle, r.out[0]);
		atomic_store(&stale.round, i);
		wrong += STATUS(notification_signal, r.out[0], UINT64_MAX) != ST_OK;
		wrong += STATUS(cap_drop, start->cspace, r.out[0]) != ST_OK;
		atomic_store(&stale.dropped, i);
	}
	a->seen = wrong;
	atomic_store(&storm.over, true);
}

/* Uses what it saw, again and again, and what it makes of it. Who was dropped before the call began
 * must not be found; what is found is the capability of the moment. */
static void use_all(struct actor *a)
{
	static const uint64_t flip[] = { 0, 1ull << 32, 2ull << 32, 1, 1ull << 63, 64 };
	cap_t seen[NAMES] = { 0 };
	uint64_t round[NAMES] = { 0 };
	uint64_t seed = a->arg[1], wrong = 0;

	together();
	for (unsigned i = 0; i < 1000 || !atomic_load(&storm.over); i++) {
		uint64_t at = chance(&seed, NAMES);
		if (i % 8 == 0) {
			round[at] = atomic_load(&stale.round);
			seen[at] = atomic_load(&stale.handle);
			if (round[at] == 0 || atomic_load(&stale.round) != round[at])
				seen[at] = CAP_NONE;
		}
		bool was_dropped = round[at] <= atomic_load(&stale.dropped);
		status_t st = STATUS(notification_signal, seen[at], UINT64_MAX);
		wrong += st != ST_BAD_CAP && (was_dropped || st != ST_OK);
		/* A guess finds that capability, or one of the program's own, or nothing. */
		cap_t guess = seen[at] ^ flip[i % ARRAY_LEN(flip)] ^ chance(&seed, 64);
		if (guess != stale.target[0] && guess != stale.target[1])
			(void)STATUS(cap_inspect, start->cspace, guess);
	}
	a->seen = wrong;
}

void storm_stale(unsigned rounds)
{
	struct actor *const list[] = { actor_new(come_and_go), actor_new(use_all),
				       actor_new(use_all), actor_new(use_all) };

	stale.target[0] = new_notification();
	stale.target[1] = new_notification();
	for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
		list[i]->arg[0] = rounds;
		list[i]->arg[1] = test_seed() + i;
	}
	start_together(list, ARRAY_LEN(list));
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		actor_await(list[i]);
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		CHECK(list[i]->seen == 0);
	CHECK(SYS(notification_wait, stale.target[0], 0).out[1] != 0);
	CHECK(STATUS(notification_wait, stale.target[1], 0) == ST_WOULD_BLOCK);
}

/* ---- what a quota can't pay ---- */

#define BOMB (4ull << 20)

/* Handles that the one who fills a quota has. */
struct means {
	cap_t quota, space, aspace, cspace, sched;
};

static struct sys_result make_one(const struct means *m, unsigned kind)
{
	struct sys_result r;

	switch (kind) {
	case 0:
		return SYS(endpoint_create, m->quota);
	case 1:
		return SYS(notification_create, m->quota);
	case 2:
		return SYS(cspace_create, m->quota);
	case 3:
		return SYS(aspace_create, m->quota, CAP_NONE, ASPACE_PLAIN);
	case 4:
		return SYS(thread_create, m->quota, m->aspace, m->cspace);
	case 5:
		return SYS(quota_create, m->quota, BOMB, 0);
	case 6:
		return SYS(sched_create, m->quota, m->sched);
	case 7:
		return SYS(reply_create, m->quota);
	case 8:
		r = SYS(memory_create, m->quota, 64, 0);
		if (r.status == ST_OK)
			r.status = STATUS(memory_commit, r.out[0], 0, 64);
		return r;
	default:
		return SYS(cap_copy, m->space, m->cspace, m->quota, ALL, 0);
	}
}

#define KINDS 10

/* Makes things of one kind until there is no memory; tells how many. */
static void fill(struct actor *a)
{
	struct means *m = (struct means *)(a + 1);
	status_t st;

	a->arg[1] = 0;
	while ((st = make_one(m, (unsigned)a->arg[0]).status) == ST_OK)
		a->arg[1]++;
	a->seen = st == ST_NO_MEMORY;
}

/* Who fills has a space of his own, as spaces do not shrink. */
void storm_bomb(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct actor *a = process_new(fill);
		struct means *m = (struct means *)(a + 1);
		cap_t q = new_quota(BOMB);

		m->quota = actor_give(a, q, ALL, 0);
		m->cspace = actor_give(a, a->cspace, ALL, 0);
		m->aspace = actor_give(a, a->aspace, ALL, 0);
		m->sched = actor_give(a, start->sched, ALL, 0);
		struct sys_result r = SYS(cspace_create, q);
		CHECK(r.status == ST_OK);
		m->space = actor_give(a, r.out[0], ALL, 0);
		a->arg[0] = kind;
		actor_start(a);
		actor_await(a);
		CHECK(a->seen == 1 && a->arg[1] > 0);
		struct sys_result books = SYS(quota_read, q);
		CHECK(books.out[0] <= BOMB && books.out[2] <= BOMB && books.out[1] == BOMB);
		/* Others are as well off as before. */
		CHECK(STATUS(endpoint_create, quota) == ST_OK);
		CHECK(*(volatile char *)new_pages(16) == 0);
		CHECK(STATUS(object_destroy, q) == ST_OK);
		CHECK(STATUS(quota_read, q) == ST_BAD_CAP);
		CHECK(STATUS(object_destroy, a->thread) == ST_OK);
		CHECK(STATUS(object_destroy, a->cspace) == ST_OK);
		CHECK(STATUS(object_destroy, a->aspace) == ST_OK);
	}
}

TEST(storm_revoke)
{
	storm_revoke(100000);
}

TEST(storm_heirs)
{
	storm_heirs(256);
}

TEST(storm_destroy)
{
	storm_destroy(3000);
}

TEST(storm_memory)
{
	storm_memory(2048);
}

TEST(storm_spaces)
{
	storm_spaces(200);
}

TEST(storm_stale)
{
	storm_stale(5000);
}

TEST(storm_bomb)
{
	storm_bomb();
}

/* The last capability to a space is dropped, and everybody waits: the machine ends the space when
 * it has nothing else to do, and takes interrupts meanwhile. */
TEST(storm_idle_machine_ends_what_was_dropped)
{
	uint64_t t = time_before();

	for (unsigned i = 0; i < 20; i++) {
		cap_t space = new_space();
		for (unsigned n = 0; n < 500; n++)
			CHECK(STATUS(cap_copy, space, start->cspace, quota, 0, 0) == ST_OK);
		CHECK(STATUS(cap_drop, start->cspace, space) == ST_OK);
		t += 5 * MS;
		sleep_until(t);
	}
}
