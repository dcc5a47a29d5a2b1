/* SPDX-License-Identifier: MIT */
#include "program.h"
#include <abi/memory.h>
#include <lib/ipc/ipc.h>
#include <lib/sys/calls.h>
#include <machine_init.h>
#include <string.h>

#define BLOCK_PAGES ((sizeof(struct program_block) + MEMORY_PAGE - 1) / MEMORY_PAGE)

struct workshop workshop;

static cap_t own_space(void)
{
	return workshop.startup->cspace;
}

status_t program_prepare(unsigned number)
{
	struct program *p = &workshop.program[number];
	const cap_t quota = workshop.startup->quota;
	status_t st = ST_OK;

	p->number = number;
	p->spec = &workshop.composition->program[number];
	p->service = p->state = p->run = CAP_NONE;
	if (p->spec->protocols > 0)
		st = sys_endpoint_create(quota, &p->service);
	if (st == ST_OK && p->spec->state > 0)
		st = sys_quota_create(quota, p->spec->state, 0, &p->state);
	return st;
}

/* ---- what it is made of ---- */

static status_t make_sched(struct program *p)
{
	const uint64_t there = UINT64_MAX >> (64 - workshop.startup->cpus);
	struct sched_share share = { p->spec->priority, p->spec->weight, p->spec->budget,
				     p->spec->period, p->spec->cpus & there };

	if (share.cpus == 0)
		share.cpus = there; /* a smaller machine than was thought of */
	status_t st = sys_sched_create(p->run, workshop.startup->sched, &p->sched);
	return st == ST_OK ? sys_sched_configure(p->sched, &share) : st;
}

static status_t make_objects(struct program *p)
{
	const struct program_spec *spec = p->spec;
	status_t st =
		sys_quota_create(workshop.startup->quota, spec->limit, spec->reservation, &p->run);

	if (st != ST_OK)
		return st;
	st = sys_cspace_create(p->run, &p->cspace);
	if (st == ST_OK)
		st = sys_aspace_create(p->run, CAP_NONE, ASPACE_PLAIN, &p->aspace);
	if (st == ST_OK)
		st = sys_thread_create(p->run, p->aspace, p->cspace, &p->thread);
	if (st == ST_OK)
		st = sys_notification_create(p->run, &p->events);
	return st == ST_OK ? make_sched(p) : st;
}

/* Its faults come with the badge that its calls have. */
static status_t bind_thread(struct program *p)
{
	uint64_t badge =
		IPC_BADGE(COMPOSITION_SESSION(p->number, p->incarnation), 0, SUPERVISOR_OWN);
	status_t st = sys_cap_copy(own_space(), own_space(), workshop.endpoint,
				   RIGHT_CALL | RIGHT_COPY, badge, &p->session);
	const struct thread_setup setup = { .sched = p->sched,
					    .fault = p->session,
					    .notification = p->events };

	return st == ST_OK ? sys_thread_configure(p->thread, &setup) : st;
}

/* ---- what it gets ---- */

static status_t give_own(struct program *p, struct program_block *b)
{
	const struct {
		cap_t own;
		rights_t rights;
		uint64_t word;
		cap_t *handle;
	} given[] = {
		{ p->run, RIGHT_CREATE | RIGHT_READ | RIGHT_COPY, 0, &b->quota },
		{ p->sched, RIGHT_RUN | RIGHT_COPY, 0, &b->sched },
		{ p->cspace, RIGHT_MANAGE, 0, &b->cspace },
		{ p->aspace, RIGHT_MANAGE, 0, &b->aspace },
		{ p->thread, RIGHT_CONTROL | RIGHT_UNPARK | RIGHT_COPY, 0, &b->thread },
		{ p->events, RIGHT_SIGNAL | RIGHT_WAIT | RIGHT_COPY | RIGHT_SEND, 0, &b->events },
		{ workshop.events, RIGHT_SIGNAL, 1ull << p->number, &b->alive },
		{ p->session, RIGHT_CALL, 0, &b->supervisor },
		{ p->service, RIGHT_RECEIVE, 0, &b->service },
		{ p->state, RIGHT_CREATE | RIGHT_READ, 0, &b->state },
	};
	status_t st = ST_OK;

	for (unsigned i = 0; st == ST_OK && i < sizeof(given) / sizeof(*given); i++) {
		if (given[i].own != CAP_NONE)
			st = program_give(p, given[i].own, given[i].rights, given[i].word,
					  given[i].handle);
	}
	return st;
}

