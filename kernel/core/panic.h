/* SPDX-License-Identifier: MIT */
/* kernel/core/panic.h - the end of a kernel that can't go on.
 *
 * panic stops the other CPUs, writes the reason and a backtrace with symbol
 * names to the log and the early console, and powers off with a failure code.
 * It may be called on any CPU, in any state, with any lock held. Of CPUs that
 * panic at once one reports and the others wait to be stopped. A panic inside
 * the report makes it shorter; one inside that ends in power-off at once.
 */
#pragma once
#include <core/types.h>

#define panic(...) panic_report(NULL, NULL, __VA_ARGS__)

/* The same; `report`, unless it is NULL, is called with `context` and writes
 * further lines between the reason and the backtrace. */
NORETURN void panic_report(void (*report)(const void *), const void *context, const char *fmt, ...)
	PRINTF(3, 4);

/* Ends the boot because the machine or what it was given is unfit: one clear
 * line, no backtrace, power-off with a failure code. */
NORETURN void boot_refuse(const char *fmt, ...) PRINTF(1, 2);
