/* SPDX-License-Identifier: MIT */
/* kernel/core/test/storm.h - any system calls whatever, one after the other, as bytes say.
 *
 * A process is made in a quota of its own, with some of every kind of object. Its threads
 * make calls whose numbers and arguments are read from the bytes: what a call needs, or
 * something else. They can make, give away, revoke and destroy everything that they have,
 * themselves included. In between time passes, threads fault, and somebody whose call does
 * not end is made to go on. When no bytes are left, or no thread, the quota is destroyed, and all
 * must be as it was.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The machine; once in a program. */
void storm_boot(void);

/* One process; NULL, or what was not in order afterwards. */
const char *storm_run(const uint8_t *bytes, size_t size);

/* What was done so far: calls by number, and how many of them went well. */
extern uint64_t storm_calls[64], storm_passed[64];
