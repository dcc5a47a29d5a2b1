/* SPDX-License-Identifier: MIT */
/* The machine of states on a clock of its own. */
#include <proto/supervisor.h>
#include <services/init/supervise.h>
#include <string.h>
#include <test/test.h>

#define MS 1000000ull

static struct program_spec spec[COMPOSITION_PROGRAMS];
static struct composition made;
static struct supervise s;
static uint64_t now;

/* `programs` that are alike, each needing the one before. */
static void begin(unsigned programs)
{
	memset(spec, 0, sizeof(spec));
	for (unsigned i = 0; i < programs; i++) {
		spec[i] = (struct program_spec){ .restart = RESTART_ALWAYS,
						 .restarts = 4,
						 .within = 1000 * MS,
						 .heartbeat = 100 * MS,
						 .stop = 50 * MS,
						 .needs = i > 0 ? 1ull << (i - 1) : 0 };
	}
	made = (struct composition){ spec, programs };
	supervise_init(&s, &made);
	now = 5 * MS;
}

static bool next_is(enum supervise_do what, unsigned program)
{
	struct supervise_step next = supervise_next(&s, now);

	return next.what == what &&
	       (what == DO_NOTHING || what == DO_END || next.program == program);
}

static bool is_quiet(void)
{
	return next_is(DO_NOTHING, 0);
}

/* All are started and ready. */
static bool come_up(unsigned programs)
{
	begin(programs);
	for (unsigned i = 0; i < programs; i++) {
		if (!next_is(DO_START, i) || !is_quiet())
			return false;
		supervise_alive(&s, 1ull << i, now);
	}
	return is_quiet();
}

TEST(supervise_starts_by_need)
{
	begin(3);
	CHECK(next_is(DO_START, 0) && is_quiet());
	CHECK(s.life[0].state == SUPERVISOR_STARTED && s.life[1].state == SUPERVISOR_WAITS);
	supervise_alive(&s, 2 | 4, now); /* of programs that do not run */
	CHECK(is_quiet() && s.was_ready == 0);
	supervise_alive(&s, 1, now);
	CHECK(next_is(DO_START, 1) && is_quiet() && supervise_is_starting(&s));
	supervise_alive(&s, 2, now);
	CHECK(next_is(DO_START, 2) && is_quiet());
	supervise_alive(&s, 4, now);
	CHECK(is_quiet() && !supervise_is_starting(&s));
}

TEST(supervise_what_has_done_its_work_was_ready)
{
	begin(2);
	spec[0].restart = RESTART_ON_FAILURE;
	CHECK(next_is(DO_START, 0));
	supervise_ended(&s, 0, END_EXIT, now);
	CHECK(next_is(DO_START, 1) && s.life[0].state == SUPERVISOR_ENDED);
	CHECK(!supervise_has_failed(&s));
}

TEST(supervise_waits_for_the_dead_are_no_start)
{
	begin(3);
	spec[0].restart = RESTART_NEVER;
	CHECK(next_is(DO_START, 0) && supervise_is_starting(&s));
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(!supervise_is_starting(&s) && supervise_has_failed(&s));
	CHECK(next_is(DO_END, 0) && is_quiet() && s.life[2].state == SUPERVISOR_WAITS);
}

TEST(supervise_restarts_the_ready_at_once)
{
	CHECK(come_up(2));
	now += 7 * MS;
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(s.life[0].state == SUPERVISOR_BACK_OFF);
	CHECK(next_is(DO_START, 0) && is_quiet() && s.life[0].restarts == 1);
	CHECK(s.life[0].started == now && s.life[1].state == SUPERVISOR_READY);
}

TEST(supervise_backs_off_from_those_that_never_get_ready)
{
	uint64_t time = SUPERVISE_BACK_OFF;

	begin(1);
	spec[0].restarts = 1000;
	CHECK(next_is(DO_START, 0));
	for (unsigned i = 0; i < 30; i++) {
		supervise_ended(&s, 0, i % 2 ? END_EXIT : END_FAILURE, now);
		CHECK(is_quiet() && supervise_deadline(&s) == now + time);
		now += time - 1;
		CHECK(is_quiet());
		now++;
		CHECK(next_is(DO_START, 0));
		time = 2 * time < SUPERVISE_LONGEST ? 2 * time : SUPERVISE_LONGEST;
	}
	supervise_alive(&s, 1, now);
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(next_is(DO_START, 0));
}

