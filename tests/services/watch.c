/* SPDX-License-Identifier: MIT */
#include "tester.h"
#include "common.h"
#include "numbers.h"
#include <proto/log.h>
#include <pthread.h>
#include <services/init/composition.h>
#include <stdlib.h>

#define LINES 1024
#define LINE  160

struct line {
	unsigned program;
	char text[LINE];
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct line line[LINES]; /* number n is at n % LINES */
	uint64_t lines;
	enum desk_role role[COMPOSITION_PROGRAMS];
	uint64_t hello[COMPOSITION_PROGRAMS]; /* the incarnation, and one */
	uint64_t rounds[COMPOSITION_PROGRAMS];
	struct desk_set_req set;
	bool has_set;
	unsigned stopped[COMPOSITION_PROGRAMS], stops;
} seen = { .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static unsigned program_of(const struct ipc_request *from)
{
	uint32_t program = IPC_PROGRAM(from->session);

	return program < COMPOSITION_PROGRAMS ? program : COMPOSITION_PROGRAMS;
}

static void lock(void)
{
	pthread_mutex_lock(&seen.mutex);
}

static void unlock_changed(void)
{
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.mutex);
}

/* ---- services ---- */

static status_t take_line(void *self, struct ipc_request *from, const struct log_write_req *req,
			  struct log_write_rep *rep, struct msg_cap *caps)
{
	size_t size = req->size < LINE - 1 ? req->size : LINE - 1;

	(void)self, (void)rep, (void)caps;
	if (req->size > LOG_TEXT)
		return ST_BAD_ARG;
	lock();
	struct line *l = &seen.line[seen.lines++ % LINES];
	l->program = program_of(from);
	memcpy(l->text, req->text, size);
	l->text[size] = '\0';
	unlock_changed();
	if (option("services.log") != NULL)
		say("%u: %s", l->program, l->text);
	return ST_OK;
}

static status_t take_hello(void *self, struct ipc_request *from, const struct desk_hello_req *req,
			   struct desk_hello_rep *rep, struct msg_cap *caps)
{
	unsigned program = program_of(from);

	(void)self, (void)caps;
	if (program == COMPOSITION_PROGRAMS || IPC_INCARNATION(from->session) != req->incarnation)
		return ST_BAD_ARG;
	lock();
	rep->role = seen.role[program];
	if (program != MORTAL && program != HUNG)
		seen.role[program] = ROLE_WAIT;
	seen.hello[program] = req->incarnation + 1;
	unlock_changed();
	return ST_OK;
}

static status_t take_set(void *self, struct ipc_request *from, const struct desk_set_req *req,
			 struct desk_set_rep *rep, struct msg_cap *caps)
{
	(void)self, (void)from, (void)rep, (void)caps;
	lock();
	seen.set = *req;
	seen.has_set = true;
	unlock_changed();
	return ST_OK;
}

static status_t take_progress(void *self, struct ipc_request *from,
			      const struct desk_progress_req *req, struct desk_progress_rep *rep,
			      struct msg_cap *caps)
{
	unsigned program = program_of(from);

	(void)self, (void)rep, (void)caps;
	if (program == COMPOSITION_PROGRAMS)
		return ST_BAD_ARG;
	lock();
	seen.rounds[program] = req->rounds;
	unlock_changed();
	return ST_OK;
}

static status_t take_stopping(void *self, struct ipc_request *from,
			      const struct desk_stopping_req *req, struct desk_stopping_rep *rep,
			      struct msg_cap *caps)
{
	(void)self, (void)req, (void)rep, (void)caps;
	lock();
	if (seen.stops < COMPOSITION_PROGRAMS)
		seen.stopped[seen.stops++] = program_of(from);
	unlock_changed();
	return ST_OK;
}

static const struct log_ops log_ops = { .write = take_line };
static const struct desk_ops desk_ops = {
	.hello = take_hello, .set = take_set, .progress = take_progress, .stopping = take_stopping
};

static void (*end)(void);

static void run_end(void *nothing)
{
	(void)nothing;
	end();
}

_Noreturn void watch(void (*at_end)(void))
{
	struct loop *l = common_loop();

	end = at_end;
	loop_on_stop(l, run_end, NULL);
	if (loop_serve(l, LOOP_SERVICE(0, log, &log_ops, NULL)) != ST_OK ||
	    loop_serve(l, LOOP_SERVICE(1, desk, &desk_ops, NULL)) != ST_OK)
		abort();
	common_run();
}

/* ---- what was seen ---- */

void watch_set_role(unsigned program, enum desk_role role)
{
	lock();
	seen.role[program] = role;
	unlock_changed();
}

uint64_t watch_lines(void)
{
	lock();
	uint64_t lines = seen.lines;
	unlock_changed();
	return lines;
}

/* The number of a line, or UINT64_MAX. */
static uint64_t find_line(unsigned program, uint64_t from, const char *text)
{
	if (from + LINES < seen.lines)
		from = seen.lines - LINES;
	for (; from < seen.lines; from++) {
		const struct line *l = &seen.line[from % LINES];
		if (l->program == program && strstr(l->text, text) != NULL)
			return from;
	}
	return UINT64_MAX;
}

uint64_t watch_await_line(unsigned program, uint64_t from, const char *text)
{
	uint64_t number;

	lock();
	while ((number = find_line(program, from, text)) == UINT64_MAX)
		pthread_cond_wait(&seen.changed, &seen.mutex);
	pthread_mutex_unlock(&seen.mutex);
	return number;
}

bool watch_has_line(unsigned program, uint64_t from, const char *text)
{
	lock();
	bool there = find_line(program, from, text) != UINT64_MAX;
	pthread_mutex_unlock(&seen.mutex);
	return there;
}

void watch_await_hello(unsigned program, uint64_t incarnation)
{
	lock();
	while (seen.hello[program] <= incarnation)
		pthread_cond_wait(&seen.changed, &seen.mutex);
	pthread_mutex_unlock(&seen.mutex);
}

uint64_t watch_await_progress(unsigned program, uint64_t more_than)
{
	lock();
	while (seen.rounds[program] <= more_than)
		pthread_cond_wait(&seen.changed, &seen.mutex);
	uint64_t rounds = seen.rounds[program];
	pthread_mutex_unlock(&seen.mutex);
	return rounds;
}

void watch_await_set(struct desk_set_req *set)
{
	lock();
	while (!seen.has_set)
		pthread_cond_wait(&seen.changed, &seen.mutex);
	*set = seen.set;
	pthread_mutex_unlock(&seen.mutex);
}

unsigned watch_stopped(unsigned index)
{
	return index < seen.stops ? seen.stopped[index] : COMPOSITION_PROGRAMS;
}
