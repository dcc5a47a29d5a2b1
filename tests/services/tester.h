/* SPDX-License-Identifier: MIT */
/* tests/services/tester.h - the program that watches all others: it is their log and their desk,
 * and runs the cases in a thread of its own meanwhile. */
#pragma once
#include "desk.h"
#include <stdbool.h>

/* A line on the serial line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The boot option NAME=...; NULL: it is not there. */
const char *option(const char *name);

/* ---- watch.c: what others tell ---- */

/* Begins to serve; runs until init says that it is enough, then calls `at_end`. */
_Noreturn void watch(void (*at_end)(void));

/* What `program` is to do when it says hello next; afterwards it is to wait;
 * but the mortal and the hung one stay with it. */
void watch_set_role(unsigned program, enum desk_role role);

/* How many lines the log has had. */
uint64_t watch_lines(void);

/* Waits for a line of the program (COMPOSITION_PROGRAMS: init) from number `from` on that has
 * `text` in it; its number. */
uint64_t watch_await_line(unsigned program, uint64_t from, const char *text);

/* Whether there is one now. */
bool watch_has_line(unsigned program, uint64_t from, const char *text);

/* Waits until the program has said hello as this incarnation, or a later one. */
void watch_await_hello(unsigned program, uint64_t incarnation);

/* Waits until it has done more than so many rounds; how many. */
uint64_t watch_await_progress(unsigned program, uint64_t more_than);

/* Waits for the list of capabilities that the program without libraries found. */
void watch_await_set(struct desk_set_req *set);

/* Which program was the `index`th to be told to stop; COMPOSITION_PROGRAMS: there was none. */
unsigned watch_stopped(unsigned index);