TEST(supervise_leaves_dead_what_dies_too_often)
{
	CHECK(come_up(1));
	for (unsigned i = 0; i < 4; i++) {
		supervise_ended(&s, 0, END_FAULT, now);
		CHECK(next_is(DO_START, 0));
		supervise_alive(&s, 1, now);
	}
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(s.life[0].state == SUPERVISOR_ENDED && s.life[0].gave_up);
	CHECK(next_is(DO_END, 0) && supervise_has_failed(&s));
}

TEST(supervise_forgets_old_deaths)
{
	CHECK(come_up(1));
	for (unsigned i = 0; i < 50; i++) {
		now += 250 * MS;
		supervise_ended(&s, 0, END_FAULT, now);
		CHECK(next_is(DO_START, 0));
		supervise_alive(&s, 1, now);
	}
	CHECK(s.life[0].restarts == 50);
}

TEST(supervise_policies)
{
	CHECK(come_up(1));
	spec[0].restart = RESTART_ON_FAILURE;
	supervise_ended(&s, 0, END_EXIT, now);
	CHECK(next_is(DO_END, 0) && !supervise_has_failed(&s));
	CHECK(come_up(1));
	spec[0].restart = RESTART_NEVER;
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(next_is(DO_END, 0) && supervise_has_failed(&s));
	CHECK(come_up(1));
	spec[0].restarts = 0;
	supervise_ended(&s, 0, END_FAULT, now);
	CHECK(next_is(DO_END, 0) && s.life[0].gave_up);
}

TEST(supervise_asks_all_at_one_moment)
{
	CHECK(come_up(1));
	begin(3);
	spec[1].needs = spec[2].needs = 0;
	spec[2].heartbeat = 1000 * MS;
	for (unsigned i = 0; i < 3; i++) {
		CHECK(next_is(DO_START, i));
		now += 10 * MS;
		supervise_alive(&s, 1ull << i, now);
	}
	CHECK(is_quiet() && supervise_deadline(&s) == now + 80 * MS);
	now += 80 * MS;
	CHECK(next_is(DO_ASK, 0) && next_is(DO_ASK, 1) && is_quiet());
	CHECK(supervise_deadline(&s) == now + 100 * MS);
	supervise_alive(&s, 3, now);
	for (unsigned i = 0; i < 8; i++) {
		now += 100 * MS;
		if (i == 4)
			now += MS;
		CHECK(next_is(DO_ASK, 0) && next_is(DO_ASK, 1));
		if (!s.life[2].asked)
			CHECK(is_quiet() || s.life[2].asked);
		CHECK(is_quiet());
		supervise_alive(&s, 7, now);
	}
	CHECK(s.life[2].due > now);
}

TEST(supervise_asks_one_behind_the_first_too)
{
	begin(2);
	spec[1].needs = 0;
	CHECK(next_is(DO_START, 0) && next_is(DO_START, 1));
	supervise_alive(&s, 1, now);
	supervise_alive(&s, 2, now + 30 * MS);
	now += 100 * MS;
	CHECK(next_is(DO_ASK, 0) && next_is(DO_ASK, 1) && is_quiet());
}

TEST(supervise_finds_the_hung)
{
	CHECK(come_up(2));
	now += 100 * MS;
	CHECK(next_is(DO_ASK, 0) && next_is(DO_ASK, 1) && is_quiet());
	supervise_alive(&s, 1, now + MS);
	now += 100 * MS;
	struct supervise_step next = supervise_next(&s, now);
	if (next.what == DO_ASK)
		next = supervise_next(&s, now);
	CHECK(next.what == DO_KILL && next.program == 1 && next.why == END_HANG);
	supervise_ended(&s, 1, END_HANG, now);
	CHECK(next_is(DO_START, 1));
}

