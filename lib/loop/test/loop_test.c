/* SPDX-License-Identifier: MIT */
#include <lib/fake/fake.h>
#include <lib/ipc/test/toy.h>
#include <lib/loop/loop.h>
#include <test/test.h>

#define ANSWERS 2

static struct loop loop;
static struct loop_answer answers[ANSWERS];
static cap_t endpoint, events, alive;
static struct fake_call calls[8];
static unsigned idles;

static struct {
	unsigned adds;
	struct loop_answer *later[8]; /* calls that were put off */
	unsigned laters;
	bool puts_off, stops;
	uint64_t bits[8];
	unsigned signals, faults, stopped;
} seen;

static status_t on_add(void *self, struct ipc_request *from, const struct toy_add_req *req,
		       struct toy_add_rep *rep, struct msg_cap *caps)
{
	(void)self;
	(void)caps;
	seen.adds++;
	rep->sum = req->a + req->b;
	if (seen.stops)
		loop_stop(&loop);
	if (!seen.puts_off)
		return ST_OK;
	struct loop_answer *a = loop_defer(&loop, from);
	if (a == NULL)
		return ST_NO_MEMORY;
	seen.later[seen.laters++] = a;
	return ST_LATER;
}

static const struct toy_ops ops = { .add = on_add };

static bool begin(void)
{
	fake_begin();
	memset(&seen, 0, sizeof(seen));
	memset(calls, 0, sizeof(calls));
	idles = 0;
	endpoint = fake_endpoint();
	events = fake_notification();
	alive = fake_notification();
	const struct loop_setup setup = { .quota = fake_own_quota(),
					  .service = endpoint,
					  .events = events,
					  .alive = alive,
					  .answers = answers,
					  .answers_count = ANSWERS };
	return loop_init(&loop, &setup) == ST_OK &&
	       loop_serve(&loop, LOOP_SERVICE(1, toy, &ops, NULL)) == ST_OK;
}

static void add(struct fake_call *c, uint32_t protocol)
{
	c->badge = IPC_BADGE(7, protocol, TOY_ADD);
	c->method = 1;
	c->len = 16;
	c->bytes[0] = 3;
	fake_send(endpoint, c);
}

static void on_signal(void *self, uint64_t bits)
{
	(void)self;
	seen.bits[seen.signals++] = bits;
}

static void on_stop(void *self)
{
	(void)self;
	seen.stopped++;
}

static void on_fault(void *self, const struct ipc_request *from, const struct msg_fault *fault)
{
	(void)self;
	seen.faults += from->session == 7 && fault->kind == FAULT_MEMORY;
}

TEST(loop_serves_by_protocol)
{
	CHECK(begin());
	add(&calls[0], 1);
	add(&calls[1], 2);
	calls[2].ncaps = 1;
	calls[2].cap[0] = endpoint;
	add(&calls[2], 0);
	unsigned before = fake_caps();
	CHECK(loop_run(&loop) == ST_PEER_GONE); /* nothing is left to do */
	CHECK(seen.adds == 1 && calls[0].result == ST_OK && calls[0].got[0] == 3);
	CHECK((status_t)calls[1].result == ST_NO_METHOD);
	CHECK((status_t)calls[2].result == ST_NO_METHOD);
	CHECK(fake_caps() == before && fake.wrong == 0);
}

TEST(loop_refuses_to_serve_twice)
{
	CHECK(begin());
	CHECK(loop_serve(&loop, LOOP_SERVICE(1, toy, &ops, NULL)) == ST_EXISTS);
	for (unsigned i = 2; i <= LOOP_SERVICES; i++)
		CHECK(loop_serve(&loop, LOOP_SERVICE(i, toy, &ops, NULL)) == ST_OK);
	CHECK(loop_serve(&loop, LOOP_SERVICE(99, toy, &ops, NULL)) == ST_NO_SLOTS);
}

TEST(loop_leads_signals_to_their_handlers)
{
	CHECK(begin());
	CHECK(loop_on_event(&loop, (struct loop_event){ 0x6, on_signal, NULL }) == ST_OK);
	CHECK(loop_on_event(&loop, (struct loop_event){ 0x8, on_signal, NULL }) == ST_OK);
	CHECK(loop_on_event(&loop, (struct loop_event){ 0x2, on_signal, NULL }) == ST_EXISTS);
	CHECK(loop_on_event(&loop, (struct loop_event){ 0, on_signal, NULL }) == ST_BAD_ARG);
	CHECK(loop_on_event(&loop, (struct loop_event){ PROGRAM_EVENT_ASK, on_signal, NULL }) ==
	      ST_BAD_ARG);
	CHECK(loop_on_event(&loop, (struct loop_event){ LOOP_EVENT_TIMER, on_signal, NULL }) ==
	      ST_BAD_ARG);
	fake_signal(events, 0xd);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(seen.signals == 2 && seen.bits[0] == 0x4 && seen.bits[1] == 0x8);
}

