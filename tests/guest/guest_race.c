/* SPDX-License-Identifier: MIT */
/* Guest mode while others do what they can against it, on however many CPUs there are. */
#include "sandbox.h"
#include <stdatomic.h>

#define TEAM 3

/* Those that the test plays against, where actors see them. */
static struct sandbox team[TEAM];
static _Atomic bool over;

static uint64_t count_of(const struct sandbox *s)
{
	return __atomic_load_n((uint64_t *)(void *)s->pages, __ATOMIC_RELAXED);
}

static bool still_works(struct sandbox *s)
{
	sandbox_begin(s, foreign_hello, 0, 0);
	sandbox_run(s, task_serve);
	return s->shared->status == ST_OK && s->shared->exit == FOREIGN_PID;
}

static uint64_t next_of(uint64_t *x)
{
	*x = *x * 6364136223846793005 + 1442695040888963407;
	return *x >> 33;
}

/* ---- a page that changes while it is read ---- */

static void scribble(struct actor *a)
{
	static const uint64_t hostile[] = { 0x0000800000000000, 0xffff800000000000, UINT64_MAX,
					    USER_ADDRESS_END,   0x8000000000000000, 0x3000 };
	volatile struct arch_registers *r = team[0].regs;
	volatile struct guest_exit *e = team[0].exit;
	uint64_t x = test_seed();

	while (!atomic_load(&over)) {
		uint64_t word = hostile[next_of(&x) % ARRAY_LEN(hostile)];
		switch (next_of(&x) % 6) {
		case 0:
			r->rip = word;
			break;
		case 1:
			r->fs_base = word;
			break;
		case 2:
			r->gs_base = word;
			break;
		case 3:
			r->rflags = word | next_of(&x);
			break;
		case 4:
			r->rsp = word;
			break;
		default:
			e->reason = next_of(&x) % 4;
			break;
		}
		a->seen++;
		r->rip = (uint64_t)foreign_null;
		r->fs_base = r->gs_base = 0;
		r->rflags = 0x202;
		e->reason = GUEST_SYSCALL;
	}
}

/* Whatever the page has at any moment: entering is refused, or the program runs as user
 * programs do, with interrupts on; nothing else happens. */
TEST(guest_race_state_page_changes_all_the_time)
{
	struct sandbox *s = &team[0];

	sandbox_new(s);
	atomic_store(&over, false);
	struct actor *a = actor_new(scribble);
	actor_start(a);
	sandbox_begin(s, foreign_null, 0, 0);
	s->shared->arg[0] = 2000;
	for (uint64_t n = test_rounds(20); n > 0; n--) {
		sandbox_run(s, task_repeat);
		CHECK(s->shared->enters == s->shared->arg[0]);
	}
	atomic_store(&over, true);
	actor_await(a);
	CHECK(s->shared->strays == 0);
	CHECK(a->seen > 0 && still_works(s));
}

/* ---- kicks ---- */

static void kick_all(struct actor *a)
{
	while (!atomic_load(&over)) {
		for (unsigned i = 0; i < TEAM; i++) {
			SYS(thread_kick, team[i].thread);
			a->seen++;
		}
		SYS(thread_yield, a->self);
	}
}

/* An endless program comes back from each entry, however the kick falls. */
TEST(guest_race_every_kick_is_felt)
{
	atomic_store(&over, false);
	for (unsigned i = 0; i < TEAM; i++) {
		sandbox_new(&team[i]);
		sandbox_begin(&team[i], foreign_spin, FOREIGN, 0);
		team[i].shared->arg[0] = test_rounds(200);
	}
	struct actor *a = actor_new(kick_all);
	actor_start(a);
	for (unsigned i = 0; i < TEAM; i++)
		sandbox_start(&team[i], task_repeat);
	for (unsigned i = 0; i < TEAM; i++) {
		sandbox_await(&team[i]);
		CHECK(team[i].shared->enters == team[i].shared->arg[0]);
		CHECK(team[i].shared->status == ST_OK && team[i].shared->result == GUEST_KICK);
	}
	atomic_store(&over, true);
	actor_await(a);
	for (unsigned i = 0; i < TEAM; i++) {
		/* One more may wait; it is the same then. */
		CHECK(STATUS(thread_kick, team[i].thread) == ST_OK);
		sandbox_run(&team[i], task_enter);
		CHECK(team[i].shared->result == GUEST_KICK);
		CHECK(still_works(&team[i]));
	}
}

/* ---- what is taken away ---- */

/* Halves, pages and threads go while their programs run, are entered, or come back. */
TEST(guest_race_guests_go_at_any_moment)
{
	uint64_t x = test_seed();

	for (unsigned i = 0; i < TEAM; i++)
		sandbox_new(&team[i]);
	for (uint64_t n = 0; n < test_rounds(40); n++) {
		struct sandbox *s = &team[n % TEAM];
		cap_t guest = sandbox_guest(s), page = copy_of(s->state, 0xffff, 0);
		bool calls = next_of(&x) & 1;

		CHECK(STATUS(thread_set_guest, s->thread, guest, page) == ST_OK);
		sandbox_begin(s, calls ? foreign_null : foreign_spin, FOREIGN, 0);
		sandbox_start(s, task_repeat_until_error);
		for (uint64_t k = next_of(&x) % 8; k > 0; k--)
			yield();
		if (next_of(&x) & 1)
			CHECK(STATUS(object_destroy, guest) == ST_OK);
		else
			CHECK(STATUS(cap_revoke, start->cspace, page) == ST_OK);
		sandbox_await(s);
		CHECK(s->shared->status == ST_PEER_GONE || s->shared->status == ST_BAD_STATE);
		CHECK(STATUS(cap_drop, start->cspace, page) == ST_OK);
		(void)STATUS(object_destroy, guest);
	}
	for (unsigned i = 0; i < TEAM; i++)
		CHECK(sandbox_bind(&team[i], team[i].guest) == ST_OK && still_works(&team[i]));
}

/* ---- several at once ---- */

/* Programs that take turns, some interrupted and some calling, each keep what is theirs. */
TEST(guest_race_programs_keep_their_registers)
{
	for (unsigned i = 0; i < TEAM; i++) {
		sandbox_new(&team[i]);
		sandbox_begin(&team[i], i == 0 ? foreign_spin : foreign_registers, FOREIGN,
			      test_rounds(20000));
		sandbox_start(&team[i], i == 0 ? task_enter : task_serve);
	}
	for (unsigned i = 1; i < TEAM; i++) {
		sandbox_await(&team[i]);
		CHECK(team[i].shared->status == ST_OK && team[i].shared->exit == 1);
	}
	uint64_t before = count_of(&team[0]);
	while (count_of(&team[0]) == before)
		yield();
	CHECK(STATUS(thread_kick, team[0].thread) == ST_OK);
	sandbox_await(&team[0]);
	CHECK(team[0].shared->result == GUEST_KICK && team[0].regs->r15 == FOREIGN);
	CHECK(team[0].regs->rbx == UINT64_MAX);
}
