/* SPDX-License-Identifier: MIT */
/* Scheduling, in simulated time: who ran for how long is exact. */
#include "play.h"
#include <test/test.h>

#define MS 1000000ull

static struct sched_params params(unsigned priority)
{
	return (struct sched_params){ .priority = priority,
				      .weight = SCHED_WEIGHT_DEFAULT,
				      .cpus = cpu_online_mask() };
}

static struct sched *sched_of_cap(cap_t s)
{
	struct cap_ref ref;

	return cap_find(home, s, OBJ_SCHED, 0, &ref) == ST_OK
		       ? container_of(ref.object, struct sched, obj)
		       : NULL;
}

static uint64_t spent(const struct actor *a)
{
	return sched_spent(a->t->home);
}

/* A thread of its own, or of the sched of `with`, that does nothing but spend time. */
static struct actor *hog_with(cap_t sched)
{
	struct actor *a = actor_make(home, -1);
	struct thread_config c = { .sched = ref_of(a, sched) };
	struct cap_ref ref = ref_of(a, a->thread);

	a->sched = sched;
	if (thread_configure(&ref, &c) != ST_OK)
		return NULL;
	actor_resume(a);
	return a;
}

static struct actor *hog(const struct sched_params *p)
{
	cap_t s;

	(void)sched_make(&s, p);
	return hog_with(s);
}

static struct actor *hog_at(unsigned priority)
{
	struct sched_params p = params(priority);

	return hog(&p);
}

static bool near(uint64_t value, uint64_t expected, uint64_t slack)
{
	return value + slack >= expected && value <= expected + slack;
}

/* ---- shares ---- */

/* Four equals on so many CPUs, until each has had its 100 ms. */
static void four_equals(unsigned cpus, struct actor *a[4])
{
	play_boot(cpus);
	for (unsigned i = 0; i < 4; i++)
		a[i] = hog_at(50);
	play_time(400 / cpus * MS);
	for (unsigned i = 0; i < 4; i++)
		CHECK(spent(a[i]) == 100 * MS && play_ok());
}

TEST(equals_share_a_cpu)
{
	struct actor *a[4];

	four_equals(1, a);
	/* Who sleeps gets nothing back for it. */
	spin_lock(&a[0]->t->obj.lock);
	CHECK(thread_suspend(a[0]->t) == ST_OK);
	play_time(300 * MS);
	actor_resume(a[0]);
	play_time(400 * MS);
	CHECK(near(spent(a[0]), 200 * MS, 4 * MS) && near(spent(a[1]), 300 * MS, 4 * MS));
}

TEST(weights_divide_a_cpu)
{
	struct actor *light, *heavy;

	play_boot(1);
	struct sched_params p = params(50);
	p.cpus = 1;
	p.weight = 100;
	light = hog(&p);
	p.weight = 300;
	heavy = hog(&p);
	play_time(1600 * MS);
	CHECK(near(spent(light), 400 * MS, 4 * MS) && near(spent(heavy), 1200 * MS, 4 * MS));
}

TEST(hundred_threads_of_one_sched_get_what_one_gets)
{
	struct actor *crowd[100], *single;
	uint64_t ran[100] = { 0 };

	play_boot(1);
	crowd[0] = hog_at(50);
	for (unsigned i = 1; i < 100; i++)
		crowd[i] = hog_with(crowd[0]->sched);
	single = hog_at(50);
	uint64_t alone = 0;
	for (unsigned turn = 0; turn < 400; turn++) {
		const struct actor *user = play_user();
		for (unsigned i = 0; i < 100; i++)
			ran[i] += user == crowd[i] ? SCHED_SLICE_NS : 0;
		alone += user == single ? SCHED_SLICE_NS : 0;
		play_time(SCHED_SLICE_NS);
	}
	CHECK(alone == 200 * SCHED_SLICE_NS && spent(single) == alone && spent(crowd[0]) == alone);
	for (unsigned i = 0; i < 100; i++)
		CHECK(ran[i] == 2 * SCHED_SLICE_NS);
	CHECK(run_queue_ok(0));
}

