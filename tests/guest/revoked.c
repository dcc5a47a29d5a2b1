/* SPDX-License-Identifier: MIT */
/* When revoke returns, a call that found the capability before, on another CPU, is done or has
 * missed: nothing changes any more by what was revoked. */
#include "job.h"
#include "refuse.h"
#include <abi/device.h>
#include <lib/sys/calls.h>

#define PAGE   ((uint64_t)MEMORY_PAGE)
#define ROUNDS 30

/* What an actor does with the capability in arg[0], again and again until it is gone: `seen` counts
 * how often. */
static status_t (*deed)(struct actor *a);

static void do_until_gone(struct actor *a)
{
	while (deed(a) != ST_BAD_CAP)
		a->seen++;
}

/* An actor uses a capability while it is revoked. What `effect` tells of the object when revoke has
 * returned it tells when the actor has noticed. */
static bool is_late(cap_t object, uint64_t ahead, uint64_t (*effect)(cap_t object))
{
	cap_t mine = copy_of(object, 0xffff, 0);
	struct actor *a = actor_new(do_until_gone);

	a->arg[0] = copy_of(mine, 0xffff, 0);
	a->arg[1] = new_memory(1);
	a->arg[2] = (uint64_t)new_pages(1);
	actor_start(a);
	while (a->seen < ahead)
		yield();
	status_t st = sys_cap_revoke(start->cspace, mine);
	uint64_t then = effect(object);
	actor_await(a);
	return st != ST_OK || effect(object) != then;
}

static void race(status_t (*how)(struct actor *), cap_t (*make_object)(void),
		 uint64_t (*effect)(cap_t object))
{
	cap_t outer = quota;
	bool late = false;

	deed = how;
	for (uint64_t i = 0; i < test_rounds(ROUNDS) && !late; i++) {
		quota = new_quota(8 << 20);
		late = is_late(make_object(), i % 4, effect);
		(void)sys_object_destroy(quota);
		quota = outer;
	}
	CHECK(!late);
}

/* ---- quotas ---- */

static cap_t small_quota(void)
{
	return new_quota(1 << 20);
}

static status_t create(struct actor *a)
{
	status_t st = SYS(memory_create, a->arg[0], 1, MEMORY_CONTIGUOUS).status;

	return st == ST_NO_MEMORY ? SYS(quota_read, a->arg[0]).status : st;
}

TEST(revoked_quota_pays_for_nothing)
{
	race(create, small_quota, used_of);
}

static status_t resize(struct actor *a)
{
	return sys_quota_resize(a->arg[0], (1 << 20) + a->seen * PAGE, 0);
}

static uint64_t limit_of(cap_t q)
{
	return SYS(quota_read, q).out[1];
}

TEST(revoked_quota_is_not_resized)
{
	race(resize, small_quota, limit_of);
}

/* ---- spaces ---- */

static status_t fill(struct actor *a)
{
	return SYS(cap_copy, a->arg[0], start->cspace, start->thread, 0).status;
}

/* How many slots are in use: they are taken from below. */
static uint64_t slots_of(cap_t space)
{
	uint64_t count = 0;

	while (STATUS(cap_inspect, space, 1ull << 32 | (count + 1)) == ST_OK)
		count++;
	return count;
}

TEST(revoked_space_takes_nothing)
{
	race(fill, new_space, slots_of);
}

/* ---- address spaces, memory ---- */

static cap_t plain_aspace(void)
{
	return make(SYS_aspace_create, CAP_NONE, ASPACE_PLAIN, 0);
}

static uint64_t aspace_pages(cap_t as)
{
	uint64_t count = 0;

	/* What is mapped can be protected. */
	while (sys_aspace_protect(as, 0x10000 + count * PAGE, 1, MAP_READ) == ST_OK)
		count++;
	return count;
}

static status_t map_more(struct actor *a)
{
	return sys_aspace_map(a->arg[0], a->arg[1],
			      &(struct aspace_range){ 0x10000 + a->seen * PAGE, 0, 1 }, MAP_READ);
}

