/* SPDX-License-Identifier: MIT */
/* kernel/core/test/play.h - threads with programs, on CPUs that tests drive.
 *
 * An actor is a thread with a program: a function of the test that is called while the
 * thread is in user mode and makes one system call, or spends time. A test can also act for the
 * threads itself: play_act(a, ...) lets `a` run and makes a call for it. */
#pragma once
#include "world.h"
#include <core/endpoint.h>
#include <core/notification.h>
#include <core/reply.h>
#include <core/sched.h>
#include <core/syscall.h>
#include <core/thread.h>

struct actor;
typedef void program_fn(struct actor *a);

struct actor {
	struct thread *t;
	struct cspace *cspace;         /* which its handles are in */
	cap_t thread;                  /* control over itself */
	cap_t sched, cspace_cap, page; /* in `home` */
	uint64_t block_offset;
	struct msg_block *block;
	program_fn *program;
	uint64_t seen; /* results of calls that were looked at */
	bool parked;   /* it was in the way, see play_until */
	struct arch_thread before;
	uint64_t state, count, word[4]; /* the program's */
	void *with;
};

/* The usual machine with `cpus` simulated CPUs (host_cpus_simulate), run queues and the first
 * sched; play_boot_threads: real threads, 1 to 4. */
void play_boot(unsigned cpus);
void play_boot_threads(unsigned cpus);

/* A stopped thread in space `cs` (NULL: a new one) with a message block and a sched of its own of
 * `priority`; -1: none (a passive server). */
struct actor *actor_make(struct cspace *cs, int priority);

/* Threads made from now on live in this space, which `home` names. */
void play_live_in(cap_t as);
void actor_resume(struct actor *a);

/* One that is made and resumed. */
struct actor *actor_ready(struct cspace *cs, int priority);

/* A new thread takes the place of the one that was destroyed, as stopped and with the same sched.
 */
void actor_again(struct actor *a);

/* A new object with a capability with all rights in the space of `a`. */
struct endpoint *endpoint_make(struct actor *a, cap_t *out);
struct notification *notification_make(struct actor *a, cap_t *out);
struct reply *reply_make(struct actor *a, cap_t *out);
struct sched *sched_make(cap_t *out, const struct sched_params *p); /* in `home` */

/* A capability of `from` copied to `to`; dies if that does not work. */
cap_t give(struct actor *from, cap_t handle, struct actor *to, rights_t rights, uint64_t badge);

/* What `handle` of `a` names; no right is needed. */
struct cap_ref ref_of(const struct actor *a, cap_t handle);

/* ---- acting ---- */

/* Lets this CPU choose, as at the end of a kernel entry, and gives who is in user mode now, or
 * NULL. */
struct actor *play_user(void);

/* Lets this CPU run until `a` is in user mode. Who is in the way yields, and if he is more urgent
 * parks until it is his turn to act. False: it can't be brought to run. */
bool play_until(struct actor *a);

/* `a` makes a call, again as long as the kernel asks for that, and leaves the kernel. Gives the
 * status, or ST_BLOCKED. */
status_t play_act(struct actor *a, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
		  uint64_t a3);
status_t play_act_all(struct actor *a, uint64_t number, const uint64_t arg[ARCH_SYSCALL_ARGS]);

/* Enters the kernel as the program of `a`, which runs, the way a machine does. */
void play_enter(struct actor *a, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS]);

/* True if `a` was given results since that was asked last; `*st` is the status. */
bool actor_woke(struct actor *a, status_t *st);

/* The results besides the status, as the last end of a wait left them. */
uint64_t actor_info(const struct actor *a);
uint64_t actor_badge(const struct actor *a);
uint64_t actor_number(const struct actor *a);

/* Short forms. */
status_t act_call(struct actor *a, cap_t ep, uint64_t info);
status_t act_receive(struct actor *a, cap_t ep);
status_t act_reply(struct actor *a, uint64_t info);
status_t act_reply_receive(struct actor *a, cap_t ep, uint64_t info);
status_t act_signal(struct actor *a, cap_t n, uint64_t bits);
status_t act_wait(struct actor *a, cap_t n, uint64_t deadline);
status_t act_destroy(struct actor *a, cap_t object);

/* ---- time ---- */

/* Lets simulated time pass, up to `ns`: every CPU takes its timer interrupts when they are due,
 * and programs spend it (they should make no calls). */
void play_time(uint64_t ns);

/* ---- running free (play_boot_threads) ---- */

/* Every CPU runs whatever is ready, until `done` says so. */
void play_free(unsigned cpus, bool (*done)(void));

/* True if no actor is ready, runs, or is just being moved. */
bool play_is_quiet(void);

/* True when what the headers say of an object holds; it is not locked. */
bool endpoint_ok(struct endpoint *ep);
bool notification_ok(struct notification *n);
bool run_queue_ok(uint32_t cpu);

/* All run queues. */
bool play_ok(void);