TEST(turn_goes_on_after_an_interruption)
{
	/* Somebody more urgent comes every 3 ms: the turns of the two others, which share
	 * a sched, last 4 ms all the same. */
	cap_t way;

	play_boot(1);
	struct actor *first = hog_at(50);
	struct actor *second = hog_with(first->sched);
	struct actor *urgent = actor_make(NULL, 200);
	struct notification *n = notification_make(urgent, &way);
	actor_resume(urgent);
	CHECK(act_wait(urgent, way, TIMER_NEVER) == ST_BLOCKED);
	uint64_t ran[2] = { 0 };
	for (unsigned i = 0; i < 80; i++) {
		const struct actor *user = play_user();
		ran[user == second] += MS;
		CHECK(user == first || user == second);
		play_time(MS);
		if (i % 3 == 2) {
			spin_lock(&n->obj.lock);
			notification_signal(n, 1);
			CHECK(play_user() == urgent);
			CHECK(act_wait(urgent, way, TIMER_NEVER) == ST_BLOCKED);
		}
	}
	CHECK(ran[0] == 40 * MS && ran[1] == 40 * MS);
}

/* ---- priorities ---- */

TEST(more_urgent_goes_first)
{
	play_boot(1);
	struct actor *low = hog_at(50);
	CHECK(play_user() == low);
	struct actor *high = hog_at(51);
	CHECK(play_user() == high);
	play_time(100 * MS);
	CHECK(spent(high) == 100 * MS && spent(low) == 0);
	struct actor *equal = hog_at(51);
	CHECK(play_user() == high);
	play_time(SCHED_SLICE_NS);
	CHECK(play_user() == equal);
	/* Down it yields, up it preempts, at once. */
	struct sched_params p = params(40);
	CHECK(sched_configure(equal->t->home, &p, NULL) == ST_OK);
	CHECK(play_user() == high);
	p.priority = 255;
	CHECK(sched_configure(low->t->home, &p, NULL) == ST_OK);
	CHECK(play_user() == low && run_queue_ok(0));
}

TEST(who_gave_way_goes_on)
{
	/* One after the other gives way to somebody more urgent, and they go on in the other
	 * order; whose turn it was before its equals, still has the rest of it. */
	static const unsigned priority[] = { 50, 60, 70, 80 };
	struct actor *a[4];
	cap_t way[4];

	play_boot(1);
	struct actor *equal = hog_at(50);
	CHECK(play_user() == equal);
	for (unsigned i = 0; i < 4; i++) {
		a[i] = actor_make(NULL, (int)priority[i]);
		(void)notification_make(a[i], &way[i]);
		if (i > 0) {
			actor_resume(a[i]);
			CHECK(act_wait(a[i], way[i], TIMER_NEVER) == ST_BLOCKED);
		}
	}
	actor_resume(a[0]);
	play_time(SCHED_SLICE_NS + MS);
	CHECK(play_user() == a[0]);
	for (unsigned i = 1; i < 4; i++) {
		cap_t signal = give(a[i], way[i], a[i - 1], RIGHT_SIGNAL, 0);
		CHECK(act_signal(a[i - 1], signal, 1) == ST_OK);
		CHECK(play_user() == a[i] && run_queue_ok(0));
		play_time(MS);
	}
	for (unsigned i = 3; i > 0; i--) {
		CHECK(act_wait(a[i], way[i], TIMER_NEVER) == ST_BLOCKED);
		CHECK(play_user() == a[i - 1] && run_queue_ok(0));
	}
	play_time(3 * MS);
	CHECK(play_user() == equal && spent(a[0]) == SCHED_SLICE_NS);
}

TEST(priority_change_begins_anew)
{
	/* What it had in its old level counts for nothing in the new one. */
	play_boot(1);
	struct actor *a = hog_at(50);
	play_time(1000 * MS);
	struct actor *b = hog_at(60);
	play_time(10 * MS);
	CHECK(spent(a) == 1000 * MS && spent(b) == 10 * MS);
	struct sched_params p = params(60);
	CHECK(sched_configure(a->t->home, &p, NULL) == ST_OK);
	play_time(100 * MS);
	CHECK(near(spent(a), 1050 * MS, 4 * MS) && near(spent(b), 60 * MS, 4 * MS));
}

