/* SPDX-License-Identifier: MIT */
/* kernel/core/panic.h - the end of a kernel that can't go on.
 *
 * Stops the other CPUs, writes the reason and a backtrace with symbol names to
 * the log and the early console, and powers off with a failure code.
 */
#pragma once
#include <core/types.h>

NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

/* Ends the boot because the machine or what it was given is unfit: one clear
 * line, no backtrace, power-off with a failure code. */
NORETURN void boot_refuse(const char *fmt, ...) PRINTF(1, 2);