TEST(revoked_address_space_maps_nothing)
{
	race(map_more, plain_aspace, aspace_pages);
}

static cap_t one_page(void)
{
	return new_memory(1);
}

static uint64_t first_word(cap_t memory)
{
	uint64_t word = UINT64_MAX;

	(void)sys_memory_read(memory, 0, &word, 8);
	return word;
}

static status_t write_more(struct actor *a)
{
	uint64_t word = a->seen;

	return sys_memory_write(a->arg[0], 0, &word, 8);
}

TEST(revoked_memory_is_not_written)
{
	race(write_more, one_page, first_word);
}

static status_t give_and_take(struct actor *a)
{
	status_t st = sys_memory_share(a->arg[0], a->arg[1], &(struct memory_pages){ 0, 0, 1 },
				       SHARE_COPY);

	if (st == ST_OK || st == ST_EXISTS)
		st = sys_memory_decommit(a->arg[0], 0, 1);
	(void)sys_memory_write(a->arg[1], 0, &(uint64_t){ a->seen + 1 }, 8);
	return st;
}

TEST(revoked_memory_is_not_shared_to)
{
	race(give_and_take, one_page, first_word);
}

/* ---- notifications ---- */

static status_t signal_more(struct actor *a)
{
	return sys_notification_signal(a->arg[0], 1ull << a->seen % 64);
}

static uint64_t bits_of(cap_t n)
{
	uint64_t bits = 0;

	return sys_notification_wait(n, 0, &bits) == ST_OK ? bits : 0;
}

/* The bits that were there are taken when it returns; no other come. */
static uint64_t late_bits(cap_t n)
{
	static cap_t known;
	uint64_t bits = bits_of(n);

	if (known == n)
		return bits;
	known = n;
	return 0;
}

TEST(revoked_notification_is_not_signalled)
{
	race(signal_more, new_notification, late_bits);
}

/* ---- a revoke that is under way ---- */

#define CHILDREN_MIN 2000u
#define CHILDREN_MAX 200000u

/* A capability, and a thread that stands still in the middle of revoking it. */
struct half {
	cap_t cap, oldest; /* `oldest` goes last */
	struct actor *revoker;
};

static void revoke_it(struct actor *a)
{
	(void)sys_cap_revoke(start->cspace, a->arg[0]);
}

static bool is_alive(cap_t handle)
{
	return STATUS(cap_inspect, start->cspace, handle) == ST_OK;
}

/* Runs behind the first program, so that that can stop it. */
static struct actor *new_revoker(cap_t cap)
{
	struct actor *a = actor_new(revoke_it);
	cap_t sched = make(SYS_sched_create, start->sched, 0, 0);
	const struct sched_share low = { .priority = 1,
					 .weight = 1024,
					 .cpus = (1ull << start->cpus) - 1 };

	(void)sys_sched_configure(sched, &low);
	actor_configure(a, sched, CAP_NONE, CAP_NONE);
	a->arg[0] = cap;
	return a;
}

/* Looks again when others have had time to run. */
static void let_others_run(void)
{
	if (start->cpus == 1)
		sleep_until(time_before() + MS / 4);
}

/* With so many children that the thread is not done before it can be stopped. They are in a space
 * that goes with the case. */
static bool revoke_half(struct half *h, cap_t object)
{
	cap_t space = new_space(), newest = CAP_NONE;

	for (unsigned count = CHILDREN_MIN; count <= CHILDREN_MAX; count *= 4) {
		h->cap = copy_of(object, 0xffff, 0);
		h->oldest = copy_of(h->cap, 0xffff, 0);
		for (unsigned i = 0; i < count; i++)
			(void)sys_cap_copy(space, start->cspace, h->cap, 0, 0, &newest);
		h->revoker = new_revoker(h->cap);
		actor_start(h->revoker);
		while (STATUS(cap_inspect, space, newest) == ST_OK)
			let_others_run();
		(void)sys_thread_suspend(h->revoker->thread);
		if (is_alive(h->oldest))
			return true;
		job_kill(h->revoker);
	}
	return false;
}

