/* SPDX-License-Identifier: MIT */
#include "play.h"
#include "tree_ok.h"
#include <core/guest.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/grace.h>
#include <core/ipc_fast.h>
#include <core/memory.h>

#define ACTORS         512
#define BLOCKS_IN_PAGE (FRAME_SIZE / MSG_BLOCK_ALIGN)

static struct aspace *space;
static cap_t space_cap;

/* ---- the machine ---- */

static void cpu_begin(unsigned id)
{
	(void)id;
	timer_cpu_init();
	run_queue_init();
}

static void begin(void)
{
	cap_t handle;

	sched_init(quota_root);
	ASSERT(cap_insert(home, &sched_root->obj, RIGHTS_ALL, 0, &handle) == ST_OK);
	memory_init();
	ASSERT(aspace_create(quota_root, ASPACE_PLAIN, NULL, &space) == ST_OK);
	ASSERT(cap_insert(home, &space->obj, RIGHTS_ALL, 0, &space_cap) == ST_OK);
}

void play_boot(unsigned cpus)
{
	world_boot(0, 0);
	host_cpus_simulate(cpus);
	for (unsigned id = 0; id < cpus; id++) {
		host_act_as(id);
		cpu_begin(id);
	}
	host_act_as(0);
	begin();
}

void play_boot_threads(unsigned cpus)
{
	world_boot(0, 0);
	host_cpus_run(cpus, cpu_begin);
	begin();
}

/* ---- actors ---- */

static cap_t insert(struct cspace *cs, struct object *o)
{
	cap_t handle;

	ASSERT(cap_insert(cs, o, RIGHTS_ALL, 0, &handle) == ST_OK);
	return handle;
}

static struct cap_ref look_up(struct cspace *cs, cap_t handle)
{
	struct cap_ref ref;

	ASSERT(cap_find(cs, handle, OBJ_ANY, 0, &ref) == ST_OK);
	return ref;
}

struct cap_ref ref_of(const struct actor *a, cap_t handle)
{
	return look_up(a->cspace, handle);
}

struct sched *sched_make(cap_t *out, const struct sched_params *p)
{
	struct sched *s;

	ASSERT(sched_create(quota_root, sched_root, &s) == ST_OK);
	*out = insert(home, &s->obj);
	ASSERT(sched_configure(s, p, NULL) == ST_OK);
	return s;
}

/* The next block of a page that all actors share. */
static cap_t block_memory(uint64_t *offset)
{
	static cap_t page;
	static unsigned used = BLOCKS_IN_PAGE;
	struct memory *m;

	if (used == BLOCKS_IN_PAGE) {
		ASSERT(memory_create(quota_root, 1, 0, &m) == ST_OK);
		page = insert(home, &m->obj);
		used = 0;
	}
	*offset = used++ * MSG_BLOCK_ALIGN;
	return page;
}

static struct actor actors[ACTORS];
static unsigned actors_used;

static void make_thread(struct actor *a)
{
	struct thread_config c = { 0 };
	struct cap_ref space_ref = look_up(home, space_cap);
	struct cap_ref cspace_ref = look_up(home, a->cspace_cap);

	ASSERT(thread_create(quota_root, &space_ref, &cspace_ref, &a->t) == ST_OK);
	a->t->arch.program = a;
	a->thread = insert(a->cspace, &a->t->obj);
	if (a->sched != CAP_NONE)
		c.sched = look_up(home, a->sched);
	c.block = look_up(home, a->page);
	c.block_offset = a->block_offset;
	struct cap_ref self = ref_of(a, a->thread);
	ASSERT(thread_configure(&self, &c) == ST_OK);
	a->block = a->t->block;
	a->seen = 0;
}

struct actor *actor_make(struct cspace *cs, int priority)
{
	struct sched_params p = {
		.priority = (uint32_t)priority,
		.weight = SCHED_WEIGHT_DEFAULT,
		.cpus = cpu_online_mask(),
	};

	ASSERT(actors_used < ACTORS);
	struct actor *a = &actors[actors_used++];
	a->cspace = cs != NULL ? cs : test_space(NULL);
	a->cspace_cap = insert(home, &a->cspace->obj);
	if (priority >= 0)
		(void)sched_make(&a->sched, &p);
	a->page = block_memory(&a->block_offset);
	make_thread(a);
	return a;
}

