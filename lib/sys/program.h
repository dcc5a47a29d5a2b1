/* SPDX-License-Identifier: MIT */
/* lib/sys/program.h - where a native program begins. */
#pragma once
#include <abi/startup.h>

/* Supplied by each program; must not return. */
__attribute__((noreturn)) void program_main(const struct startup *s);