TEST(every_priority_has_its_turn)
{
	static struct actor *all[SCHED_PRIORITIES];

	play_boot(1);
	for (unsigned i = 0; i < SCHED_PRIORITIES; i++) {
		unsigned priority = (i * 37) % SCHED_PRIORITIES;
		all[priority] = hog_at(priority);
	}
	for (unsigned i = SCHED_PRIORITIES; i-- > 0;) {
		CHECK(play_user() == all[i] && run_queue_ok(0));
		spin_lock(&all[i]->t->obj.lock);
		CHECK(thread_suspend(all[i]->t) == ST_OK);
	}
	CHECK(play_user() == NULL);
}

TEST(yielding_lets_equals_go_first)
{
	play_boot(1);
	struct actor *a = hog_at(50);
	struct actor *b = hog_at(50);
	struct actor *c = hog_with(b->sched);
	CHECK(play_user() == a);
	CHECK(play_act(a, SYS_thread_yield, a->thread, 0, 0, 0) == ST_OK);
	CHECK(play_user() == b);
	host_time_advance(1000); /* without any time passing it would be first in virtual time */
	CHECK(play_act(b, SYS_thread_yield, b->thread, 0, 0, 0) == ST_OK);
	CHECK(play_user() == a);
	host_time_advance(2000);
	CHECK(play_act(a, SYS_thread_yield, a->thread, 0, 0, 0) == ST_OK);
	CHECK(play_user() == c);
}

TEST(no_timer_without_need)
{
	play_boot(1);
	CHECK(play_user() == NULL && host_timer_armed(0) == TIMER_NEVER);
	struct actor *a = hog_at(50);
	CHECK(play_user() == a && host_timer_armed(0) == TIMER_NEVER);
	/* Somebody less urgent changes nothing; an equal does. */
	(void)hog_at(49);
	CHECK(play_user() == a && host_timer_armed(0) == TIMER_NEVER);
	(void)hog_at(50);
	CHECK(play_user() == a && host_timer_armed(0) == time_now() + SCHED_SLICE_NS);
}

TEST(parameters_are_checked)
{
	play_boot(2);
	struct actor *a = hog_at(50);
	struct sched *s = a->t->home;
	struct sched_params good = params(50);
	static const struct {
		size_t field;
		uint64_t value;
	} bad[] = {
		{ offsetof(struct sched_params, weight), 0 },
		{ offsetof(struct sched_params, weight), SCHED_WEIGHT_MAX + 1 },
		{ offsetof(struct sched_params, priority), 256 },
		{ offsetof(struct sched_params, priority), UINT32_MAX },
		{ offsetof(struct sched_params, cpus), 0 },
		{ offsetof(struct sched_params, cpus), 7 },
		{ offsetof(struct sched_params, budget), SCHED_BUDGET_MIN_NS - 1 },
		{ offsetof(struct sched_params, budget), 20 * MS + 1 },
		{ offsetof(struct sched_params, budget), UINT64_MAX },
		{ offsetof(struct sched_params, period), SCHED_PERIOD_MIN_NS - 1 },
		{ offsetof(struct sched_params, period), SCHED_PERIOD_MAX_NS + 1 },
	};
	good.budget = 5 * MS;
	good.period = 10 * MS;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct sched_params p = good;
		if (bad[i].field < offsetof(struct sched_params, budget))
			*(uint32_t *)((char *)&p + bad[i].field) = (uint32_t)bad[i].value;
		else
			*(uint64_t *)((char *)&p + bad[i].field) = bad[i].value;
		CHECK(sched_configure(s, &p, NULL) == ST_BAD_ARG);
		CHECK(s->priority == 50 && s->budget == 0 && s->cpus == 3);
	}
	CHECK(sched_configure(s, &good, NULL) == ST_OK);
}

/* ---- several CPUs ---- */

TEST(threads_spread_over_cpus)
{
	struct actor *a[4];

	four_equals(4, a);
}

TEST(idle_cpu_takes_who_waits)
{
	play_boot(2);
	struct sched_params p = params(50);
	p.cpus = 1;
	struct actor *tied[2] = { hog(&p), hog(&p) };
	struct actor *mover = hog_at(50);
	play_time(20 * MS);
	CHECK(spent(mover) == 20 * MS);
	p.cpus = 2;
	struct actor *third = hog(&p);
	play_time(20 * MS);
	CHECK(near(spent(mover) + spent(third), 40 * MS, 4 * MS));
	/* CPU 1 becomes free: the mover need not wait on it for one of the tied. */
	spin_lock(&third->t->obj.lock);
	status_t st = thread_suspend(third->t);
	CHECK(st == ST_OK || st == ST_LATER); /* it may run over there */
	uint64_t before = spent(mover);
	play_time(20 * MS);
	CHECK(near(spent(mover) - before, 20 * MS, 4 * MS));
	CHECK(spent(tied[0]) + spent(tied[1]) == 60 * MS && play_ok());
}

