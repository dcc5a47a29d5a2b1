/* SPDX-License-Identifier: MIT */
/* The C library's tests: the first program of a machine that has no other. */
#include <abi/node.h>
#include <lib/libc/libc.h>
#include <lib/sys/syscall.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

/* A 16550 (see kernel/arch/x86_64/console.c). */
#define UART_DATA     0x3f8
#define UART_LSR      0x3fd
#define LSR_THR_EMPTY 0x20
#define LOOKS         100000

/* What the linker makes of the section "test_cases". */
extern const struct test_case __start_test_cases[], __stop_test_cases[];

static struct {
	bool failed;
	const char *file, *what;
	int line;
} report;

static const struct startup *given(void)
{
	return libc_startup;
}

static void put(char c)
{
	for (unsigned n = 0; n < LOOKS; n++) {
		if (SYS(ioport_read, given()->ports, UART_LSR, 1).out[0] & LSR_THR_EMPTY)
			break;
	}
	SYS(ioport_write, given()->ports, UART_DATA, 1, c);
}

void libc_write(int level, const char *bytes, size_t size)
{
	(void)level;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			put('\r');
		put(bytes[i]);
	}
}

void libc_exit(int status)
{
	SYS(node_power, given()->node, status == 0 ? NODE_OFF : NODE_OFF_FAILED);
	for (;;)
		SYS(thread_suspend, given()->thread);
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

/* The boot option "test": what the names of the cases begin with. */
static bool is_wanted(const char *name)
{
	const char *option = strstr(given()->cmdline, "test=");

	return option == NULL || strncmp(name, option + 5, strcspn(option + 5, " ")) == 0;
}

int main(void)
{
	unsigned passed = 0, failed = 0;

	for (const struct test_case *c = __start_test_cases; c != __stop_test_cases; c++) {
		if (!is_wanted(c->name))
			continue;
		report.failed = false;
		c->run();
		if (report.failed) {
			failed++;
			printf("test %s: FAIL %s:%d %s\n", c->name, report.file, report.line,
			       report.what);
		} else {
			passed++;
			printf("test %s: ok\n", c->name);
		}
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed == 0 && passed > 0 ? 0 : 1;
}
