/* SPDX-License-Identifier: MIT */
/* The log, as its clients meet it. */
#include "checker.h"
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <proto/log.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

#define READER_WAITS 4 /* calls of one program that may wait at once */

static uint64_t numbers; /* our own entries' */

static cap_t log_cap(void)
{
	return program_cap("log");
}

static status_t say(const char *text)
{
	static struct log_write_req req;
	struct log_write_rep rep;

	req = (struct log_write_req){ .number = ++numbers,
				      .time = libc_now(),
				      .level = LOG_INFO,
				      .cpu = LOG_CPU_UNKNOWN,
				      .size = (uint16_t)strlen(text) };
	memcpy(req.text, text, req.size);
	return log_write(log_cap(), &req, &rep, NULL);
}

/* The first entry from `number` on, there now; NULL: none. */
static const struct log_read_rep *entry(uint64_t number)
{
	static struct log_read_rep rep;
	const struct log_read_req req = { .number = number };

	return log_read(log_cap(), &req, &rep, NULL) == ST_OK ? &rep : NULL;
}

static bool is(const struct log_read_rep *e, const char *program, const char *text)
{
	return strcmp(e->program, program) == 0 && e->size == strlen(text) &&
	       memcmp(e->text, text, e->size) == 0;
}

/* The number of the first such entry from `number` on; 0: there is none. */
static uint64_t find(uint64_t number, const char *program, const char *text)
{
	for (const struct log_read_rep *e = entry(number); e != NULL; e = entry(number)) {
		if (is(e, program, text))
			return e->number;
		number = e->number + 1;
	}
	return 0;
}

static status_t raw(cap_t to, uint32_t method, uint32_t len, unsigned ncaps)
{
	static struct ipc_message m;

	memset(&m, 0, sizeof(m));
	m.method = method;
	m.len = len;
	m.ncaps = ncaps;
	for (unsigned i = 0; i < ncaps; i++)
		m.cap[i] =
			(struct msg_cap){ .handle = program_block()->events, .rights = UINT16_MAX };
	return ipc_call(to, &m);
}

TEST(log_server_keeps_what_is_written)
{
	CHECK(say("a line\x1b") == ST_OK);
	uint64_t number = find(0, "checker", "a line\\e");
	CHECK(number != 0 && say("the next") == ST_OK);
	CHECK(find(number, "checker", "the next") > number);
}

TEST(log_server_has_what_the_kernel_said)
{
	uint64_t number = 0;
	const struct log_read_rep *e;

	for (e = entry(0); e != NULL && strcmp(e->program, "kernel") != 0; e = entry(number))
		number = e->number + 1;
	CHECK(e != NULL && e->size > 0 && e->size <= LOG_TEXT);
}

TEST(log_server_refuses_what_is_wrong)
{
	static const uint32_t lengths[] = { 0, 8, 423, 425, MSG_BYTES };

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		CHECK(raw(log_cap(), 1, lengths[i], 0) == ST_BAD_ARG);
		CHECK(raw(log_cap(), 2, lengths[i], 0) == ST_BAD_ARG);
	}
	CHECK(raw(log_cap(), 0, 0, 0) == ST_NO_METHOD);
	CHECK(raw(log_cap(), UINT32_MAX, MSG_BYTES, 4) == ST_NO_METHOD);
	CHECK(raw(program_cap("writer"), 2, sizeof(struct log_read_req), 0) == ST_NO_RIGHT);
	CHECK(raw(log_cap(), 1, sizeof(struct log_write_req), 0) == ST_BAD_ARG); /* level 0 */
	for (unsigned ncaps = 1; ncaps <= MSG_CAPS; ncaps++)
		CHECK(raw(log_cap(), 2, sizeof(struct log_read_req), ncaps) == ST_BAD_ARG);
	CHECK(say("is well") == ST_OK);
}

