/* SPDX-License-Identifier: MIT */
/* services/init - starts the composition and keeps it running.
 *
 * Everything that programs do reaches one loop: calls (proto/supervisor.h), faults, signs of life.
 * The loop never waits for a program. When all have ended by themselves there is nothing left that
 * could be told to do anything: the machine is switched off, as failed if one of them has.
 */
#include "hurry.h"
#include "program.h"
#include "report.h"
#include "supervise.h"
#include <abi/memory.h>
#include <abi/node.h>
#include <lib/ipc/ipc.h>
#include <lib/libc/libc.h>
#include <lib/loop/loop.h>
#include <lib/sys/calls.h>
#include <machine_init.h>
#include <stdlib.h>
#include <string.h>

#define KIB(bytes) ((unsigned long long)(bytes) / 1024)

static struct {
	struct supervise life;
	struct loop loop;
	struct loop_timer timer; /* the next thing to be done */
	uint64_t how;            /* to end the machine, once that was asked for */
	bool told;               /* that the composition is up */
} init;

static const char *const end_names[] = {
	[END_EXIT] = "has ended",           [END_FAILURE] = "has failed",
	[END_FAULT] = "has faulted",        [END_HANG] = "gives no sign of life",
	[END_KILL] = "is started anew",     [END_START] = "could not be started",
	[END_STOP] = "did not end in time", [END_NOISE] = "signals without being asked",
};

/* The last resort: without init nothing can be kept running. */
static _Noreturn void give_up(const char *why)
{
	const struct startup *s = workshop.startup;

	for (const char *text = "init: "; *text != '\0'; text++)
		machine_put(s->ports, *text);
	for (; *why != '\0'; why++)
		machine_put(s->ports, *why);
	machine_put(s->ports, '\n');
	(void)sys_node_power(s->node, NODE_OFF_FAILED);
	abort();
}

void libc_write(int level, const char *bytes, size_t size)
{
	report(level == 1 ? LOG_INFO : LOG_ERROR, "%.*s", (int)size, bytes);
}

void libc_exit(int status)
{
	(void)status;
	give_up("it has ended");
}

/* ---- what there is to tell ---- */

static uint64_t memory_of(cap_t quota, uint64_t *limit)
{
	uint64_t used = 0, peak;

	*limit = 0;
	if (quota != CAP_NONE && sys_quota_read(quota, &used, limit, &peak) != ST_OK)
		used = *limit = 0;
	return used;
}

static void tell_composition(void)
{
	static const char *const state[] = { [SUPERVISOR_WAITS] = "waits",
					     [SUPERVISOR_STARTED] = "started",
					     [SUPERVISOR_READY] = "ready",
					     [SUPERVISOR_BACK_OFF] = "back-off",
					     [SUPERVISOR_ENDED] = "ended" };
	uint64_t limit, used = memory_of(workshop.startup->quota, &limit);

	report(LOG_INFO, "composition: up after %llu us, %llu KiB used, %llu KiB free",
	       (unsigned long long)libc_now() / 1000, KIB(used), KIB(limit - used));
	report(LOG_INFO, "%-*s %-8s %8s %8s %8s", PROGRAM_NAME, "program", "state", "KiB", "limit",
	       "kept");
	for (unsigned i = 0; i < workshop.composition->programs; i++) {
		const struct program *p = &workshop.program[i];
		uint64_t most, state_most, memory = memory_of(p->run, &most);
		uint64_t kept = memory_of(p->state, &state_most);

		report(LOG_INFO, "%-*s %-8s %8llu %8llu %8llu", PROGRAM_NAME, p->spec->name,
		       state[init.life.life[i].state], KIB(memory), KIB(most), KIB(kept));
	}
}

/* ---- ends ---- */

static bool is_log(const struct program *p)
{
	return strcmp(p->spec->name, "log") == 0;
}

static void retire(struct program *p)
{
	if (is_log(p))
		report_without_log();
	program_retire(p);
}