TEST(idle_cpu_looks_behind_those_that_are_tied)
{
	play_boot(2);
	struct sched_params p = params(90);
	p.cpus = 1;
	(void)hog(&p);
	(void)hog(&p);
	p = params(95);
	p.cpus = 2;
	struct actor *other = hog(&p);
	play_time(MS);
	struct actor *low = hog_at(50);
	play_time(10 * MS);
	CHECK(spent(low) == 0 && spent(other) == 11 * MS);
	spin_lock(&other->t->obj.lock);
	status_t st = thread_suspend(other->t);
	CHECK(st == ST_OK || st == ST_LATER);
	play_time(10 * MS);
	CHECK(spent(low) == 10 * MS && play_ok());
}

TEST(equals_spread_out_again)
{
	struct actor *a[4];

	play_boot(2);
	struct sched_params p = params(50);
	p.cpus = 1;
	for (unsigned i = 0; i < 4; i++)
		a[i] = hog(&p);
	play_time(40 * MS);
	p.cpus = 3;
	for (unsigned i = 0; i < 4; i++)
		CHECK(sched_configure(a[i]->t->home, &p, NULL) == ST_OK);
	play_time(40 * MS);
	uint64_t before[4];
	for (unsigned i = 0; i < 4; i++)
		before[i] = spent(a[i]);
	play_time(400 * MS);
	for (unsigned i = 0; i < 4; i++)
		CHECK(near(spent(a[i]) - before[i], 200 * MS, 8 * MS));
	CHECK(play_ok());
}

TEST(spent_counts_what_runs_without_a_timer)
{
	play_boot(2);
	struct sched_params p = params(50);
	p.cpus = 2;
	struct actor *a = hog(&p);
	play_time(MS);
	CHECK(host_timer_armed(1) == TIMER_NEVER && spent(a) == MS);
	host_time_advance(5 * MS);
	CHECK(spent(a) == 6 * MS);
	host_time_advance(5 * MS);
	CHECK(spent(a) == 11 * MS);
}

TEST(preempted_thread_goes_to_an_idle_cpu)
{
	play_boot(2);
	struct sched_params p = params(90);
	struct actor *low = hog_at(50);
	play_time(MS);
	CHECK(spent(low) == MS);
	p.cpus = 1u << low->t->cpu;
	struct actor *high = hog(&p);
	play_time(10 * MS);
	CHECK(spent(high) == 10 * MS && spent(low) == 11 * MS);
}

TEST(set_of_cpus_is_obeyed)
{
	play_boot(4);
	struct sched_params p = params(50);
	struct actor *a = hog(&p);
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		p.cpus = 1u << cpu;
		CHECK(sched_configure(a->t->home, &p, NULL) == ST_OK);
		play_time(3 * MS);
		host_act_as(cpu);
		CHECK(play_user() == a && a->t->cpu == cpu);
		host_act_as(0);
	}
	CHECK(spent(a) == 12 * MS && play_ok());
}

TEST(sched_dies_under_running_threads)
{
	struct actor *a[6];

	play_boot(4);
	a[0] = hog_at(50);
	struct sched *s = a[0]->t->home;
	for (unsigned i = 1; i < 6; i++)
		a[i] = hog_with(a[0]->sched);
	play_time(7 * MS);
	CHECK(sched_spent(s) == 28 * MS);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		cpu_by_id[cpu]->idle = 1; /* they need not answer at the end of the grace period */
	uint64_t ticket = do_kill(&s->obj);
	unsigned rounds = 0;
	while (!object_destroy_some(ticket) && rounds++ < 100)
		play_time(1);
	CHECK(s->obj.flags == 0 && rounds < 100);
	for (unsigned i = 0; i < 6; i++)
		CHECK(thread_state(a[i]->t) == THREAD_STOPPED && a[i]->t->home == NULL);
	CHECK(play_ok());
}

/* ---- budgets ---- */