TEST(supervise_ends_the_noisy)
{
	CHECK(come_up(1));
	spec[0].heartbeat = 0;
	s.life[0].due = SUPERVISE_NEVER;
	for (unsigned i = 0; i < 5 * SUPERVISE_NOISE; i++) {
		now += 2 * SUPERVISE_NOISE_TIME / SUPERVISE_NOISE;
		supervise_alive(&s, 1, now);
		CHECK(is_quiet());
	}
	now += 2 * SUPERVISE_NOISE_TIME;
	for (unsigned i = 0; i < SUPERVISE_NOISE; i++) {
		supervise_alive(&s, 1, now);
		CHECK(is_quiet());
	}
	supervise_alive(&s, 1, now);
	struct supervise_step next = supervise_next(&s, now);
	CHECK(next.what == DO_KILL && next.why == END_NOISE);
	supervise_ended(&s, 0, END_NOISE, now);
	CHECK(next_is(DO_START, 0) && is_quiet());
}

TEST(supervise_first_sign_has_a_limit)
{
	begin(1);
	CHECK(next_is(DO_START, 0) && is_quiet());
	CHECK(supervise_deadline(&s) == now + SUPERVISE_FIRST);
	now += SUPERVISE_FIRST - 1;
	CHECK(is_quiet());
	now++;
	CHECK(next_is(DO_KILL, 0) && is_quiet());
}

TEST(supervise_never_asks_who_need_not_answer)
{
	begin(1);
	spec[0].heartbeat = 0;
	CHECK(next_is(DO_START, 0) && supervise_deadline(&s) == SUPERVISE_NEVER);
	supervise_alive(&s, 1, now);
	CHECK(is_quiet() && supervise_deadline(&s) == SUPERVISE_NEVER);
}

TEST(supervise_stops_backwards)
{
	CHECK(come_up(3));
	supervise_ended(&s, 1, END_FAULT, now); /* is to be started again, but won't be */
	CHECK(supervise_stop(&s) && !supervise_stop(&s));
	CHECK(next_is(DO_STOP, 2) && is_quiet());
	CHECK(supervise_deadline(&s) == now + 50 * MS);
	now += 20 * MS;
	supervise_alive(&s, 7, now);
	CHECK(is_quiet());
	supervise_ended(&s, 2, END_EXIT, now);
	CHECK(next_is(DO_STOP, 0) && s.life[1].state == SUPERVISOR_ENDED);
	now += 50 * MS;
	struct supervise_step next = supervise_next(&s, now);
	CHECK(next.what == DO_KILL && next.program == 0 && next.why == END_STOP);
	CHECK(is_quiet());
	supervise_ended(&s, 0, END_STOP, now);
	CHECK(next_is(DO_END, 0) && is_quiet());
}

/* Whatever happens, programs never run without having been started, those that are told to do
 * something run, and time that was told is enough. */
TEST(supervise_random)
{
	uint64_t x = test_seed();

	for (unsigned round = 0; round < test_rounds(300); round++) {
		bool running[6] = { false };

		begin(6);
		for (unsigned n = 0; n < 400 && !s.ended; n++) {
			struct supervise_step next = supervise_next(&s, now);

			x = x * 6364136223846793005u + 1442695040888963407u;
			unsigned i = (unsigned)(x >> 40) % 6, how = (unsigned)(x >> 50) % 64;
			if (next.what == DO_START) {
				CHECK(!running[next.program] && !s.stopping);
				running[next.program] = true;
			} else if (next.what == DO_KILL) {
				CHECK(running[next.program]);
				running[next.program] = false;
				supervise_ended(&s, next.program, next.why, now);
			} else if (next.what != DO_NOTHING && next.what != DO_END) {
				CHECK(running[next.program]);
			} else if (next.what == DO_NOTHING) {
				CHECK(supervise_deadline(&s) > now);
				now += (x >> 20) % (60 * MS);
			}
			if (how < 24)
				supervise_alive(&s, 1ull << i, now);
			else if (how < 30 && running[i] && n % 4 == 0) {
				running[i] = false;
				supervise_ended(&s, i, how % 4, now);
			} else if (how == 63 && n > 100)
				(void)supervise_stop(&s);
			CHECK(supervise_runs(&s, i) == running[i]);
		}
	}
}
