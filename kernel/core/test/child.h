/* SPDX-License-Identifier: MIT */
/* kernel/core/test/child.h - tests of code that ends the program, in a child
 * process whose end and output are looked at from outside. */
#pragma once
#include <stdbool.h>

struct child {
	bool failed;        /* it ended by a signal, or with a code that is not 0 */
	bool hung;          /* it had to be ended */
	char output[65536]; /* what it wrote to stdout and stderr, cut */
};

/* Runs `fn` in a copy of this process. */
void child_run(struct child *c, void (*fn)(void));

/* True if the kernel ended itself with a failure, and no sanitizer did. */
bool child_gave_up(const struct child *c);

/* How often `text` occurs in the output. */
unsigned child_said(const struct child *c, const char *text);