TEST(budget_of_ten_percent_against_eight_hogs)
{
	struct actor *hogs[8];

	play_boot(1);
	struct sched_params p = params(60);
	for (unsigned i = 0; i < 8; i++)
		hogs[i] = hog_at(50);
	p.budget = MS;
	p.period = 10 * MS;
	struct actor *limited = hog(&p);
	play_time(1000 * MS);
	CHECK(spent(limited) == 100 * MS);
	for (unsigned i = 0; i < 8; i++)
		CHECK(near(spent(hogs[i]), 900 * MS / 8, 4 * MS));
	/* Among equals as well. */
	p.priority = 50;
	CHECK(sched_configure(limited->t->home, &p, NULL) == ST_OK);
	uint64_t before = spent(limited);
	play_time(1000 * MS);
	CHECK(near(spent(limited) - before, 100 * MS, MS));
	CHECK(play_ok());
}

TEST(budget_holds_for_a_group)
{
	play_boot(1);
	struct sched_params p = params(60);
	p.budget = 2 * MS;
	p.period = 10 * MS;
	struct actor *a = hog(&p);
	for (unsigned i = 0; i < 9; i++)
		(void)hog_with(a->sched);
	struct actor *rest = hog_at(1);
	play_time(500 * MS);
	CHECK(spent(a) == 100 * MS && spent(rest) == 400 * MS);
}

TEST(budget_of_150_percent_over_four_cpus)
{
	uint64_t others = 0;

	play_boot(4);
	struct sched_params p = params(60);
	p.budget = 15 * MS;
	p.period = 10 * MS;
	struct actor *a = hog(&p);
	for (unsigned i = 0; i < 5; i++)
		(void)hog_with(a->sched);
	struct actor *rest[4];
	for (unsigned i = 0; i < 4; i++)
		rest[i] = hog_at(1);
	play_time(1000 * MS);
	CHECK(near(spent(a), 1500 * MS, MS));
	for (unsigned i = 0; i < 4; i++)
		others += spent(rest[i]);
	CHECK(spent(a) + others == 4000 * MS && play_ok());
}

TEST(unused_budget_is_not_saved_up)
{
	play_boot(1);
	struct sched_params p = params(60);
	p.budget = MS;
	p.period = 10 * MS;
	struct actor *a = hog(&p);
	play_time(MS / 2);
	spin_lock(&a->t->obj.lock);
	CHECK(thread_suspend(a->t) == ST_OK);
	play_time(500 * MS);
	actor_resume(a);
	uint64_t before = spent(a);
	play_time(100 * MS);
	CHECK(spent(a) - before <= 11 * MS && spent(a) - before >= 10 * MS);
}

/* ---- lending ---- */

static struct actor *client, *server;
static struct endpoint *ep;
static cap_t service, entrance;

static void meet(const struct sched_params *of_client, int server_priority)
{
	client = actor_make(NULL, -1);
	cap_t s;
	(void)sched_make(&s, of_client);
	struct thread_config c = { .sched = ref_of(&(struct actor){ .cspace = home }, s) };
	struct cap_ref ref = ref_of(client, client->thread);
	if (thread_configure(&ref, &c) != ST_OK)
		return;
	client->sched = s;
	server = actor_make(NULL, server_priority);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL, 1);
	actor_resume(client);
	actor_resume(server);
}

/* Passive: it is lent a sched of its own to get to its receive, and no longer. */
static void make_passive(void)
{
	struct thread_config c = { .sched = ref_of(&(struct actor){ .cspace = home },
						   client->sched) };
	struct cap_ref ref = ref_of(server, server->thread);

	if (thread_configure(&ref, &c) == ST_OK && act_receive(server, service) == ST_BLOCKED)
		sched_set_home(server->t, NULL);
}

static bool ok(void)
{
	return endpoint_ok(ep) && play_ok();
}

/* Switches that took no look at a run queue, on either path. */
static uint64_t direct_switches(void)
{
	const struct cpu_counters *n = &cpu_boot.counters;

	return n->direct + n->fast[FAST_CALL] + n->fast[FAST_REPLY];
}

