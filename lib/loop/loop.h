/* SPDX-License-Identifier: MIT */
/* lib/loop/loop.h - the event loop that every service is made of.
 *
 * One thread waits for calls, signals and its timers at once, and works on one at a time.
 *
 * Life    filled by loop_init with what the program has; services, events and timers are added
 *         before or while it runs, by its own thread alone. It ends when the program is told to
 *         stop, by loop_stop, or when its endpoint dies.
 * Owns    one kernel timer and the reply objects of its answers, made from `quota` by loop_init;
 *         nothing is made or allocated afterwards.
 *
 * What clients do wrong never ends it. While one handler works nothing else is done, nor is the
 * program's heartbeat answered: that is what the heartbeat is to find out.
 */
#pragma once
#include <lib/ipc/ipc.h>
#include <proto/program.h>

#define LOOP_SERVICES 8
#define LOOP_EVENTS   16

/* The bit of `events` that the loop's own timer signals; the program must not use it. */
#define LOOP_EVENT_TIMER (1ull << (PROGRAM_EVENTS_OWN - 1))

/* One protocol that is served. `protocol` is the number in the badge. */
struct loop_service {
	uint32_t protocol;
	status_t (*dispatch)(const void *ops, void *self, struct ipc_request *from,
			     struct ipc_message *m);
	const void *ops;
	void *self;
};

/* Of the protocol P: LOOP_SERVICE(1, log, &log_ops, self). */
#define LOOP_SERVICE(number, P, operations, itself)                                                \
	((struct loop_service){ .protocol = (number),                                              \
				.dispatch = P##_dispatch,                                          \
				.ops = (const struct P##_ops *){ (operations) },                   \
				.self = (itself) })

/* Called with those of `bits` that were signalled. */
struct loop_event {
	uint64_t bits;
	void (*run)(void *self, uint64_t bits);
	void *self;
};

/* A timer lies in the structure that it is about; zero is one that is not set. It may set or
 * cancel itself or others when it runs. */
struct loop_timer {
	void (*run)(void *self);
	void *self;
	uint64_t deadline, period; /* nanoseconds; period 0: once */
	struct loop_timer *next;
	bool is_set;
};

/* A call that is answered later. */
struct loop_answer {
	cap_t reply;
	uint64_t call;
	struct loop_answer *next_free;
};

/* What the program has. */
struct loop_setup {
	cap_t quota;                 /* pays */
	cap_t service;               /* endpoint; CAP_NONE: it serves nobody */
	cap_t events;                /* notification, bound to the thread */
	cap_t alive;                 /* see program_block; CAP_NONE: nobody asks */
	struct loop_answer *answers; /* room for calls that are answered later */
	unsigned answers_count;
};

struct loop {
	cap_t service, events, alive, timer;
	uint64_t armed;            /* what the kernel's timer is set to; UINT64_MAX: nothing */
	uint64_t now;              /* when timers ran last: none is set for a time before that */
	struct loop_timer *timers; /* the next one first */
	struct loop_answer *free;
	struct loop_service services[LOOP_SERVICES];
	struct loop_event events_of[LOOP_EVENTS];
	unsigned services_count, events_count;

	void (*fault)(void *self, const struct ipc_request *from, const struct msg_fault *fault);
	void *fault_self;
	void (*ask)(void *self);
	void *ask_self;
	void (*stop)(void *self);
	void *stop_self;
	bool stopped;
};

/* Makes what the loop needs. Fails as timer_create and reply_create do; then nothing is left. */
status_t loop_init(struct loop *l, const struct loop_setup *s) MUST_CHECK;

/* From now on calls of this protocol go there; those of a protocol that nobody serves are
 * answered with ST_NO_METHOD. ST_EXISTS: it is served already; ST_NO_SLOTS. */
status_t loop_serve(struct loop *l, struct loop_service s) MUST_CHECK;

/* From now on these signals go there. ST_EXISTS: a bit has a handler; ST_BAD_ARG: a bit is not
 * the program's; ST_NO_SLOTS. */
status_t loop_on_event(struct loop *l, struct loop_event e) MUST_CHECK;

/* Reports of threads that faulted go there; without it, they stay stopped. After it they do
 * so too. */
void loop_on_fault(struct loop *l,
		   void (*run)(void *self, const struct ipc_request *from,
			       const struct msg_fault *fault),
		   void *self);

/* Called whenever init asks whether the program lives, before it answers: a good moment for what is
 * to be done now and then without a wake-up of its own. */
void loop_on_ask(struct loop *l, void (*run)(void *self), void *self);

/* Called once the program is told to stop, before loop_run returns. */
void loop_on_stop(struct loop *l, void (*run)(void *self), void *self);

/* Says that the program is ready, then works until it is told to stop (ST_OK), or its endpoint
 * is gone or not to be received from (the kernel's status). */
status_t loop_run(struct loop *l) MUST_CHECK;

/* loop_run returns after the present handler. */
void loop_stop(struct loop *l);

/* Runs `t` at `deadline` (nanoseconds of libc_now), then, if `period` is not 0, every so many.
 * Periods that were missed are left out. A timer that is set is set anew. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t deadline, uint64_t period);

/* Takes it back; it may be used for something else afterwards. */
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

/* Keeps the call in hand: the method then returns ST_LATER. NULL: there is no room for another. */
struct loop_answer *loop_defer(struct loop *l, struct ipc_request *from) MUST_CHECK;

/* Answers it; its room is free again. `m` holds the answer, see ipc_fill. */
void loop_answer(struct loop *l, struct loop_answer *a, status_t st, const struct ipc_message *m);
