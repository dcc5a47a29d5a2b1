/* SPDX-License-Identifier: MIT */
/* abi/startup.h - what the kernel gives to the first program.
 *
 * The kernel starts one program, the file "root" of the boot archive, with one thread. The
 * thread begins at the program's entry point with the address of a struct startup as its
 * first argument; its stack pointer is at the top of a stack of STARTUP_STACK_PAGES pages, below
 * and above which nothing is mapped. The structure lies in pages of its own that can only be read.
 *
 * A program (ELF's ET_DYN, which can lie anywhere) is put at a whole page by chance, with 32 bits
 * of it; it relocates itself. So is, apart from that, the stack of every program.
 *
 * The capabilities that it names are all there are at that moment. Everything else is made
 * out of them.
 */
#pragma once
#include <abi/rights.h>

#define STARTUP_MAGIC       0x54524154534d4854ull /* "THMSTART" read as little-endian text */
#define STARTUP_VERSION     1u
#define STARTUP_STACK_PAGES 16
#define STARTUP_SEGMENTS    8
#define STARTUP_SEED        32
#define STARTUP_CMDLINE     1024

/* The clock that deadlines count by, in nanoseconds: (ticks - base) * ratio, of which this many
 * binary digits lie behind the point. Ticks are those that programs can read themselves. */
#define STARTUP_CLOCK_FRACTION 48

struct startup_clock {
	uint64_t base; /* ticks when the clock began */
	uint64_t ratio;
};

/* What the block of every native program begins with, that of the first and of those that others
 * start (proto/program.h): what it is made of. The first program has every right to its own but,
 * for the first two, that to destroy. */
#define STARTUP_OWN                                                                                \
	uint64_t magic; /* which kind of block */                                                  \
	uint32_t version;                                                                          \
	uint32_t cpus; /* that run; numbered from 0 */                                             \
	cap_t quota;   /* pays for the program; the first one's: all memory that was left */       \
	cap_t sched;   /* the first one's: all CPUs, every priority */                             \
	cap_t cspace;  /* where these handles count */                                             \
	cap_t aspace;                                                                              \
	cap_t thread;                                                                              \
	struct startup_clock clock;                                                                \
	uint8_t seed[STARTUP_SEED]; /* random, for the program's own secrets */

struct startup_own {
	STARTUP_OWN
};

struct startup {
	STARTUP_OWN
	cap_t self;                      /* memory: the pages of this structure */
	cap_t stack;                     /* memory */
	cap_t segment[STARTUP_SEGMENTS]; /* memory: those of its file, then CAP_NONE */

	/* The machine. None can be destroyed. */
	cap_t node;
	cap_t device; /* memory: physical addresses from 0 on, except RAM; page n is at n * 4096 */
	cap_t ports;  /* I/O ports; CAP_NONE where there are none */

	cap_t archive;         /* memory, sealed: the boot archive; to be read, mapped, executed */
	uint64_t archive_size; /* bytes */
	uint64_t acpi_rsdp;    /* physical address of ACPI's root pointer; 0: none */

	char cmdline[STARTUP_CMDLINE]; /* boot options; ends with a zero byte */
};

_Static_assert(sizeof(struct startup) == 200 + STARTUP_SEED + STARTUP_CMDLINE, "startup is ABI");