/* The program is dead from here on; if it is to be started again, that is done by go_on. */
static void end(struct program *p, enum supervise_end how, const struct msg_fault *fault)
{
	struct supervise_life *l = &init.life.life[p->number];
	bool failed = how != END_EXIT && how != END_KILL;

	report(failed ? LOG_ERROR : LOG_INFO, "%s: %s", p->spec->name, end_names[how]);
	if (failed && p->run != CAP_NONE)
		program_describe(p, fault);
	program_kill(p);
	supervise_ended(&init.life, p->number, how, libc_now());
	if (l->gave_up)
		report(LOG_ERROR, "%s: dies too often, it is not started again", p->spec->name);
	if (l->state == SUPERVISOR_ENDED)
		retire(p);
}

/* All have ended. */
static _Noreturn void end_machine(void)
{
	uint64_t how = supervise_has_failed(&init.life) ? NODE_OFF_FAILED : NODE_OFF;

	if (init.life.stopping)
		how = init.how;
	report(LOG_INFO, "all programs have ended");
	for (unsigned i = 0; i < workshop.composition->programs; i++)
		retire(&workshop.program[i]);
	report_flush();
	(void)sys_node_power(workshop.startup->node, how);
	give_up("the machine goes on");
}

/* ---- what is to be done ---- */

static void start(struct program *p)
{
	const char *what;
	status_t st = program_begin(p, &what);

	if (st == ST_OK)
		return;
	report(LOG_ERROR, "%s: %s (%d)", p->spec->name, what, st);
	end(p, END_START, NULL);
}

static void take(const struct supervise_step *step)
{
	struct program *p = &workshop.program[step->program];

	switch (step->what) {
	case DO_START:
		start(p);
		break;
	case DO_ASK:
		(void)sys_notification_signal(p->events, PROGRAM_EVENT_ASK);
		break;
	case DO_STOP:
		(void)sys_notification_signal(p->events, PROGRAM_EVENT_STOP);
		break;
	case DO_KILL:
		end(p, step->why, NULL);
		break;
	case DO_END:
		end_machine();
	case DO_NOTHING:
		break;
	}
}

/* Does what is to be done now, and sees to it that it is called again in time. */
static void go_on(void *nothing)
{
	uint64_t now = libc_now();
	struct supervise_step step;

	(void)nothing;
	while ((step = supervise_next(&init.life, now)).what != DO_NOTHING)
		take(&step);
	if (!init.told && !init.life.stopping && !supervise_is_starting(&init.life)) {
		init.told = true;
		tell_composition();
	}
	uint64_t deadline = supervise_deadline(&init.life);
	hurry_at(deadline);
	if (deadline == SUPERVISE_NEVER)
		loop_timer_cancel(&init.loop, &init.timer);
	else
		loop_timer_set(&init.loop, &init.timer, deadline, 0);
}

/* ---- what comes from programs ---- */

/* Who calls; NULL: an incarnation that is gone. */
static struct program *program_of(const struct ipc_request *from)
{
	uint64_t number = from->session >> 32;

	if (number >= workshop.composition->programs)
		return NULL;
	struct program *p = &workshop.program[number];
	return p->run != CAP_NONE && (uint32_t)from->session == p->incarnation ? p : NULL;
}

static struct program *program_named(const char name[PROGRAM_NAME])
{
	for (unsigned i = 0; i < workshop.composition->programs; i++) {
		if (strncmp(workshop.program[i].spec->name, name, PROGRAM_NAME) == 0)
			return &workshop.program[i];
	}
	return NULL;
}

static void take_fault(void *self, const struct ipc_request *from, const struct msg_fault *fault)
{
	struct program *p = program_of(from);

	(void)self;
	if (p == NULL)
		return;
	end(p, END_FAULT, fault);
	go_on(NULL);
}

static void take_signs(void *self, uint64_t bits)
{
	(void)self;
	supervise_alive(&init.life, bits, libc_now());
	go_on(NULL);
}