TEST(server_runs_on_its_callers_sched)
{
	play_boot(1);
	struct sched_params p = params(50);
	meet(&p, 70);
	struct sched *own = server->t->home;
	CHECK(act_receive(server, service) == ST_BLOCKED);
	uint64_t server_spent = sched_spent(own);
	uint64_t client_spent = spent(client);
	uint64_t direct = direct_switches();
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(play_user() == server && direct_switches() == direct + 1);
	play_time(30 * MS);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(play_user() == client && direct_switches() == direct + 2);
	CHECK(sched_spent(own) == server_spent);
	play_time(MS);
	CHECK(play_act(client, SYS_thread_yield, client->thread, 0, 0, 0) == ST_OK);
	CHECK(spent(client) - client_spent == 31 * MS && ok());
}

TEST(passive_server_runs_for_its_callers_only)
{
	play_boot(1);
	struct sched_params p = params(50);
	meet(&p, -1);
	make_passive();
	CHECK(thread_state(server->t) == THREAD_RECEIVING);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
		CHECK(play_user() == server);
		CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
		CHECK(play_user() == client && ok());
	}
	/* Without the call in its hand it has nothing to run on, until the next one waits. */
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_reply(server, 0) == ST_OK);
	CHECK(thread_state(server->t) == THREAD_STOPPED && play_user() == client);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(play_user() == server);
	CHECK(act_receive(server, service) == ST_OK && server->t->reply.caller == client->t);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED && ok());
}

/* All that ran was charged to somebody, once. */
TEST(donation_conserves_time)
{
	play_boot(1);
	struct sched_params p = params(50);
	meet(&p, 70);
	struct sched *own = server->t->home;
	struct actor *rival = hog_at(50);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	uint64_t start = time_now();
	uint64_t before = sched_spent(own) + spent(client) + spent(rival);
	for (unsigned i = 0; i < 50; i++) {
		CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
		play_time((i % 7) * MS + i * 1000);
		CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
		play_time((i % 5) * MS);
	}
	play_time(SCHED_SLICE_NS);
	CHECK(play_user() != NULL);
	sched_yield_turn();
	CHECK(play_user() != NULL);
	CHECK(sched_spent(own) + spent(client) + spent(rival) - before == time_now() - start &&
	      ok());
}

TEST(donor_that_runs_dry_does_not_freeze_the_server)
{
	play_boot(1);
	struct sched_params p = params(80);
	p.budget = MS;
	p.period = 100 * MS;
	meet(&p, 40);
	struct sched *own = server->t->home;
	struct sched *donor = client->t->home;
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	uint64_t used = sched_spent(donor);
	uint64_t of_own = sched_spent(own);
	play_time(11 * MS);
	/* One of the donor's, ten of its own, which the donor owes. */
	CHECK(play_user() == server && sched_is_dry(donor) && sched_of(server->t, NULL) == own);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(sched_spent(donor) - used <= MS && sched_spent(own) - of_own >= 10 * MS);
	CHECK(near((uint64_t)-donor->pool, 10 * MS, MS) && donor->pool < 0);
	/* The client waits until it has paid: ten periods. */
	CHECK(play_user() == NULL);
	uint64_t then = sched_spent(donor);
	play_time(900 * MS);
	CHECK(play_user() == NULL && sched_spent(donor) == then);
	play_time(200 * MS);
	CHECK(play_user() == client || sched_spent(donor) > used + MS);
	CHECK(ok());
}

TEST(every_guest_leaves_a_dry_sched)
{
	/* Servers work for clients that share a sched; when that is used up, they all go on. */
	struct actor *servers[4];
	cap_t lent, inside;

	play_boot(1);
	struct sched_params p = params(80);
	p.budget = 20 * MS;
	p.period = 1000 * MS;
	(void)sched_make(&lent, &p);
	for (unsigned i = 0; i < ARRAY_LEN(servers); i++) {
		servers[i] = actor_make(NULL, 40);
		(void)endpoint_make(servers[i], &inside);
		actor_resume(servers[i]);
		CHECK(act_receive(servers[i], inside) == ST_BLOCKED);
		struct actor *caller = hog_with(lent);
		cap_t way_in = give(servers[i], inside, caller, RIGHTS_ALL, 1);
		CHECK(act_call(caller, way_in, 0) == ST_BLOCKED);
	}
	for (unsigned i = 0; i < ARRAY_LEN(servers); i++)
		CHECK(play_until(servers[i]));
	(void)hog_with(lent);
	play_time(100 * MS);
	CHECK(sched_is_dry(sched_of_cap(lent)) && play_ok());
	for (unsigned i = 0; i < ARRAY_LEN(servers); i++)
		CHECK(near(spent(servers[i]), 20 * MS, 4 * MS));
}

