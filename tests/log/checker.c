/* SPDX-License-Identifier: MIT */
/* Runs the cases on a node that has the log and nothing else. */
#include "checker.h"
#include <abi/node.h>
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/supervisor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define UART_DATA     0
#define UART_LSR      5
#define LSR_THR_EMPTY 0x20
#define LOOKS         100000

extern const struct test_case __start_test_cases[], __stop_test_cases[];

static char cmdline[STARTUP_CMDLINE];
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
	(void)sys_ioport_write(serial, UART_DATA, 1, (uint8_t)c);
}

/* Verdicts go past the log, which is what is tested. */
void libc_write(int level, const char *bytes, size_t size)
{
	(void)level;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			put(program_cap("serial"), '\r');
		put(program_cap("serial"), bytes[i]);
	}
}

uint64_t test_rounds(uint64_t usual)
{
	const char *at = strstr(cmdline, "test.rounds=");

	return usual * (at != NULL ? strtoull(at + strlen("test.rounds="), NULL, 10) : 1);
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

void checker_kill_log(void)
{
	const struct supervisor_restart_req req = { .name = "log" };
	struct supervisor_restart_rep rep;

	if (supervisor_restart(program_cap("control"), &req, &rep, NULL) != ST_OK)
		test_fail(__FILE__, __LINE__, "the log can't be killed");
}

static bool run_case(const struct test_case *c)
{
	report.failed = false;
	c->run();
	if (report.failed)
		printf("test %s: FAIL %s:%d %s\n", c->name, report.file, report.line, report.what);
	else
		printf("test %s: ok\n", c->name);
	return !report.failed;
}

int main(void)
{
	const struct program_block *b = program_block();
	struct supervisor_shutdown_rep rep;
	unsigned passed = 0, failed = 0;

	(void)sys_memory_read(program_cap("cmdline"), 0, cmdline, sizeof(cmdline) - 1);
	if (sys_notification_signal(b->alive, UINT64_MAX) != ST_OK)
		return 1;
	for (const struct test_case *c = __start_test_cases; c != __stop_test_cases; c++) {
		bool ok = run_case(c);
		passed += ok;
		failed += !ok;
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	const struct supervisor_shutdown_req req = { failed == 0 ? NODE_OFF : NODE_OFF_FAILED };
	return supervisor_shutdown(program_cap("control"), &req, &rep, NULL) == ST_OK ? 0 : 1;
}