void play_live_in(cap_t as)
{
	space_cap = as;
}

void actor_again(struct actor *a)
{
	make_thread(a);
}

bool play_is_quiet(void)
{
	for (unsigned i = 0; i < actors_used; i++) {
		if (thread_state(actors[i].t) >= THREAD_READY)
			return false;
	}
	return true;
}

void actor_resume(struct actor *a)
{
	spin_lock(&a->t->obj.lock);
	thread_resume(a->t);
}

struct actor *actor_ready(struct cspace *cs, int priority)
{
	struct actor *a = actor_make(cs, priority);

	actor_resume(a);
	return a;
}

static struct object *make(struct actor *a, enum object_type type, cap_t *out)
{
	struct object *o = object_create(quota_root, type);

	ASSERT(o != NULL);
	*out = insert(a->cspace, o);
	return o;
}

struct endpoint *endpoint_make(struct actor *a, cap_t *out)
{
	return container_of(make(a, OBJ_ENDPOINT, out), struct endpoint, obj);
}

struct notification *notification_make(struct actor *a, cap_t *out)
{
	return container_of(make(a, OBJ_NOTIFICATION, out), struct notification, obj);
}

struct reply *reply_make(struct actor *a, cap_t *out)
{
	return container_of(make(a, OBJ_REPLY, out), struct reply, obj);
}

cap_t give(struct actor *from, cap_t handle, struct actor *to, rights_t rights, uint64_t badge)
{
	cap_t out;

	ASSERT(do_derive(to->cspace, from->cspace, handle, rights, badge, &out) == ST_OK);
	return out;
}

/* ---- acting ---- */

static void interrupts(void)
{
	struct cpu *c = arch_this_cpu();

	if (atomic_exchange(&c->arch.pending, 0) != 0)
		tlb_serve();
	if (host_timer_armed(c->id) <= time_now())
		timer_interrupt();
}

/* The end of a kernel entry, but that it does not idle. */
static struct thread *leave_kernel(void)
{
	struct cpu *c = arch_this_cpu();
	struct thread *t = c->current;

	spin_assert_none_held();
	if (t != NULL && (thread_state(t) != THREAD_RUNNING || (thread_flags(t) & THREAD_STOP)))
		t = NULL;
	bool is_looked_at = false;
	while (t == NULL || c->resched) {
		is_looked_at = true;
		t = thread_next();
		if (t == NULL && !c->resched)
			break;
	}
	if (t != NULL && is_looked_at)
		guest_resume(t);
	cpu_leave_kernel(c);
	return t;
}

struct actor *play_user(void)
{
	interrupts();
	struct thread *t = leave_kernel();

	return t == NULL ? NULL : t->arch.program;
}

static void stand_aside(struct actor *a)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a->thread, TIMER_NEVER };

	a->before = a->t->arch;
	a->parked = true;
	syscall_dispatch(a->t, SYS_thread_park, arg);
}

static void step_forward(struct actor *a)
{
	spin_lock(&a->t->obj.lock);
	thread_unpark(a->t);
	a->parked = false;
	for (unsigned i = 0; i < ARRAY_LEN(a->before.result); i++)
		a->t->arch.result[i] = a->before.result[i];
	a->t->arch.results = a->before.results;
}

bool play_until(struct actor *a)
{
	if (a->parked)
		step_forward(a);
	for (unsigned i = 0; i < 10000; i++) {
		struct actor *user = play_user();

		if (user == a)
			return true;
		if (user == NULL)
			return false;
		if (i < 64)
			sched_yield_turn();
		else
			stand_aside(user);
	}
	return false;
}

bool actor_woke(struct actor *a, status_t *st)
{
	bool woke = a->t->arch.results != a->seen;

	a->seen = a->t->arch.results;
	*st = (status_t)a->t->arch.result[0];
	return woke;
}

void play_enter(struct actor *a, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	if (number == SYS_endpoint_call)
		ipc_call(arg[0], arg[1], arg[2]);
	else if (number == SYS_endpoint_reply_receive)
		ipc_reply_receive(arg[0], arg[1], arg[2]);
	else if (number == SYS_notification_signal)
		ipc_signal(arg[0], arg[1]);
	else if (number == SYS_notification_wait)
		ipc_wait(arg[0], arg[1]);
	else if (number == SYS_thread_yield)
		ipc_yield(arg[0]);
	else if (number == SYS_guest_enter)
		guest_enter(arg[0]);
	else
		syscall_dispatch(a->t, number, arg);
}

