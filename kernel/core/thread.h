/* SPDX-License-Identifier: MIT */
/* kernel/core/thread.h - execution, and every way to wait.
 *
 * Life    made stopped; dies as every object does. Destroying a running thread kicks
 *         its CPU and goes on when that CPU has put its state away.
 * Owns    its register frame, vector state area, built-in reply and bindings.
 * Locks   whose lock guards `state` depends on where the thread is, see below.
 *         obj.lock (rank LOCK_THREAD) guards the built-in reply and the bindings.
 * Blocks  the calls that wait queue the thread and return ST_BLOCKED; nothing runs on
 *         after a wait. Whoever ends the wait writes the outcome into the saved
 *         registers (thread_complete) and makes it ready.
 *
 * A thread has no kernel stack: each CPU has one, and a thread that does not run is its
 * saved user registers alone.
 *
 *   state                      guarded by
 *   RUNNING                    its CPU: nobody else changes it
 *   READY                      the run queue lock of t->cpu
 *   CALLING, RECEIVING         lock of the endpoint it queues at  } t->wait names
 *   WAITING                    lock of the notification           } the object
 *   REPLY                      lock of whoever holds its call     }
 *   STOPPED, PARKED            its own lock (t->wait is itself)
 *   MOVING                     the one who took it out of the above
 *
 * To stop a thread from outside, set a flag, then lock what t->wait names: either the
 * flag is seen by who ends the wait, or the thread has become ready meanwhile. A running
 * thread's CPU is kicked and looks at the flags when it leaves the kernel.
 */
#pragma once
#include <abi/msg.h>
#include <arch/arch.h>
#include <core/cap.h>
#include <core/timer.h>
#include <core/tree.h>

enum thread_state {
	THREAD_STOPPED,   /* made, suspended, or stopped by a fault nobody handles */
	THREAD_READY,     /* in a run queue */
	THREAD_RUNNING,   /* on a CPU; in no queue */
	THREAD_CALLING,   /* queued at an endpoint as a caller */
	THREAD_RECEIVING, /* queued at an endpoint as a server */
	THREAD_REPLY,     /* its call was taken; waits for the answer */
	THREAD_WAITING,   /* queued at a notification */
	THREAD_PARKED,
	THREAD_MOVING,    /* between two of these */
};

/* Flags, set and cleared atomically by anybody. */
#define THREAD_SUSPENDED 0x01u /* stops at the next chance */
#define THREAD_DYING     0x02u /* the same, for good */
#define THREAD_UNPARKED  0x04u /* sticky: the next park returns at once */
#define THREAD_KICKED    0x08u /* sticky: the next entry to guest mode returns at once */
#define THREAD_NO_SCHED  0x10u /* stopped for want of a sched: goes on when it gets one */
#define THREAD_STOP      (THREAD_SUSPENDED | THREAD_DYING)

struct aspace;
struct cspace;
struct endpoint;
struct guest_state;
struct notification;
struct sched;
struct sched_part;

/* The right to answer one call. Built into each thread; reply objects hold one too. Guarded
 * by the lock of the object that it is part of. */
struct reply_slot {
	struct object *holder; /* the thread or reply object that it is part of; constant */
	struct thread *caller; /* who waits; NULL: none */
	uint64_t number;       /* the call number that the server saw; never repeated */
};

struct thread_queue {
	struct thread *head, *tail;
};

struct thread {
	struct object obj; /* first */
	struct arch_thread arch; /* user registers and vector state, see port.h */

	/* Hot in every message. */
	struct cspace *cspace; /* NULL once the binding is cut */
	struct aspace *aspace;
	struct msg_block *block; /* kernel address of the pinned block; NULL: none */
	struct sched *sched;     /* what it runs on now: its own or a lent one */
	uint32_t cpu;            /* where it runs or ran last */
	_Atomic uint32_t flags;
	enum thread_state state;
	_Atomic(struct object *) wait; /* whose lock guards `state` */
	struct thread *next, *prev;    /* in a queue of servers or waiters, or a sched's part */
	struct tree_node queued;       /* in an endpoint's callers */
	struct sched_part *part;       /* THREAD_READY: where it is queued */

	/* The call in hand (as a server) and the call that is out (as a client). */
	struct reply_slot reply;
	struct reply_slot *waits_at; /* THREAD_REPLY: who holds its call */
	struct endpoint *serving;  /* endpoint it took the call from; guarded by its lock */
	uint64_t call_info;        /* info word of the call that is out or queued */
	uint64_t call_badge;       /* badge of the capability it was made with */

	struct ktimer timer;       /* deadline of the wait */
	uint64_t deadline;         /* that of the present wait; TIMER_NEVER: none */
	struct notification *notification; /* the bound one */

	struct sched *home;        /* its own sched; NULL: passive */

	/* Guest mode. */
	struct aspace *guest;
	struct guest_state *guest_state;

	struct cap_slot bound_aspace, bound_cspace, bound_sched, bound_fault;
	struct cap_slot bound_notification, bound_block, bound_guest, bound_state;
};

/* A stopped thread with nothing but its spaces. */
struct thread_request {
	cap_t aspace, cspace;
	uint64_t badge; /* its faults carry it */
};
status_t thread_create(struct quota *q, struct cspace *cs, const struct thread_request *r,
                       struct thread **out) MUST_CHECK;

/* Lets it run; what stopped it is forgotten. */
void thread_resume(struct thread *t);

/* Stops `t` at once wherever it is; a wait goes on, but its end leaves it stopped. ST_LATER:
 * it still runs on another CPU, which was kicked; call again. */
status_t thread_suspend(struct thread *t) MUST_CHECK;

/* This CPU's running thread begins to wait at `where`, whose lock the caller holds. */
void thread_block(struct thread *self, enum thread_state state, struct object *where,
                  uint64_t deadline);

/* Ends the wait of a thread that the caller took off its queue under the queue's lock and
 * marked THREAD_MOVING: writes the results, makes it ready, or leaves it stopped if a flag says
 * so. No lock is needed. */
struct thread_result {
	status_t status;
	uint64_t info, badge, number;
};
void thread_complete(struct thread *t, const struct thread_result *r);

/* Ends the wait of `t`, whatever it is, with `why`; false if it does not wait. */
bool thread_cancel_wait(struct thread *t, status_t why);

/* Park and unpark: a wait for nothing but to be woken. */
status_t thread_park(struct thread *self, uint64_t deadline) MUST_CHECK;
void thread_unpark(struct thread *t);

/* The running thread took a fault that the kernel can't resolve: sends `f` to its fault
 * endpoint and waits for the answer, or stops it. */
void thread_fault(struct thread *self, const struct msg_fault *f);

/* At the end of every kernel entry, before going to user mode: stops the running thread if a
 * flag says so, picks another if it can't go on. Returns who runs; idles until there is one. */
struct thread *thread_exit_kernel(void);

static inline void thread_queue_push(struct thread_queue *q, struct thread *t)
{
	t->next = NULL;
	t->prev = q->tail;
	if (q->tail == NULL)
		q->head = t;
	else
		q->tail->next = t;
	q->tail = t;
}

static inline void thread_queue_remove(struct thread_queue *q, struct thread *t)
{
	if (t->prev == NULL)
		q->head = t->next;
	else
		t->prev->next = t->next;
	if (t->next == NULL)
		q->tail = t->prev;
	else
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
}