static status_t take_exit(void *self, struct ipc_request *from,
			  const struct supervisor_exit_req *req, struct supervisor_exit_rep *rep,
			  struct msg_cap *caps)
{
	struct program *p = program_of(from);

	(void)self, (void)rep, (void)caps;
	if (p == NULL)
		return ST_PEER_GONE;
	if (req->status != 0)
		report(LOG_ERROR, "%s: status %lld", p->spec->name, (long long)req->status);
	end(p, req->status == 0 ? END_EXIT : END_FAILURE, NULL);
	go_on(NULL);
	return ST_PEER_GONE; /* there is nobody to be told */
}

static status_t take_deposit(void *self, struct ipc_request *from,
			     const struct supervisor_deposit_req *req,
			     struct supervisor_deposit_rep *rep, struct msg_cap *caps)
{
	struct program *p = program_of(from);

	(void)self, (void)rep;
	return p == NULL ? ST_PEER_GONE : deposit_add(p, req, &caps[0]);
}

static status_t take_find(void *self, struct ipc_request *from,
			  const struct supervisor_find_req *req, struct supervisor_find_rep *rep,
			  struct msg_cap *caps)
{
	struct program *p = program_of(from);

	(void)self;
	return p == NULL ? ST_PEER_GONE : deposit_find(p, req->name, &rep->value, &caps[0]);
}

static status_t take_withdraw(void *self, struct ipc_request *from,
			      const struct supervisor_withdraw_req *req,
			      struct supervisor_withdraw_rep *rep, struct msg_cap *caps)
{
	struct program *p = program_of(from);

	(void)self, (void)rep, (void)caps;
	return p == NULL ? ST_PEER_GONE : deposit_withdraw(p, req->name);
}

/* Begins when the answer is on its way. */
static status_t take_shutdown(void *self, struct ipc_request *from,
			      const struct supervisor_shutdown_req *req,
			      struct supervisor_shutdown_rep *rep, struct msg_cap *caps)
{
	(void)self, (void)from, (void)rep, (void)caps;
	if (req->how != NODE_OFF && req->how != NODE_OFF_FAILED && req->how != NODE_REBOOT)
		return ST_BAD_ARG;
	if (!supervise_stop(&init.life))
		return ST_BAD_STATE;
	init.how = req->how;
	report(LOG_INFO, "all programs are told to end");
	loop_timer_set(&init.loop, &init.timer, libc_now(), 0);
	return ST_OK;
}

static status_t take_status(void *self, struct ipc_request *from,
			    const struct supervisor_status_req *req,
			    struct supervisor_status_rep *rep, struct msg_cap *caps)
{
	uint64_t limit, used = memory_of(workshop.startup->quota, &limit), ignored;

	(void)self, (void)from, (void)caps;
	if (req->index >= workshop.composition->programs)
		return ST_BAD_ARG;
	const struct program *p = &workshop.program[req->index];
	const struct supervise_life *l = &init.life.life[req->index];
	memcpy(rep->name, p->spec->name, PROGRAM_NAME);
	rep->state = l->state;
	rep->restarts = l->restarts;
	rep->started = l->started;
	rep->memory = memory_of(p->run, &rep->limit);
	rep->state_memory = memory_of(p->state, &ignored);
	rep->left = limit - used;
	return ST_OK;
}

static status_t take_restart(void *self, struct ipc_request *from,
			     const struct supervisor_restart_req *req,
			     struct supervisor_restart_rep *rep, struct msg_cap *caps)
{
	struct program *p = program_named(req->name);

	(void)self, (void)from, (void)rep, (void)caps;
	if (p == NULL)
		return ST_BAD_ARG;
	if (p->run == CAP_NONE)
		return ST_BAD_STATE;
	end(p, END_KILL, NULL);
	go_on(NULL);
	return ST_OK;
}

static const struct supervisor_ops ops = {
	.exit = take_exit,
	.deposit = take_deposit,
	.find = take_find,
	.withdraw = take_withdraw,
	.shutdown = take_shutdown,
	.status = take_status,
	.restart = take_restart,
};