static bool ask_once(void)
{
	if (idles++ > 0)
		return false;
	if (fake_take_bits(alive) == 0)
		return false;
	fake_signal(events, PROGRAM_EVENT_ASK);
	return true;
}

TEST(loop_says_that_it_is_ready_and_alive)
{
	CHECK(begin());
	fake_on_idle(ask_once);
	CHECK(fake_take_bits(alive) == 0);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(idles == 2 && fake_take_bits(alive) != 0);
}

static void on_ask(void *self)
{
	(void)self;
	seen.signals += fake_take_bits(alive) == 0;
}

TEST(loop_does_what_is_due_when_it_is_asked)
{
	CHECK(begin());
	loop_on_ask(&loop, on_ask, NULL);
	fake_on_idle(ask_once);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(seen.signals == 1 && fake_take_bits(alive) != 0);
}

TEST(loop_stops_when_it_is_told)
{
	CHECK(begin());
	loop_on_stop(&loop, on_stop, NULL);
	fake_signal(events, PROGRAM_EVENT_STOP);
	add(&calls[0], 1);
	CHECK(loop_run(&loop) == ST_OK);
	CHECK(seen.stopped == 1 && seen.adds == 0 && !calls[0].is_ended);
}

TEST(loop_answers_the_call_that_stops_it)
{
	CHECK(begin());
	seen.stops = true;
	add(&calls[0], 1);
	add(&calls[1], 1);
	CHECK(loop_run(&loop) == ST_OK);
	CHECK(calls[0].is_ended && calls[0].result == ST_OK && !calls[1].is_ended);
}

TEST(loop_takes_no_fault_for_a_request)
{
	CHECK(begin());
	struct msg_fault fault = { .kind = FAULT_MEMORY };
	for (unsigned i = 0; i < 2; i++) {
		memcpy(calls[i].bytes, &fault, sizeof(fault));
		calls[i].badge = IPC_BADGE(7, 1, TOY_ADD);
		calls[i].method = 1;
		calls[i].len = sizeof(fault);
		calls[i].flags = MSG_FAULT;
	}
	fake_send(endpoint, &calls[0]);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(calls[0].result == FAULT_STOP && seen.faults == 0);
	loop_on_fault(&loop, on_fault, NULL);
	fake_send(endpoint, &calls[1]);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(calls[1].result == FAULT_STOP && seen.faults == 1 && seen.adds == 0);
}

/* ---- answers given later ---- */

TEST(loop_puts_off_no_more_answers_than_it_has_room_for)
{
	struct ipc_message m;

	CHECK(begin());
	seen.puts_off = true;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < ANSWERS + 1; i++) {
			memset(&calls[i], 0, sizeof(calls[i]));
			add(&calls[i], 1);
		}
		seen.laters = 0;
		CHECK(loop_run(&loop) == ST_PEER_GONE && seen.laters == ANSWERS);
		CHECK((status_t)calls[ANSWERS].result == ST_NO_MEMORY);
		calls[0].is_gone = round == 1;
		for (unsigned i = 0; i < ANSWERS; i++) {
			CHECK(!calls[i].is_ended);
			ipc_fill(&m, &(struct toy_add_rep){ i }, sizeof(struct toy_add_rep), 0);
			loop_answer(&loop, seen.later[i], ST_OK, &m);
			CHECK(calls[i].is_ended && (calls[i].got[0] == i || calls[i].is_gone));
		}
	}
	CHECK(fake.wrong == 0);
}

/* ---- timers ---- */

static struct {
	struct loop_timer timer;
	uint64_t at[16]; /* when it ran */
	unsigned runs, stop_after;
} clocks[3];

static void on_timer(void *self)
{
	unsigned i = (unsigned)(uintptr_t)self;

	clocks[i].at[clocks[i].runs++] = fake.now;
	if (clocks[i].runs == clocks[i].stop_after)
		loop_timer_cancel(&loop, &clocks[i].timer);
}

static bool begin_clocks(void)
{
	memset(clocks, 0, sizeof(clocks));
	for (unsigned i = 0; i < 3; i++)
		clocks[i].timer =
			(struct loop_timer){ .run = on_timer, .self = (void *)(uintptr_t)i };
	return begin();
}

