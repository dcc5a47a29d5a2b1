/* SPDX-License-Identifier: MIT */
#include <lib/loop/loop.h>
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>

#define OWN_BITS ((1ull << PROGRAM_EVENTS_OWN) - 1)

/* ---- set up ---- */

static void give_back(struct loop *l)
{
	for (; l->free != NULL; l->free = l->free->next_free)
		(void)sys_object_destroy(l->free->reply);
	if (l->timer != CAP_NONE)
		(void)sys_object_destroy(l->timer);
}

status_t loop_init(struct loop *l, const struct loop_setup *s)
{
	*l = (struct loop){
		.service = s->service, .events = s->events, .alive = s->alive, .armed = UINT64_MAX
	};
	status_t st = sys_timer_create(s->quota, s->events, LOOP_EVENT_TIMER, &l->timer);

	for (unsigned i = 0; st == ST_OK && i < s->answers_count; i++) {
		struct loop_answer *a = &s->answers[i];
		st = sys_reply_create(s->quota, &a->reply);
		if (st != ST_OK)
			break;
		a->next_free = l->free;
		l->free = a;
	}
	if (st != ST_OK)
		give_back(l);
	return st;
}

static struct loop_service *find_service(struct loop *l, uint32_t protocol)
{
	for (unsigned i = 0; i < l->services_count; i++) {
		if (l->services[i].protocol == protocol)
			return &l->services[i];
	}
	return NULL;
}

status_t loop_serve(struct loop *l, struct loop_service s)
{
	if (find_service(l, s.protocol) != NULL)
		return ST_EXISTS;
	if (l->services_count == LOOP_SERVICES)
		return ST_NO_SLOTS;
	l->services[l->services_count++] = s;
	return ST_OK;
}

status_t loop_on_event(struct loop *l, struct loop_event e)
{
	if (e.bits == 0 || (e.bits & ~OWN_BITS) || (e.bits & LOOP_EVENT_TIMER))
		return ST_BAD_ARG;
	for (unsigned i = 0; i < l->events_count; i++) {
		if (l->events_of[i].bits & e.bits)
			return ST_EXISTS;
	}
	if (l->events_count == LOOP_EVENTS)
		return ST_NO_SLOTS;
	l->events_of[l->events_count++] = e;
	return ST_OK;
}

void loop_on_fault(struct loop *l,
		   void (*run)(void *self, const struct ipc_request *from,
			       const struct msg_fault *fault),
		   void *self)
{
	l->fault = run;
	l->fault_self = self;
}

void loop_on_ask(struct loop *l, void (*run)(void *self), void *self)
{
	l->ask = run;
	l->ask_self = self;
}

void loop_on_stop(struct loop *l, void (*run)(void *self), void *self)
{
	l->stop = run;
	l->stop_self = self;
}

/* ---- timers ---- */

static void unlink_timer(struct loop *l, struct loop_timer *t)
{
	for (struct loop_timer **at = &l->timers; *at != NULL; at = &(*at)->next) {
		if (*at != t)
			continue;
		*at = t->next;
		break;
	}
	t->is_set = false;
}

static void link_timer(struct loop *l, struct loop_timer *t)
{
	struct loop_timer **at = &l->timers;

	while (*at != NULL && (*at)->deadline <= t->deadline)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	t->is_set = true;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t deadline, uint64_t period)
{
	if (t->is_set)
		unlink_timer(l, t);
	t->deadline = deadline > l->now ? deadline : l->now + 1;
	t->period = period;
	link_timer(l, t);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	if (t->is_set)
		unlink_timer(l, t);
}

/* The next time after `now`, in step with the others. */
static uint64_t next_time(const struct loop_timer *t, uint64_t now)
{
	uint64_t passed = now - t->deadline, steps = passed / t->period + 1;

	return steps > (UINT64_MAX - t->deadline) / t->period ? UINT64_MAX
							      : t->deadline + steps * t->period;
}

