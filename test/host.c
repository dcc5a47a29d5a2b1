/* SPDX-License-Identifier: MIT */
/* The unit tests as a program: unit [case ...] runs those named, or all. Each case
 * runs in a process of its own: it finds the kernel core as it was linked, and if
 * it dies or hangs, the others run all the same. */
#include <test/runner.h>
#include <test/test.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_SECONDS 150 /* finds hangs; no case takes so long, however slow the machine */

static char **names;

static bool is_wanted(const char *name)
{
	for (char **n = names; *n != NULL; n++) {
		if (strcmp(*n, name) == 0)
			return true;
	}
	return *names == NULL;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	char *end;

	if (text == NULL)
		return otherwise;
	unsigned long long n = strtoull(text, &end, 10);
	if (end == text || *end != '\0') {
		fprintf(stderr, "%s is not a number: %s\n", variable, text);
		exit(2);
	}
	return n;
}

uint64_t test_rounds(uint64_t usual)
{
	return usual * number_from("TEST_ROUNDS", 1);
}

uint64_t test_seed(void)
{
	return number_from("TEST_SEED", 1);
}

/* ThreadSanitizer calls this after each report: the case that runs has failed. */
void __tsan_on_report(const void *report);
void __tsan_on_report(const void *report)
{
	(void)report;
	test_fail("ThreadSanitizer", 0, "see its report above");
}

/* ThreadSanitizer need not wait for the CPUs that idle when a case ends. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "atexit_sleep_ms=0";
}

void test_isolate(void (*run)(void))
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(HANG_SECONDS * (unsigned)test_rounds(1));
		run();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		test_fail(__FILE__, __LINE__, "no process for the case");
		return;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		test_fail("hung", HANG_SECONDS, "seconds");
	else if (WIFSIGNALED(status))
		test_fail("died", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		test_fail("died", WEXITSTATUS(status), "is the status of its process");
}

int main(int argc, char **argv)
{
	(void)argc;
	names = argv + 1;
	test_report = mmap(NULL, sizeof(*test_report), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (test_report == MAP_FAILED)
		abort();
	return test_run(is_wanted) ? 0 : 1;
}