/* It goes on to its end, after which all is as ever. */
static bool revoke_rest(struct half *h)
{
	(void)sys_thread_resume(h->revoker->thread);
	while (!h->revoker->done)
		let_others_run();
	return !is_alive(h->oldest) && is_alive(copy_of(h->cap, 0xffff, 0));
}

TEST(revoke_under_way_forbids_copies)
{
	cap_t s = start->cspace;
	struct half h;

	if (!revoke_half(&h, new_endpoint()))
		SKIP("the revoke was never caught in the middle");
	CHECK(REFUSES(ST_REVOKED, cap_copy, s, s, h.cap, 0xffff, 0));
	CHECK(REFUSES(ST_REVOKED, cap_copy, s, s, h.oldest, 0xffff, 0));
	CHECK(revoke_rest(&h));
}

TEST(revoke_under_way_forbids_mappings)
{
	struct half h;

	if (!revoke_half(&h, new_memory(1)))
		SKIP("the revoke was never caught in the middle");
	CHECK(REFUSES(ST_REVOKED, aspace_map, start->aspace, h.cap, 0x7000000000, 0, 1, MAP_READ));
	CHECK(REFUSES(ST_REVOKED, aspace_map, start->aspace, h.oldest, 0x7000000000, 0, 1,
		      MAP_READ));
	CHECK(revoke_rest(&h));
}

TEST(revoke_under_way_forbids_bindings)
{
	cap_t half = make(SYS_aspace_create, CAP_NONE, ASPACE_PERSONALITY, 0);
	cap_t irq = make(SYS_irq_create, start->node, IRQ_MESSAGE, 0);
	struct half n, space;

	if (!revoke_half(&n, new_notification()) || !revoke_half(&space, half))
		SKIP("the revoke was never caught in the middle");
	CHECK(REFUSES(ST_REVOKED, irq_bind, irq, n.cap, 1));
	CHECK(REFUSES(ST_REVOKED, timer_create, quota, n.oldest, 1));
	CHECK(REFUSES(ST_REVOKED, aspace_create, quota, space.cap, ASPACE_GUEST));
	CHECK(REFUSES(ST_REVOKED, thread_create, quota, space.oldest, start->cspace));
	CHECK(revoke_rest(&n) && revoke_rest(&space));
}

TEST(revoke_under_way_forbids_views)
{
	cap_t file = new_memory(1);
	struct half h;

	CHECK(sys_memory_seal(file) == ST_OK);
	if (!revoke_half(&h, file))
		SKIP("the revoke was never caught in the middle");
	CHECK(REFUSES(ST_REVOKED, memory_view, quota, h.cap));
	CHECK(REFUSES(ST_REVOKED, memory_view, quota, h.oldest));
	CHECK(revoke_rest(&h));
}

/* Who dies in the middle leaves no mark. */
TEST(revoke_given_up_lifts_its_mark)
{
	cap_t s = start->cspace, copy;
	struct half h;

	if (!revoke_half(&h, new_endpoint()))
		SKIP("the revoke was never caught in the middle");
	job_kill(h.revoker);
	CHECK(is_alive(h.oldest));
	CHECK(sys_cap_copy(s, s, h.cap, 0xffff, 0, &copy) == ST_OK);
	CHECK(sys_cap_revoke(s, h.cap) == ST_OK && !is_alive(h.oldest) && !is_alive(copy));
}

/* Nor who is made to revoke another one instead. */
TEST(revoke_of_another_lifts_the_mark)
{
	cap_t s = start->cspace, other = new_endpoint(), child = copy_of(other, 0xffff, 0), copy;
	struct half h;

	if (!revoke_half(&h, new_endpoint()))
		SKIP("the revoke was never caught in the middle");
	h.revoker->arg[0] = other;
	actor_start(h.revoker);
	while (!h.revoker->done)
		let_others_run();
	CHECK(!is_alive(child) && is_alive(h.oldest));
	CHECK(sys_cap_copy(s, s, h.cap, 0xffff, 0, &copy) == ST_OK);
}
