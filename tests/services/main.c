/* SPDX-License-Identifier: MIT */
/* Runs the cases, one after the other, on the same node. The last is its end. */
#include "numbers.h"
#include "tester.h"
#include <abi/node.h>
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/supervisor.h>
#include <pthread.h>
#include <services/init/composition.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <test/test.h>

#define UART_DATA     0
#define UART_LSR      5
#define LSR_THR_EMPTY 0x20
#define LOOKS         100000

extern const struct test_case __start_test_cases[], __stop_test_cases[];

static char cmdline[STARTUP_CMDLINE];
static unsigned passed, failed;

static struct {
	bool failed;
	const char *file, *what;
	int line;
} report;

static void put(cap_t serial, char c)
{
	uint64_t status = 0;

	for (unsigned n = 0; n < LOOKS && !(status & LSR_THR_EMPTY); n++) {
		if (sys_ioport_read(serial, UART_LSR, 1, &status) != ST_OK)
			return;
	}
	(void)sys_ioport_write(serial, UART_DATA, 1, (uint64_t)c);
}

void say(const char *format, ...)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static char text[256];
	va_list args;

	pthread_mutex_lock(&mutex);
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (const char *c = text; *c != '\0'; c++)
		put(program_cap("serial"), *c);
	put(program_cap("serial"), '\r');
	put(program_cap("serial"), '\n');
	pthread_mutex_unlock(&mutex);
}

/* What the tester's own library says. */
void libc_write(int level, const char *bytes, size_t size)
{
	(void)level;
	if (size > 0)
		say("tester: %.*s", (int)size, bytes);
}

const char *option(const char *name)
{
	size_t n = strlen(name);

	for (const char *at = cmdline; at != NULL; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (strncmp(at, name, n) == 0 && at[n] == '=')
			return at + n + 1;
	}
	return NULL;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = option(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

uint64_t test_rounds(uint64_t usual)
{
	return usual * number_from("test.rounds", 1);
}

uint64_t test_seed(void)
{
	return number_from("test.seed", 1);
}

void test_fail(const char *file, int line, const char *what)
{
	if (report.failed)
		return;
	report.failed = true;
	report.file = file;
	report.line = line;
	report.what = what;
}

static void run_case(const struct test_case *c)
{
	report.failed = false;
	c->run();
	if (report.failed)
		say("test %s: FAIL %s:%d %s", c->name, report.file, report.line, report.what);
	else
		say("test %s: ok", c->name);
	failed += report.failed;
	passed += !report.failed;
}

static bool is_wanted(const struct test_case *c)
{
	const char *prefix = option("test");

	return prefix == NULL || strncmp(c->name, prefix, strcspn(prefix, " ")) == 0;
}

static void *run_all(void *nothing)
{
	const struct supervisor_shutdown_req req = { NODE_OFF };
	struct supervisor_shutdown_rep rep;

	watch_await_line(COMPOSITION_PROGRAMS, 0, "composition: up");
	for (const struct test_case *c = __start_test_cases; c != __stop_test_cases; c++) {
		if (is_wanted(c))
			run_case(c);
	}
	if (supervisor_shutdown(program_cap("control"), &req, &rep, NULL) != ST_OK)
		say("the shutdown was refused");
	return nothing;
}

/* All programs that listen were told to end, the last first, each when that behind it had. */
static void test_shutdown(void)
{
	unsigned told = 0, program = PROGRAMS;

	for (unsigned i = 0; watch_stopped(i) != COMPOSITION_PROGRAMS; i++) {
		CHECK(watch_stopped(i) < program);
		program = watch_stopped(i);
		told |= 1u << program;
	}
	CHECK((told & ~(1u << MORTAL | 1u << HUNG)) ==
	      (1u << VICTIM | 1u << SECOND | 1u << CLIENT));
}

static void at_end(void)
{
	const struct test_case shutdown = { "services_shutdown_order", test_shutdown };

	run_case(&shutdown);
	say("%u passed, %u failed, 0 skipped", passed, failed);
}

int main(void)
{
	pthread_t thread;

	(void)sys_memory_read(program_cap("cmdline"), 0, cmdline, sizeof(cmdline) - 1);
	if (pthread_create(&thread, NULL, run_all, NULL) != 0)
		return 1;
	watch(at_end);
}
