/* SPDX-License-Identifier: MIT */
#include "child.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_SECONDS 30 /* finds hangs, and no slow machine takes so long */

static void collect(struct child *c, int from, pid_t pid)
{
	size_t used = 0;
	ssize_t n;
	int status;

	do {
		n = read(from, c->output + used, sizeof(c->output) - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	} while (n > 0 && used < sizeof(c->output) - 1);
	c->output[used] = '\0';
	close(from); /* a child that says more ends by SIGPIPE, and so fails */
	waitpid(pid, &status, 0);
	c->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	c->hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
}

void child_run(struct child *c, void (*fn)(void))
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0)
		abort();
	pid_t pid = fork();
	if (pid < 0)
		abort();
	if (pid > 0) {
		close(ends[1]);
		collect(c, ends[0], pid);
		return;
	}
	dup2(ends[1], STDOUT_FILENO);
	dup2(ends[1], STDERR_FILENO);
	alarm(HANG_SECONDS);
	fn();
	fflush(stdout);
	_exit(0);
}

bool child_gave_up(const struct child *c)
{
	return c->failed && !c->hung && strstr(c->output, "Sanitizer") == NULL;
}

unsigned child_said(const struct child *c, const char *text)
{
	unsigned n = 0;

	for (const char *at = c->output; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	return n;
}