static status_t give_listed(struct program *p, struct program_block *b, const char **what)
{
	status_t st = ST_OK;

	for (unsigned i = 0; st == ST_OK && i < p->spec->grants; i++) {
		const struct grant *g = &p->spec->grant[i];

		*what = g->name;
		memcpy(b->cap[i].name, g->name, PROGRAM_NAME);
		st = program_grant(p, g, &b->cap[i].cap);
	}
	b->caps = p->spec->grants;
	return st;
}

static status_t fill_block(struct program *p, struct program_block *b, const char **what)
{
	const struct startup *s = workshop.startup;

	*b = (struct program_block){ .magic = PROGRAM_MAGIC,
				     .version = PROGRAM_VERSION,
				     .cpus = s->cpus,
				     .clock = s->clock,
				     .incarnation = p->incarnation };
	memcpy(b->name, p->spec->name, PROGRAM_NAME);
	memcpy(b->arguments, p->spec->arguments, p->spec->arguments_size);
	status_t st = sys_node_entropy(s->node, b->seed, sizeof(b->seed));
	if (st == ST_OK)
		st = give_own(p, b);
	return st == ST_OK ? give_listed(p, b, what) : st;
}

/* The block goes to pages that the program can only read; nobody else keeps the seed. */
static status_t make_block(struct program *p, uint64_t *va, const char **what)
{
	static struct program_block block;
	cap_t memory;
	status_t st = fill_block(p, &block, what);

	if (st != ST_OK)
		return st;
	*what = "its block";
	st = sys_memory_create(p->run, BLOCK_PAGES, 0, &memory);
	if (st == ST_OK)
		st = sys_memory_write(memory, 0, &block, sizeof(block));
	explicit_bzero(&block, sizeof(block));
	if (st == ST_OK)
		st = program_place(PLACE_BLOCK, va);
	return st == ST_OK ? program_map(p, memory, *va, BLOCK_PAGES, MAP_READ) : st;
}

static status_t begin_thread(struct program *p, uint64_t block)
{
	const struct arch_registers r = machine_begin(
		p->base + p->image.entry, p->stack_va + PROGRAM_STACK_PAGES * MEMORY_PAGE, block);
	status_t st = sys_thread_write_registers(p->thread, &r);

	return st == ST_OK ? sys_thread_resume(p->thread) : st;
}

static status_t make(struct program *p, const char **what)
{
	uint64_t block;

	*what = "its quota and what it pays for";
	status_t st = make_objects(p);
	if (st == ST_OK)
		st = program_load(p, what);
	if (st != ST_OK)
		return st;
	*what = "its own capabilities";
	st = bind_thread(p);
	if (st == ST_OK)
		st = make_block(p, &block, what);
	return st == ST_OK ? begin_thread(p, block) : st;
}

/* ---- its life ---- */

status_t program_begin(struct program *p, const char **what)
{
	status_t st = make(p, what);

	if (st != ST_OK)
		program_kill(p);
	return st;
}

void program_kill(struct program *p)
{
	if (p->run != CAP_NONE)
		(void)sys_object_destroy(p->run);
	if (p->session != CAP_NONE)
		(void)sys_cap_drop(own_space(), p->session);
	p->run = p->cspace = p->aspace = p->thread = p->sched = p->events = CAP_NONE;
	p->session = p->stack = CAP_NONE;
	p->incarnation++;
}

void program_retire(struct program *p)
{
	deposit_drop_all(p);
	if (p->service != CAP_NONE)
		(void)sys_object_destroy(p->service);
	if (p->state != CAP_NONE)
		(void)sys_object_destroy(p->state);
	p->service = p->state = CAP_NONE;
}
