/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/exception.h - the report of an exception in the kernel. */
#pragma once
#include "trap.h"

/* Writes what happened, where and with which registers to the log, with a
 * backtrace, and panics. An exception during the report ends the machine
 * without another one. */
NORETURN void exception_report(const struct trap_frame *f);