status_t play_act_all(struct actor *a, uint64_t number, const uint64_t arg[ARCH_SYSCALL_ARGS])
{
	struct arch_thread *user = &a->t->arch;
	uint64_t results = user->results;
	uint64_t copy[ARCH_SYSCALL_ARGS];

	for (unsigned i = 0; i < ARCH_SYSCALL_ARGS; i++)
		copy[i] = arg[i];
	if (!play_until(a))
		return ST_UNSUPPORTED;
	play_enter(a, number, copy);
	while (user->restarts > 0) {
		if (!play_until(a))
			return ST_LATER;
		user->restarts = 0;
		syscall_dispatch(a->t, user->number, user->arg);
	}
	(void)leave_kernel();
	if (user->results == results)
		return ST_BLOCKED;
	a->seen = user->results;
	return (status_t)user->result[0];
}

status_t play_act(struct actor *a, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
		  uint64_t a3)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { a0, a1, a2, a3 };

	return play_act_all(a, number, arg);
}

status_t act_call(struct actor *a, cap_t ep, uint64_t info)
{
	return play_act(a, SYS_endpoint_call, ep, info, TIMER_NEVER, 0);
}

status_t act_receive(struct actor *a, cap_t ep)
{
	return play_act(a, SYS_endpoint_receive, ep, TIMER_NEVER, 0, 0);
}

status_t act_reply(struct actor *a, uint64_t info)
{
	return play_act(a, SYS_endpoint_reply, a->thread, info, 0, 0);
}

status_t act_reply_receive(struct actor *a, cap_t ep, uint64_t info)
{
	return play_act(a, SYS_endpoint_reply_receive, ep, info, TIMER_NEVER, 0);
}

status_t act_signal(struct actor *a, cap_t n, uint64_t bits)
{
	return play_act(a, SYS_notification_signal, n, bits, 0, 0);
}

status_t act_wait(struct actor *a, cap_t n, uint64_t deadline)
{
	return play_act(a, SYS_notification_wait, n, deadline, 0, 0);
}

status_t act_destroy(struct actor *a, cap_t object)
{
	return play_act(a, SYS_object_destroy, object, 0, 0, 0);
}

/* ---- time ---- */

static uint64_t next_timer(uint64_t end)
{
	uint64_t next = end;

	for (unsigned id = 0; id < cpu_count(); id++) {
		uint64_t armed = host_timer_armed(id);
		if (armed < next)
			next = armed;
	}
	return next;
}

static void every_cpu(void)
{
	for (unsigned id = 0; id < cpu_count(); id++) {
		host_act_as(id);
		(void)play_user();
	}
	host_act_as(0);
}

/* Kicks may go round: until no CPU has anything to look at. */
static void settle_cpus(void)
{
	bool again = true;

	while (again) {
		again = false;
		every_cpu();
		for (unsigned id = 0; id < cpu_count(); id++)
			again = again || cpu_by_id[id]->resched;
	}
}

void play_time(uint64_t ns)
{
	uint64_t end = time_now() + ns;

	settle_cpus();
	while (time_now() < end) {
		uint64_t next = next_timer(end);
		if (next > time_now())
			host_time_advance(next - time_now());
		settle_cpus();
	}
	/* So that what was spent is charged. */
	for (unsigned id = 0; id < cpu_count(); id++)
		cpu_by_id[id]->resched = true;
	settle_cpus();
}

/* ---- running free ---- */

static bool (*all_done)(void);

static void run_cpu(unsigned id)
{
	struct cpu *c = arch_this_cpu();

	(void)id;
	while (!all_done()) {
		struct actor *a = play_user();

		if (a == NULL) {
			if (!object_reap_some())
				arch_cpu_relax();
			continue;
		}
		struct arch_thread *user = &a->t->arch;
		if (user->restarts > 0) {
			user->restarts = 0;
			syscall_dispatch(a->t, user->number, user->arg);
		} else {
			a->program(a);
		}
	}
	spin_assert_none_held();
	thread_switch(c, NULL);
	cpu_leave_kernel(c);
}

void play_free(unsigned cpus, bool (*done)(void))
{
	all_done = done;
	host_cpus_run(cpus, run_cpu);
}