/* Those that are due now. What they set meanwhile is later: other events have their turn. */
static void run_timers(struct loop *l)
{
	l->now = libc_now();
	while (!l->stopped && l->timers != NULL && l->timers->deadline <= l->now) {
		struct loop_timer *t = l->timers;
		unlink_timer(l, t);
		if (t->period != 0) {
			t->deadline = next_time(t, l->now);
			link_timer(l, t);
		}
		t->run(t->self);
	}
}

/* Before each wait: the kernel is told only of changes. One that fired is not armed any more. */
static void arm(struct loop *l)
{
	uint64_t first = l->timers == NULL ? UINT64_MAX : l->timers->deadline;

	if (first == l->armed)
		return;
	if (sys_timer_arm(l->timer, first, 0) == ST_OK)
		l->armed = first;
}

/* ---- events ---- */

static void say_alive(const struct loop *l)
{
	/* Its badge says which bit that is. */
	if (l->alive != CAP_NONE)
		(void)sys_notification_signal(l->alive, UINT64_MAX);
}

static void on_bits(struct loop *l, uint64_t bits)
{
	if (bits & PROGRAM_EVENT_ASK) {
		if (l->ask != NULL)
			l->ask(l->ask_self);
		say_alive(l);
	}
	if (bits & LOOP_EVENT_TIMER) {
		l->armed = UINT64_MAX;
		run_timers(l);
	}
	for (unsigned i = 0; i < l->events_count && !l->stopped; i++) {
		struct loop_event *e = &l->events_of[i];
		if (bits & e->bits)
			e->run(e->self, bits & e->bits);
	}
	if ((bits & PROGRAM_EVENT_STOP) && !l->stopped) {
		l->stopped = true;
		if (l->stop != NULL)
			l->stop(l->stop_self);
	}
}

static status_t on_call(struct loop *l, struct ipc_request *from, struct ipc_message *m)
{
	const struct loop_service *s = find_service(l, from->protocol);

	return s == NULL ? ipc_refuse(m, ST_NO_METHOD) : s->dispatch(s->ops, s->self, from, m);
}

static status_t on_fault(struct loop *l, const struct ipc_request *from, struct ipc_message *m)
{
	if (l->fault != NULL)
		l->fault(l->fault_self, from, (const struct msg_fault *)m->bytes);
	(void)ipc_refuse(m, ST_OK);
	return FAULT_STOP;
}

/* ---- the loop ---- */

static status_t wait_for_signals(const struct loop *l, enum ipc_event *event,
				 struct ipc_request *from)
{
	*event = IPC_SIGNAL;
	return sys_notification_wait(l->events, IPC_FOREVER, &from->session);
}

/* Answers the call in hand unless `st` is ST_LATER, and waits. */
static status_t turn(struct loop *l, status_t st, enum ipc_event *event, struct ipc_request *from,
		     struct ipc_message *m)
{
	if (l->service == CAP_NONE)
		return wait_for_signals(l, event, from);
	if (st == ST_LATER)
		return ipc_receive(l->service, IPC_FOREVER, event, from, m);
	return ipc_answer_receive(l->service, st, event, from, m);
}

status_t loop_run(struct loop *l)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;
	status_t answer = ST_LATER; /* there is no call in hand */

	say_alive(l);
	while (!l->stopped) {
		arm(l);
		status_t st = turn(l, answer, &event, &from, &m);
		if (st != ST_OK)
			return st;
		answer = ST_LATER;
		if (event == IPC_CALL)
			answer = on_call(l, &from, &m);
		else if (event == IPC_FAULT)
			answer = on_fault(l, &from, &m);
		else
			on_bits(l, from.session);
	}
	if (answer != ST_LATER)
		ipc_answer(answer, &m);
	return ST_OK;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

/* ---- answers given later ---- */

struct loop_answer *loop_defer(struct loop *l, struct ipc_request *from)
{
	struct loop_answer *a = l->free;

	if (a == NULL || ipc_defer(a->reply, from) != ST_OK)
		return NULL;
	l->free = a->next_free;
	a->call = from->call;
	return a;
}

void loop_answer(struct loop *l, struct loop_answer *a, status_t st, const struct ipc_message *m)
{
	ipc_answer_deferred(a->reply, a->call, st, m);
	a->next_free = l->free;
	l->free = a;
}