TEST(loop_runs_timers_in_their_order)
{
	CHECK(begin_clocks());
	clocks[1].stop_after = 3;
	loop_timer_set(&loop, &clocks[0].timer, 500, 0);
	loop_timer_set(&loop, &clocks[1].timer, 100, 300);
	loop_timer_set(&loop, &clocks[2].timer, 50, 0);
	loop_timer_set(&loop, &clocks[2].timer, 450, 0); /* set anew */
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(clocks[0].runs == 1 && clocks[0].at[0] == 500 && !clocks[0].timer.is_set);
	CHECK(clocks[2].runs == 1 && clocks[2].at[0] == 450);
	CHECK(clocks[1].runs == 3 && clocks[1].at[0] == 100 && clocks[1].at[1] == 400 &&
	      clocks[1].at[2] == 700);
}

static void run_late(void *self)
{
	on_timer(self);
	if (clocks[0].runs == 1)
		fake.now = 1000;
}

TEST(loop_leaves_out_periods_that_it_missed)
{
	CHECK(begin_clocks());
	clocks[0].timer.run = run_late;
	clocks[0].stop_after = 3;
	loop_timer_set(&loop, &clocks[0].timer, 100, 70);
	CHECK(loop_run(&loop) == ST_PEER_GONE && clocks[0].runs == 3);
	CHECK(clocks[0].at[0] == 100 && clocks[0].at[1] == 1000 && clocks[0].at[2] == 1010);
	CHECK(fake.wrong == 0);
}

static void set_again(void *self)
{
	on_timer(self);
	if (clocks[0].runs < 3)
		loop_timer_set(&loop, &clocks[0].timer, 0, 0);
	fake_signal(events, 1);
}

TEST(loop_timer_that_is_due_at_once_leaves_time_for_the_rest)
{
	CHECK(begin_clocks());
	CHECK(loop_on_event(&loop, (struct loop_event){ 1, on_signal, NULL }) == ST_OK);
	clocks[0].timer.run = set_again;
	loop_timer_set(&loop, &clocks[0].timer, 10, 0);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(clocks[0].runs == 3 && seen.signals == 3);
	CHECK(clocks[0].at[1] > clocks[0].at[0] && clocks[0].at[2] > clocks[0].at[1]);
}

static void cancel_others(void *self)
{
	on_timer(self);
	loop_timer_cancel(&loop, &clocks[1].timer);
	loop_timer_cancel(&loop, &clocks[2].timer);
}

TEST(loop_timer_that_was_cancelled_does_not_run)
{
	CHECK(begin_clocks());
	clocks[0].timer.run = cancel_others;
	loop_timer_set(&loop, &clocks[0].timer, 10, 0);
	loop_timer_set(&loop, &clocks[1].timer, 10, 0);
	loop_timer_set(&loop, &clocks[2].timer, 10, 5);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(clocks[0].runs == 1 && clocks[1].runs == 0 && clocks[2].runs == 0);
}

TEST(loop_sets_the_kernel_timer_only_when_the_first_one_changes)
{
	CHECK(begin_clocks());
	loop_timer_set(&loop, &clocks[0].timer, 1000, 0);
	loop_timer_set(&loop, &clocks[1].timer, 2000, 0);
	for (unsigned i = 0; i < 8; i++)
		add(&calls[i], 1);
	CHECK(loop_run(&loop) == ST_PEER_GONE && seen.adds == 8);
	CHECK(clocks[0].runs == 1 && clocks[1].runs == 1);
	CHECK(fake.calls[47] == 2); /* timer_arm */
}

TEST(loop_without_a_service_has_signals_and_timers)
{
	CHECK(begin_clocks());
	loop.service = CAP_NONE;
	CHECK(loop_on_event(&loop, (struct loop_event){ 1, on_signal, NULL }) == ST_OK);
	fake_signal(events, 1);
	loop_timer_set(&loop, &clocks[0].timer, 10, 0);
	CHECK(loop_run(&loop) == ST_PEER_GONE);
	CHECK(seen.signals == 1 && clocks[0].runs == 1);
}

TEST(loop_that_can_not_be_paid_leaves_nothing)
{
	struct loop l;

	fake_begin();
	events = fake_notification();
	for (uint64_t objects = 0; objects < 3; objects++) {
		cap_t quota = fake_quota(objects * 64);
		unsigned before = fake_caps();
		const struct loop_setup setup = {
			.quota = quota, .events = events, .answers = answers, .answers_count = 2
		};
		CHECK(loop_init(&l, &setup) == ST_NO_MEMORY);
		CHECK(fake_caps() == before && fake_used(quota) == 0);
	}
}