/* ---- the beginning ---- */

static void must(status_t st, const char *what)
{
	if (st != ST_OK)
		give_up(what);
}

static void map_archive(void)
{
	const struct startup *s = workshop.startup;
	const uint64_t va = 0x500000000000; /* where nothing of a native program lies */
	const struct aspace_range range = {
		.va = va,
		.count = (s->archive_size + MEMORY_PAGE - 1) / MEMORY_PAGE,
	};

	must(sys_aspace_map(s->aspace, s->archive, &range, MAP_READ), "no boot archive");
	workshop.archive = (const uint8_t *)va;
}

static void begin_hurry(void)
{
	const struct startup *s = workshop.startup;
	cap_t session;

	must(sys_cap_copy(s->cspace, s->cspace, workshop.endpoint, RIGHT_CALL,
			  IPC_BADGE(COMPOSITION_SESSION(COMPOSITION_PROGRAMS, 0), 0, 0), &session),
	     "no session with itself");
	if (!hurry_init(s->quota, session))
		give_up("no thread that keeps it in time");
}

/* init is a client of the log like others: of the protocol that any of them is given there. */
static void begin_reports(void)
{
	const struct startup *s = workshop.startup;
	cap_t session = CAP_NONE;

	for (unsigned i = 0; i < workshop.composition->programs; i++) {
		const struct program *p = &workshop.program[i];
		if (!is_log(p) || p->service == CAP_NONE)
			continue;
		must(sys_cap_copy(
			     s->cspace, s->cspace, p->service, RIGHT_CALL,
			     IPC_BADGE(COMPOSITION_SESSION(COMPOSITION_PROGRAMS, 0), 0, LOG_WRITE),
			     &session),
		     "no session with the log");
	}
	if (!report_init(session, s->ports))
		give_up("no thread for reports");
}

/* Above all programs: one that spins must not keep init from ending it. */
static cap_t make_sched(void)
{
	const struct startup *s = workshop.startup;
	const struct sched_share share = { .priority = 255,
					   .weight = 1024,
					   .cpus = UINT64_MAX >> (64 - s->cpus) };
	cap_t sched = CAP_NONE;

	must(sys_sched_create(s->quota, s->sched, &sched), "no sched");
	must(sys_sched_configure(sched, &share), "no share of the CPUs");
	return sched;
}

static void begin_loop(void)
{
	const struct startup *s = workshop.startup;
	const struct thread_setup bound = { .sched = make_sched(),
					    .notification = workshop.events };
	const struct loop_setup setup = { .quota = s->quota,
					  .service = workshop.endpoint,
					  .events = workshop.events,
					  .alive = CAP_NONE };
	const struct loop_event signs = { .bits = (1ull << COMPOSITION_PROGRAMS) - 1,
					  .run = take_signs };

	must(sys_thread_configure(s->thread, &bound), "no signals");
	must(loop_init(&init.loop, &setup), "no loop");
	must(loop_serve(&init.loop, LOOP_SERVICE(0, supervisor, &ops, NULL)), "no protocol");
	must(loop_on_event(&init.loop, signs), "no signs of life");
	loop_on_fault(&init.loop, take_fault, NULL);
	init.timer.run = go_on;
}

int main(void)
{
	const struct startup *s = (const struct startup *)libc_own;

	workshop.startup = s;
	workshop.composition = &composition;
	if (s->magic != STARTUP_MAGIC || s->version != STARTUP_VERSION)
		give_up("it was given something else than it expects");
	map_archive();
	must(sys_endpoint_create(s->quota, &workshop.endpoint), "no endpoint");
	must(sys_notification_create(s->quota, &workshop.events), "no notification");
	for (unsigned i = 0; i < composition.programs; i++)
		must(program_prepare(i), "no room for the composition");
	begin_reports();
	begin_hurry();
	begin_loop();
	supervise_init(&init.life, &composition);
	go_on(NULL);
	must(loop_run(&init.loop), "its endpoint is gone");
	give_up("it was told to stop");
}
