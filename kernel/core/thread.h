/* SPDX-License-Identifier: MIT */
/* kernel/core/thread.h - execution, and every way to wait.
 *
 * Life    made stopped; dies as every object does, when it runs nowhere, waits for nothing
 *         and a grace period has passed: who met a pointer to it without a lock may use it
 *         until he leaves the kernel.
 * Owns    its registers, its built-in reply and its bindings.
 * Locks   `place` says where the thread is and so which lock guards that, see below.
 *         obj.lock (rank LOCK_THREAD) guards the built-in reply and the bindings.
 * Blocks  the calls that wait queue the thread and return ST_BLOCKED; nothing runs on after
 *         a wait. Whoever ends the wait writes the outcome into the saved registers
 *         (thread_complete) and makes it ready.
 *
 * A thread has no kernel stack: each CPU has one, and a thread that does not run is its
 * saved user registers alone.
 *
 *   state                at                              guarded by
 *   STOPPED, PARKED      itself                          its lock
 *   WAITING              the notification                its lock
 *   RECEIVING, CALLING   the endpoint where it queues    its lock
 *   REPLY                who holds its call              its lock
 *   READY                the sched_part it is queued in  the lock of that CPU's run queue
 *   RUNNING              nothing                         its CPU: nobody else changes it
 *   MOVING               nothing                         who took it out of the above
 *
 * State and object are one word. Who wants to take a thread out of a wait reads the
 * word, locks the object, and reads the word again: while the lock is held the thread is
 * not taken out, and nobody is put there but by the CPU that the thread runs on.
 *
 * To stop a thread from outside, set a flag, then look where it is: either who ends its
 * wait sees the flag, or it is ready or running meanwhile. A CPU that is kicked looks at the
 * flags of what it runs.
 */
#pragma once
#include <core/cap.h>
#include <core/cpu.h>
#include <core/timer.h>

/* A handler's answer: the thread waits, its results are written by who ends that. */
#define ST_BLOCKED ((status_t)-100)

/* It need not wait, and its results are in its registers already. */
#define SYSCALL_DONE ((status_t)-101)

enum thread_state {
	THREAD_STOPPED, /* made, suspended, killed, without a sched, or faulted unheard */
	THREAD_PARKED,
	THREAD_WAITING,
	THREAD_RECEIVING,
	THREAD_CALLING,
	THREAD_REPLY,
	THREAD_READY,
	THREAD_RUNNING,
	THREAD_MOVING,
	THREAD_STATES,
};

#define THREAD_STATE_MASK ((uintptr_t)OBJECT_GRANULE - 1)

/* Flags, set and cleared atomically by anybody. */
#define THREAD_SUSPENDED 0x01u /* stops at the next chance */
#define THREAD_DYING     0x02u /* the same, for good */
#define THREAD_UNPARKED  0x04u /* sticky: the next park returns at once */
#define THREAD_KICKED    0x08u /* sticky: the next entry to guest mode returns at once */
#define THREAD_NO_SCHED  0x10u /* stopped for want of a sched: goes on when it gets one */
#define THREAD_TIMED     0x20u /* its wait has a deadline */
#define THREAD_FAULTED   0x40u /* waits for the answer to a fault */
#define THREAD_CUT_OFF   0x80u /* its guest was taken away: it may still be in guest mode */
#define THREAD_STOP      (THREAD_SUSPENDED | THREAD_DYING)

/* The call that a thread has in hand, or that a reply object keeps, see reply.h. */
struct reply_slot {
	_Atomic(struct thread *) caller; /* who waits; NULL: none */
	uint64_t number;                 /* as the server was told; never repeated */
};

struct aspace;
struct cspace;
struct endpoint;
struct memory;
struct notification;
struct sched;

/* Threads in a row, first come first: a ring, in which the first one's `prev` is the last. */
struct thread_queue {
	struct thread *head;
};

/* What a thread holds on to by its configuration: the binding in force, and a place for its
 * successor. Changed by who has claimed the thread. */
struct thread_binding {
	struct cap_slot slot[2];
	_Atomic uint8_t at;
};

#define THREAD_BINDINGS 6 /* in the order of enum cap_binding, from BIND_THREAD_SCHED on */

/* The pin of a page that the kernel writes to, for each place of the binding. */
struct thread_pin {
	struct memory *memory; /* NULL: none */
	uint64_t page;
	uint64_t ticket; /* grace period */
};

struct thread {
	struct object obj;       /* first */
	_Atomic uintptr_t place; /* state, and the object where it is */
	_Atomic uint32_t flags;
	_Atomic uint32_t cpu; /* where it runs, or was queued or ran last */

