/* SPDX-License-Identifier: MIT */
/* proto/program.h - what init gives to a program that it starts.
 *
 * The program's first thread begins at its entry point with the address of a struct program_block,
 * in pages of its own that can only be read. The capabilities in it are all that it has: its
 * own (STARTUP_OWN), those for its life with init, and those that the composition lists for it.
 * Its thread is bound to `events` and reports its faults to init.
 */
#pragma once
#include <abi/startup.h>

#define PROGRAM_MAGIC     0x4752504d454d4854ull /* "THMEMPRG" read as little-endian text */
#define PROGRAM_VERSION   1u
#define PROGRAM_NAME      24 /* bytes, with the zero byte at its end */
#define PROGRAM_CAPS      32
#define PROGRAM_ARGUMENTS 1024

/* Bits of `events` that init signals. Those below PROGRAM_EVENTS_OWN are the program's. */
#define PROGRAM_EVENTS_OWN 56
#define PROGRAM_EVENT_ASK  (1ull << 62) /* answer by signalling `alive` */
#define PROGRAM_EVENT_STOP (1ull << 63) /* come to an end: supervisor_exit */

struct program_cap {
	char name[PROGRAM_NAME]; /* as in the composition */
	cap_t cap;
};

struct program_block {
	STARTUP_OWN
	char name[PROGRAM_NAME];
	uint32_t incarnation; /* how often it was started before */
	uint32_t caps;        /* that are in `cap` */

	cap_t events; /* notification: to wait, to signal, to be copied to others with a badge */
	cap_t alive;  /* notification: signalled once when it is ready, then whenever asked */
	cap_t supervisor; /* endpoint: proto/supervisor.h */
	cap_t service;    /* endpoint: to receive what its clients call; CAP_NONE: it has none */
	cap_t state;      /* quota for what it deposits: it outlives the program; CAP_NONE: none */

	struct program_cap cap[PROGRAM_CAPS];
	char arguments[PROGRAM_ARGUMENTS]; /* texts, each with its zero byte; an empty one ends them
					    */
};
