/* SPDX-License-Identifier: MIT */
#include "job.h"
#include <stdatomic.h>

#define CLOCK_STEP (100 * 1000ull)

static void do_job(struct actor *a)
{
	struct job *j = job_of(a);

	j->result = sys_call6(j->number, j->arg[0], j->arg[1], j->arg[2], j->arg[3], j->arg[4],
			      j->arg[5]);
}

struct actor *job_new(void)
{
	return actor_new(do_job);
}

struct actor *job_process(void)
{
	return process_new(do_job);
}

void job_start(struct actor *a, uint64_t number, const uint64_t arg[JOB_ARGS])
{
	struct job *j = job_of(a);

	(void)job_waits(a);
	*j = (struct job){ .number = number };
	memcpy(j->arg, arg, JOB_ARGS * sizeof(j->arg[0]));
	actor_start(a);
}

bool job_waits(struct actor *a)
{
	struct arch_registers r;

	while (STATUS(thread_read_registers, a->thread, &r) == ST_BAD_STATE)
		yield();
	return !atomic_load(&a->done);
}

struct sys_result job_end(struct actor *a)
{
	actor_await(a);
	return job_of(a)->result;
}

cap_t job_block(struct actor *a)
{
	cap_t memory = new_memory(1);

	a->block = map(memory, 1, MAP_READ | MAP_WRITE);
	if (a->aspace != start->aspace)
		actor_map(a, memory, a->block, 1, MAP_READ | MAP_WRITE);
	if (STATUS(thread_configure, a->thread, 0, 0, 0, memory, 0) != ST_OK)
		give_up("a message block", 0);
	return memory;
}

void job_kill(struct actor *a)
{
	status_t st = STATUS(object_destroy, a->thread);

	if (st != ST_OK)
		give_up("the end of an actor", st);
}

/* ---- time ---- */

uint64_t time_before(void)
{
	static uint64_t passed;
	cap_t n = new_notification();

	while (STATUS(notification_wait, n, passed + CLOCK_STEP) == ST_WOULD_BLOCK)
		passed += CLOCK_STEP;
	passed += CLOCK_STEP;
	SYS(object_destroy, n);
	return passed;
}

void sleep_until(uint64_t deadline)
{
	while (STATUS(thread_park, start->thread, deadline) != ST_DEADLINE)
		continue;
}

/* ---- place ---- */

void on_one_cpu(bool one)
{
	uint64_t all = (1ull << start->cpus) - 1;
	uint64_t as_it_is = SYS(sched_read, start->sched).out[1];
	status_t st = STATUS(sched_configure, start->sched, as_it_is, 0, 0, one ? 1 : all);

	if (st != ST_OK)
		give_up("the CPUs of the first program", st);
	yield();
}
