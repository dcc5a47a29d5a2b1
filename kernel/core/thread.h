/* SPDX-License-Identifier: MIT */
/* kernel/core/thread.h - execution, and every way to wait.
 *
 * Life    made stopped; dies as every object does. Destroying a running thread kicks
 *         its CPU and goes on when that CPU has put its state away.
 * Owns    its register frame, vector state area, built-in reply and bindings.
 * Locks   obj.lock (rank LOCK_THREAD): state, bindings' pointers, the built-in reply.
 *         Where it waits (`wait`) is guarded by the lock of the object it waits at; the
 *         run-queue links by the run queue's lock.
 * Blocks  the calls that wait queue the thread and return ST_BLOCKED; nothing runs on
 *         after a wait. Whoever ends the wait writes the outcome into the saved
 *         registers (thread_complete) and makes it ready.
 *
 * A thread has no kernel stack: each CPU has one, and a thread that does not run is its
 * saved user registers alone.
 */
#pragma once
#include <abi/msg.h>
#include <arch/arch.h>
#include <core/cap.h>
#include <core/timer.h>
#include <core/tree.h>

#define ST_BLOCKED ((status_t)-100) /* never leaves the kernel: the caller waits */

enum thread_state {
	THREAD_STOPPED,   /* made, suspended, or stopped by a fault nobody handles */
	THREAD_READY,     /* in a run queue */
	THREAD_RUNNING,   /* on a CPU; in no queue */
	THREAD_CALLING,   /* queued at an endpoint as a caller */
	THREAD_RECEIVING, /* queued at an endpoint as a server */
	THREAD_REPLY,     /* its call was taken; waits for the answer */
	THREAD_WAITING,   /* queued at a notification */
	THREAD_PARKED,
	THREAD_DEAD,
};

struct sched;
struct endpoint;

/* The right to answer one call. Built into each thread; reply objects hold one too. */
struct reply_slot {
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
	struct sched *sched;     /* what it runs on now: its own or a donated one */
	uint32_t cpu;            /* where it runs or will run */
	enum thread_state state;
	bool suspended;          /* stays stopped whatever ends its wait */
	uint8_t pending;         /* THREAD_UNPARKED, THREAD_KICKED: sticky */

	/* The call in hand (as a server) and the call that is out (as a client). */
	struct reply_slot reply;   /* guarded by obj.lock */
	struct reply_slot *waits_at; /* THREAD_REPLY: where its call is held */
	uint64_t call_info;        /* info word of the call that is out or queued */
	uint64_t call_badge;       /* badge of the capability it was made with */

	/* Waiting. */
	struct object *wait;       /* endpoint or notification it is queued at */
	struct thread *next, *prev; /* in that queue */
	struct ktimer deadline;
	uint64_t notified;         /* bits taken from the bound notification */

	/* Scheduling; guarded by the run queue's lock. */
	struct sched *home;        /* its own sched; NULL: passive */
	struct thread *ready_next, *ready_prev;

	/* Guest mode. */
	struct aspace *guest;
	struct guest_state *state_page;

	struct cap_slot bound_aspace, bound_cspace, bound_sched, bound_fault;
	struct cap_slot bound_notification, bound_block, bound_guest, bound_state;
};

#define THREAD_UNPARKED 1u
#define THREAD_KICKED   2u

status_t thread_create(struct quota *q, struct cspace *cs, cap_t aspace, cap_t cspace,
                       struct thread **out) MUST_CHECK;

/* Ends the wait that `t` is in: writes the results and makes it ready (or leaves it stopped if
 * it is suspended). The caller has taken it off its queue. */
void thread_complete(struct thread *t, status_t status, uint64_t info, uint64_t badge,
                     uint64_t number);

/* Takes `t` off whatever it waits at, if it still waits there, and completes it. */
void thread_cancel_wait(struct thread *t, status_t why);