	/* Its own CPU, or who has it THREAD_MOVING, alone. */
	struct thread *next, *prev;        /* in a queue, see thread_queue, or at an endpoint */
	struct reply_slot reply;           /* the call in hand, as a server */
	_Atomic(struct msg_block *) block; /* kernel address of the pinned block; NULL: none */
	_Atomic(struct cspace *) cspace;   /* NULL once the binding is cut */
	_Atomic(struct aspace *) aspace;   /* its own, or the guest's that it serves */
	_Atomic(struct notification *) notification; /* the bound one */
	uint64_t call_info;         /* info word of the call that is out or queued */
	uint64_t call_badge;        /* badge of the capability that it was made with */
	_Atomic uint64_t deadline;  /* of the present wait; TIMER_NEVER: none */
	bool took_bits;             /* its last receive gave bits of the notification */
	_Atomic uint32_t loaded_on; /* CPU that loaded its registers last */

	struct arch_thread arch; /* user registers and vector state, see port.h */

	struct tree_node queued; /* in an endpoint's callers */
	struct ktimer timer;     /* of the deadline */

	/* Guarded by the lock of `serving`, see endpoint.h. */
	_Atomic(struct endpoint *) serving; /* took a call there and has not come back */
	_Atomic(struct thread *) helper;    /* the caller queued there on whose sched it runs */

	/* See sched.h. */
	_Atomic(struct sched *) home; /* its own; NULL: passive */
	struct tree_node homed;       /* in home->threads, guarded by its lock */
	bool in_guests;               /* THREAD_READY: in which queue of its part */
	_Atomic uint64_t debtor;      /* token of the sched whose thread left a call in its hand */

	struct msg_fault fault; /* the report that is out */
	uint64_t work;    /* what it is in the middle of (sys_cap.c): ticket of a destruction, */
	cap_t destroying; /* with this handle; */
	cap_t revoking;   /* or a revoke: token of the space and handle */
	uint64_t revoke_ticket; /* grace period at its end; 0: not drawn */

	/* See thread_bind.c. */
	_Atomic bool claimed; /* who has claimed it changes the rest */
	uint64_t ticket;      /* of its end */
	struct cap_slot bound_aspace, bound_cspace;
	union {
		struct {
			struct thread_binding bound_sched, bound_fault, bound_notification,
				bound_block, bound_guest, bound_state;
		};
		struct thread_binding bound[THREAD_BINDINGS];
	};
	struct thread_pin block_pin[2], state_pin[2];

	/* See guest.h. */
	struct aspace *own_aspace;      /* constant */
	vaddr_t fix_up_from, fix_up_to; /* its own */
	uint64_t guest_ticket;          /* grace period of a cut */
	struct {                        /* the capability that guest_enter was called with, */
		cap_t handle;
		uint32_t gen;                /* of the slot, as the handle has it; */
		const struct cap_slot *slot; /* if in the first chunk, which lasts */
		uint64_t token;
	} entered;
};

static inline enum thread_state thread_state_of(uintptr_t place)
{
	return (enum thread_state)(place & THREAD_STATE_MASK);
}

static inline enum thread_state thread_state(const struct thread *t)
{
	return thread_state_of(atomic_load_explicit(&t->place, memory_order_acquire));
}

/* Where it is: for threads that READY stands for, the sched_part's header. */
static inline struct object *thread_where(uintptr_t place)
{
	return (struct object *)(place & ~THREAD_STATE_MASK);
}

static inline void thread_put(struct thread *t, enum thread_state state, const struct object *where)
{
	atomic_store_explicit(&t->place, (uintptr_t)where + state, memory_order_release);
}

/* Flags that matter and CPU as one word: cpu.hot for a thread of this CPU that may run. */
_Static_assert(offsetof(struct thread, cpu) == offsetof(struct thread, flags) + 4 &&
		       __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "one word");

static inline uint64_t thread_hot(const struct thread *t)
{
	uintptr_t at = (uintptr_t)t + offsetof(struct thread, flags);

	return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE) &
	       ~(uint64_t)(THREAD_UNPARKED | THREAD_KICKED);
}

static inline uint32_t thread_flags(const struct thread *t)
{
	return atomic_load_explicit(&t->flags, memory_order_acquire);
}

/* ---- life (thread_bind.c) ---- */

/* A stopped thread with nothing but its spaces. ST_BAD_ARG: a guest half
 * is no thread's own; ST_NO_MEMORY; as from cap_bind. */
status_t thread_create(struct quota *q, const struct cap_ref *aspace, const struct cap_ref *cspace,
		       struct thread **out) MUST_CHECK;

/* Binds what is given (object not NULL) in place of what was bound before: all or nothing. The
 * block lies `block_offset` bytes into the range that its capability names, a multiple
 * of MSG_BLOCK_ALIGN. ST_BAD_ARG; ST_EXISTS: the notification is another thread's; as from
 * cap_bind and memory_pin; ST_LATER: call again. */
struct thread_config {
	union {
		struct {
			struct cap_ref sched, fault, notification, block, guest, state;
		};
		struct cap_ref to[THREAD_BINDINGS];
	};
	uint64_t block_offset;

	bool serves;         /* all of these count, see guest.h; */
	uint64_t state_page; /* of the range that `state` names */
	vaddr_t fix_up_from, fix_up_to;
};
status_t thread_configure(const struct cap_ref *thread, const struct thread_config *c) MUST_CHECK;