/* Whoever waits and goes takes a place from nobody but his own program, and not for long. */
TEST(log_server_outlives_readers_that_go)
{
	static struct ipc_message m;
	const struct log_read_req req = { .number = UINT64_MAX, .wait = 1 };

	for (unsigned round = 0; round < 3; round++) {
		unsigned waited = 0;
		for (unsigned i = 0; i < 3 * READER_WAITS; i++) {
			ipc_begin(&m, 2, &req, sizeof(req), NULL, 0);
			status_t st = ipc_call_until(log_cap(), libc_now() + 1000000, &m);
			CHECK(st == ST_DEADLINE || st == ST_NO_SLOTS || st == ST_OK);
			waited += st == ST_DEADLINE;
		}
		CHECK(waited >= 1);
		CHECK(say("wakes who is there") == ST_OK);
	}
	ipc_begin(&m, 2, &req, sizeof(req), NULL, 0);
	CHECK(ipc_call_until(log_cap(), libc_now() + 1000000, &m) != ST_NO_SLOTS);
}

/* The number of the first entry of the kernel's; 0: there is none. */
static uint64_t first_of_the_kernel(void)
{
	const struct log_read_rep *e = entry(0);

	while (e != NULL && strcmp(e->program, "kernel") != 0)
		e = entry(e->number + 1);
	return e == NULL ? 0 : e->number;
}

TEST(log_server_noise_hides_nobody)
{
	static const char noise[] = "noise noise noise noise noise noise noise noise noise";
	uint64_t first = first_of_the_kernel(), rounds = test_rounds(2000);

	CHECK(first != 0);
	for (uint64_t i = 0; i < rounds; i++)
		CHECK(say(noise) == ST_OK);
	CHECK(first_of_the_kernel() == first);
	CHECK(find(0, "checker", noise) > rounds / 2);
	CHECK(find(0, "log", "checker has said more than is kept: its oldest entries go") != 0);
}

TEST(log_server_killed_keeps_its_entries)
{
	char text[64];
	uint64_t number = 0, deaths = test_rounds(20);

	for (uint64_t i = 0; i < deaths; i++) {
		snprintf(text, sizeof(text), "before death %llu", (unsigned long long)i);
		CHECK(say(text) == ST_OK);
		checker_kill_log();
		uint64_t found = find(number, "checker", text);
		CHECK(found > number);
		number = found;
		/* Made again, as if its answer had been lost. */
		numbers--;
		CHECK(say(text) == ST_OK && find(found + 1, "checker", text) == 0);
	}
}

/* ---- killed while it works ---- */

static _Atomic uint64_t written;
static _Atomic bool is_over;

/* Wherever the log is in what it does for the writer. The next time comes when that has begun and
 * ended a round since, so the log runs again. */
static void *kill_again_and_again(void *nothing)
{
	uint64_t deaths = test_rounds(30);

	for (uint64_t i = 0; i < deaths; i++) {
		uint64_t seen = written;
		while (written - seen < 2 + i % 4)
			sched_yield();
		checker_kill_log();
	}
	is_over = true;
	return nothing;
}

/* The next entry of ours from *number on is this one, and *number is behind it. */
static bool follows(uint64_t *number, const char *text)
{
	const struct log_read_rep *e = entry(*number);

	while (e != NULL && strcmp(e->program, "checker") != 0)
		e = entry(e->number + 1);
	if (e == NULL || !is(e, "checker", text))
		return false;
	*number = e->number + 1;
	return true;
}

TEST(log_server_killed_at_work_writes_each_entry_once)
{
	pthread_t killer;
	uint64_t number = 0;
	char text[64];

	while (entry(number) != NULL)
		number = entry(number)->number + 1;
	written = 0;
	is_over = false;
	CHECK(pthread_create(&killer, NULL, kill_again_and_again, NULL) == 0);
	bool in_order = true;
	while (!is_over) {
		snprintf(text, sizeof(text), "at work %llu", (unsigned long long)written);
		in_order = in_order && say(text) == ST_OK && follows(&number, text);
		written++;
	}
	CHECK(pthread_join(killer, NULL) == 0);
	CHECK(in_order && written > 30);
}