TEST(passive_server_waits_for_a_dry_donor)
{
	play_boot(1);
	struct sched_params p = params(80);
	p.budget = MS;
	p.period = 10 * MS;
	meet(&p, -1);
	make_passive();
	uint64_t used = spent(client);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	play_time(100 * MS);
	CHECK(near(spent(client) - used, 10 * MS, MS));
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED || play_user() == NULL);
	CHECK(ok());
}

TEST(donor_sched_destroyed_in_a_call)
{
	status_t st;

	play_boot(1);
	struct sched_params p = params(80);
	meet(&p, 40);
	struct sched *own = server->t->home;
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(play_user() == server && sched_of(server->t, NULL) == client->t->home);
	struct sched *s = sched_of_cap(client->sched);
	uint64_t ticket = do_kill(&s->obj);
	for (unsigned i = 0; !object_destroy_some(ticket) && i < 100; i++)
		CHECK(play_user() == server);
	CHECK(s->obj.flags == 0 && sched_of(server->t, NULL) == own && play_user() == server);
	CHECK(act_reply_receive(server, service, MSG_INFO(5, 0, 0)) == ST_BLOCKED);
	/* The client has its answer, and nothing to run on. */
	CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == MSG_INFO(5, 0, 0));
	CHECK(thread_state(client->t) == THREAD_STOPPED && play_user() == NULL && ok());
}

TEST(donor_that_leaves_owes_what_it_left)
{
	status_t st;

	play_boot(1);
	struct sched_params p = params(80);
	p.budget = 50 * MS;
	p.period = 100 * MS;
	meet(&p, 40);
	struct sched *own = server->t->home;
	struct sched *donor = client->t->home;
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, time_now() + MS, 0) == ST_BLOCKED);
	play_time(MS);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE && play_user() == client);
	/* The client waits for something else; the server goes on with what it left. */
	cap_t bits;
	(void)notification_make(client, &bits);
	CHECK(act_wait(client, bits, TIMER_NEVER) == ST_BLOCKED);
	CHECK(play_user() == server && sched_of(server->t, NULL) == own);
	int64_t left = donor->pool;
	play_time(20 * MS);
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(left - donor->pool == (int64_t)(20 * MS) && server->t->debtor == 0 && ok());
}

TEST(waiting_caller_helps_the_server)
{
	play_boot(1);
	struct sched_params p = params(10);
	meet(&p, 10);
	struct actor *urgent = actor_make(client->cspace, 90);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(play_user() == server);
	struct actor *middle = hog_at(50);
	CHECK(play_user() == middle);
	/* The server would not run before the middle one, but somebody urgent waits for it. */
	actor_resume(urgent);
	CHECK(act_call(urgent, entrance, 0) == ST_BLOCKED);
	CHECK(play_user() == server && sched_of(server->t, NULL) == urgent->t->home && ok());
	uint64_t used = spent(urgent);
	play_time(5 * MS);
	CHECK(play_user() == server);
	CHECK(act_reply_receive(server, service, 0) == ST_OK);
	CHECK(spent(urgent) - used >= 5 * MS && spent(middle) == 0);
	CHECK(server->t->reply.caller == urgent->t && play_user() == server && ok());
	CHECK(act_reply_receive(server, service, 0) == ST_BLOCKED);
	CHECK(play_user() == urgent);
}