/* ---- what must hold ---- */

static struct thread *caller_at(struct tree_node *n)
{
	return n == NULL ? NULL : container_of(n, struct thread, queued);
}

static bool is_at(const struct thread *t, enum thread_state state, const struct object *where)
{
	return atomic_load(&t->place) == ((uintptr_t)where | state);
}

static bool endpoint_holds(struct endpoint *ep)
{
	struct tree_node *first = tree_first(&ep->callers);
	uint64_t key = 0;

	for (struct tree_node *n = first; n != NULL; n = tree_next(n)) {
		if (!is_at(caller_at(n), THREAD_CALLING, &ep->obj) || n->key < key)
			return false;
		key = n->key;
	}
	for (const struct thread *t = ep->servers; t != NULL; t = t->next) {
		if (!is_at(t, THREAD_RECEIVING, &ep->obj) || t->helper != NULL ||
		    (t->next != NULL && t->next->prev != t))
			return false;
	}
	const struct thread *holder = ep->holder;
	if (holder != NULL && (holder->serving != ep ||
			       (holder->helper != NULL && holder->helper != caller_at(first))))
		return false;
	return first == NULL || ep->servers == NULL;
}

bool endpoint_ok(struct endpoint *ep)
{
	spin_lock(&ep->obj.lock);
	bool ok = endpoint_holds(ep);
	spin_unlock(&ep->obj.lock);
	return ok;
}

static const struct thread *after(const struct thread_queue *q, const struct thread *t)
{
	return t->next == q->head ? NULL : t->next;
}

bool notification_ok(struct notification *n)
{
	bool ok = true;

	spin_lock(&n->obj.lock);
	for (const struct thread *t = n->waiters.head; t != NULL; t = after(&n->waiters, t))
		ok = ok && is_at(t, THREAD_WAITING, &n->obj) && t->next->prev == t;
	ok = ok && (n->bits == 0 || n->waiters.head == NULL);
	spin_unlock(&n->obj.lock);
	return ok;
}

/* A part in a level: adds the threads in it to `*queued`. */
static bool part_ok(const struct run_queue *rq, struct sched_part *p, uint32_t *queued)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct thread_queue *q = &p->ready[i];
		for (const struct thread *t = q->head; t != NULL; t = after(q, t)) {
			if (!is_at(t, THREAD_READY, &p->obj) || t->in_guests != (i == 1) ||
			    t->cpu != rq->cpu || t->next->prev != t)
				return false;
			++*queued;
		}
	}
	return p->cpu == rq->cpu && p != rq->running &&
	       (p->ready[1].head != NULL || (p->ready[0].head != NULL && !p->throttled));
}

static bool level_ok(const struct run_queue *rq, unsigned i, uint32_t *queued)
{
	const struct sched_level *level = &rq->level[i];
	bool ok = (tree_first(&level->parts) != NULL) == (rq->levels[i / 64] >> i % 64 & 1);
	uint64_t key = 0;

	for (struct tree_node *n = tree_first(&level->parts); ok && n != NULL; n = tree_next(n)) {
		struct sched_part *p = container_of(n, struct sched_part, node);
		ok = p->level == i && n->key == p->vtime && n->key >= key && part_ok(rq, p, queued);
		key = n->key;
	}
	return ok;
}

bool run_queue_ok(uint32_t cpu)
{
	struct run_queue *rq = cpu_by_id[cpu]->run_queue;
	uint32_t queued = 0;
	bool ok = true;

	spin_lock(&rq->lock);
	for (unsigned i = 0; ok && i < SCHED_PRIORITIES; i++)
		ok = level_ok(rq, i, &queued);
	/* Others are in parts that wait for their budget, in the one that runs, or aside. */
	ok = ok && queued <= rq->ready &&
	     (rq->aside == NULL || (rq->aside != rq->running && !rq->aside->node.linked));
	spin_unlock(&rq->lock);
	return ok;
}

bool play_ok(void)
{
	for (unsigned id = 0; id < cpu_count(); id++) {
		if (!run_queue_ok(id))
			return false;
	}
	return true;
}

uint64_t actor_info(const struct actor *a)
{
	return a->t->arch.result[1];
}

uint64_t actor_badge(const struct actor *a)
{
	return a->t->arch.result[2];
}

uint64_t actor_number(const struct actor *a)
{
	return a->t->arch.result[3];
}
