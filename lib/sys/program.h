/* SPDX-License-Identifier: MIT */
/* lib/sys/program.h - where a native program begins. */
#pragma once
#include <abi/startup.h>

/* Supplied by each program; must not return. */
__attribute__((noreturn)) void program_main(const struct startup *s);

/* Where its parts begin, each on a page of its own: code, constants, data; and where they end. The
 * kernel gives the memory of each in this order (startup.segment). */
extern char program_text[], program_rodata[], program_data[], program_end[];