TEST(help_goes_through_a_chain_and_ends)
{
	status_t st;

	play_boot(1);
	struct sched_params p = params(10);
	meet(&p, 10);
	struct actor *inner = actor_make(NULL, 10);
	cap_t inner_service;
	(void)endpoint_make(inner, &inner_service);
	cap_t way_in = give(inner, inner_service, server, RIGHTS_ALL, 9);
	actor_resume(inner);
	CHECK(act_receive(inner, inner_service) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_call(server, way_in, 0) == ST_BLOCKED);
	CHECK(play_user() == inner && thread_priority(inner->t) == 10);
	struct actor *middle = hog_at(50);
	CHECK(play_user() == middle);
	struct actor *urgent = actor_ready(client->cspace, 90);
	uint64_t until = time_now() + 3 * MS;
	CHECK(play_act(urgent, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	CHECK(play_user() == inner && thread_priority(inner->t) == 90 && ok());
	/* Its deadline ends: so does the help. */
	play_time(3 * MS);
	CHECK(actor_woke(urgent, &st) && st == ST_DEADLINE);
	CHECK(thread_priority(inner->t) == 10 && server->t->helper == NULL && ok());
	/* A change of priority reaches the end of the chain as well. */
	spin_lock(&urgent->t->obj.lock);
	CHECK(thread_suspend(urgent->t) == ST_OK);
	CHECK(play_user() == middle);
	p.priority = 60;
	CHECK(sched_configure(client->t->home, &p, NULL) == ST_OK);
	CHECK(play_user() == inner && thread_priority(inner->t) == 60 && ok());
}

TEST(dead_helper_helps_no_more)
{
	play_boot(1);
	struct sched_params p = params(10);
	meet(&p, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	struct actor *a[2];
	for (unsigned i = 0; i < 2; i++) {
		a[i] = actor_ready(client->cspace, 90 - (int)i);
		CHECK(act_call(a[i], entrance, 0) == ST_BLOCKED);
	}
	CHECK(thread_priority(server->t) == 90);
	CHECK(act_destroy(server, give(a[0], a[0]->thread, server, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(server->t->helper == a[1]->t && thread_priority(server->t) == 89 && ok());
	CHECK(act_destroy(server, give(a[1], a[1]->thread, server, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(server->t->helper == NULL && thread_priority(server->t) == 10 && ok());
	/* The endpoint dies: nobody helps, and the server can be destroyed. */
	struct actor *c = actor_ready(client->cspace, 80);
	CHECK(act_call(c, entrance, 0) == ST_BLOCKED && server->t->helper == c->t);
	CHECK(act_destroy(server, service) == ST_OK);
	CHECK(server->t->helper == NULL && server->t->serving == NULL && play_ok());
}

TEST(loop_of_servers_hangs_nobody_else)
{
	/* Each calls the other: both wait for ever, whoever else calls as well, and the
	 * kernel follows the chain no further than it must. */

	play_boot(1);
	struct sched_params p = params(10);
	meet(&p, 10);
	cap_t back;
	(void)endpoint_make(client, &back);
	cap_t way_back = give(client, back, server, RIGHTS_ALL, 2);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_call(server, way_back, 0) == ST_BLOCKED);
	struct actor *urgent = actor_ready(client->cspace, 90);
	CHECK(act_call(urgent, entrance, 0) == ST_BLOCKED && ok());
	struct actor *other = hog_at(5);
	CHECK(play_user() == other);
	CHECK(act_destroy(other, give(client, client->thread, other, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(act_destroy(other, give(server, server->thread, other, RIGHTS_ALL, 0)) == ST_OK);
	CHECK(ok());
}

/* However many have to go elsewhere, interrupts are let in between some of them and the next. */
TEST(cpu_that_many_leave_takes_interrupts)
{
	play_boot(2);
	struct sched_params p = params(50), low = params(10);
	cap_t s;

	p.cpus = low.cpus = 1;
	struct sched *group = sched_make(&s, &p);
	for (unsigned i = 0; i < 60; i++)
		CHECK(hog_with(s) != NULL);
	struct actor *last = hog(&low);
	p.cpus = 2;
	CHECK(sched_configure(group, &p, NULL) == ST_OK);
	uint64_t exits = cpu_by_id[0]->kernel_exits;
	thread_exit_slow();
	CHECK(cpu_by_id[0]->current == last->t && cpu_by_id[0]->kernel_exits == exits + 3);
	CHECK(play_ok());
}

/* Budgets that were used up elsewhere are found so one by one. */
TEST(cpu_of_many_dry_scheds_takes_interrupts)
{
	play_boot(1);
	struct sched_params p = params(50), low = params(10);
	struct actor *a[60];

	p.period = 1000 * MS;
	p.budget = 10 * MS;
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i] = hog(&p);
	struct actor *last = hog(&low);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		a[i]->t->home->pool = 0;
	uint64_t exits = cpu_by_id[0]->kernel_exits;
	thread_exit_slow();
	CHECK(cpu_by_id[0]->current == last->t && cpu_by_id[0]->kernel_exits == exits + 3);
	play_time(3000 * MS);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		CHECK(spent(a[i]) >= 20 * MS);
	CHECK(play_ok());
}