/* ---- waiting (thread.c) ---- */

/* This CPU's running thread begins to wait at `where`, whose lock the caller holds. */
void thread_wait(struct thread *self, enum thread_state state, struct object *where,
		 uint64_t deadline);

/* It need not wait after all; the lock was held since. */
void thread_wait_not(struct thread *self);

/* Sets the timer of a wait that is about to begin, or takes it back when one is over. */
void thread_set_deadline(struct thread *t, uint64_t deadline);
void thread_clear_deadline(struct thread *t);

/* True if `deadline` is not in the future: nobody waits for it. */
bool deadline_passed(uint64_t deadline);

struct thread_result {
	status_t status;
	uint64_t info, badge, number;
};

/* Ends the wait of a thread that is the caller's (THREAD_MOVING): writes the results, makes it
 * ready, or leaves it stopped if a flag says so. What waits for the answer to a fault is
 * stopped unless the answer was another. */
void thread_complete(struct thread *t, const struct thread_result *r);

/* The same, but only writes the results. */
void thread_answer(struct thread *t, const struct thread_result *r);

/* A thread that is the caller's (THREAD_MOVING) and whose results are written runs now, on
 * this CPU, if it may take the place of the running thread, which waits; else it is made
 * ready. */
void thread_run(struct thread *t);

/* Ends the wait of `t` at `at` (NULL: wherever) with `why`; false if it does not wait, or for
 * ST_DEADLINE, that of its present wait has not passed. */
bool thread_cancel_wait(struct thread *t, const struct object *at, status_t why);

/* ---- stopping and going on ---- */

/* A thread that is the caller's (THREAD_MOVING) is made ready, or stopped if a flag says so. */
void thread_settle(struct thread *t);

/* Lets it run; what stopped it is forgotten. */
void thread_resume(struct thread *t) RELEASES(t->obj.lock);

/* Stops `t` wherever it is; a wait goes on, but its end leaves it stopped. ST_LATER: it
 * still runs on another CPU, which was kicked; call again. */
status_t thread_suspend(struct thread *t) RELEASES(t->obj.lock) MUST_CHECK;

/* With THREAD_DYING set before: true when `t` is stopped, waits for nothing and its registers
 * are put away. */
bool thread_kill(struct thread *t);

/* A thread that is the caller's (THREAD_MOVING) has no sched to run on: it stops until it has. */
void thread_stop_without_sched(struct thread *t);

/* If it has stopped for want of a sched, it looks for one again. */
void thread_retry_sched(struct thread *t);

/* Park and unpark: a wait for nothing but to be woken. */
status_t thread_park(struct thread *self, uint64_t deadline) MUST_CHECK;
void thread_unpark(struct thread *t) RELEASES(t->obj.lock);

/* Sets THREAD_KICKED, and sees to it that the thread's CPU looks at it. */
void thread_kick(struct thread *t);

/* True while `t` is what a CPU runs or has run last, so that its registers may be in there. */
bool thread_is_loaded(const struct thread *t);

/* ---- the way out of the kernel ---- */

/* The running thread took a fault that the kernel can't resolve: sends `f` to its fault
 * endpoint and waits for the answer, or stops. */
void thread_fault(struct thread *self, const struct msg_fault *f);

/* At the end of every kernel entry, before going to user mode: goes on with the running thread
 * or, if it can't or something more urgent is ready, chooses another. cpu.current is who runs
 * now, with his registers and page tables loaded; idles until there is somebody. */
void thread_exit_slow(void);

static inline void thread_exit_kernel(void)
{
	if (UNLIKELY(atomic_load_explicit(&arch_this_cpu()->resched, memory_order_relaxed)))
		thread_exit_slow();
}

/* The running thread `self` waits, or stops: somebody else must be chosen, unless he was. */
static inline void thread_blocked(const struct thread *self)
{
	struct cpu *c = arch_this_cpu();

	if (atomic_load_explicit(&c->current, memory_order_relaxed) == self)
		atomic_store_explicit(&c->resched, true, memory_order_relaxed);
}

/* One try to choose: NULL if nobody can run. */
struct thread *thread_next(void);

/* Puts the running thread's registers away and loads those of `to` (NULL: nobody's). */
void thread_switch(struct cpu *c, struct thread *to);

/* ---- queues ---- */

static inline void thread_queue_push(struct thread_queue *q, struct thread *t)
{
	struct thread *first = q->head;

	if (first == NULL) {
		q->head = t->next = t->prev = t;
		return;
	}
	t->next = first;
	t->prev = first->prev;
	first->prev->next = t;
	first->prev = t;
}

static inline void thread_queue_remove(struct thread_queue *q, struct thread *t)
{
	struct thread *next = t->next;

	t->prev->next = next;
	next->prev = t->prev;
	if (q->head == t)
		q->head = next != t ? next : NULL;
}
