/* SPDX-License-Identifier: MIT */
/* services/init/composition.h - what runs, as tools/compose.py made it of a composition file.
 *
 * The tool writes a C file that defines `composition`; it is linked into init. The tool has
 * checked what it says; the numbers of programs are those of the order in which they are
 * started, so a program needs only such that stand before it.
 */
#pragma once
#include <proto/program.h>

#define COMPOSITION_PROGRAMS                      48 /* at most: each has a bit in a notification */
#define COMPOSITION_SESSION(program, incarnation) ((uint64_t)(program) << 32 | (incarnation))

/* What a program is given besides its own. */
enum grant_kind {
	GRANT_USE,     /* call the service of a program: `program`, `protocol`, `service_rights` */
	GRANT_NODE,    /* the node object */
	GRANT_PORTS,   /* I/O ports: `count` from `from` on; count 0: all */
	GRANT_DEVICE,  /* physical addresses: `count` pages from page `from` on; count 0: all */
	GRANT_ARCHIVE, /* the boot archive: memory, sealed */
	GRANT_FILE,    /* the pages of a file of the boot archive: `file` */
	GRANT_QUOTA,   /* all memory, to make quotas below it */
	GRANT_SCHED,   /* all CPUs, to make scheds below it */
	GRANT_IRQ,     /* interrupts of the source `from` (abi/device.h), to its first CPU */
	GRANT_CMDLINE, /* a page, read-only: the boot options, with their zero byte */
	GRANT_ACPI,    /* a page, read-only: uint64_t, as startup.acpi_rsdp */
};

struct grant {
	char name[PROGRAM_NAME];
	enum grant_kind kind;
	rights_t rights;         /* of the capability */
	uint16_t program;        /* whose service; COMPOSITION_PROGRAMS: init's own */
	uint16_t protocol;       /* which of those that it serves */
	uint16_t service_rights; /* in the badge */
	uint64_t from, count;
	const char *file;
};

enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

struct program_spec {
	char name[PROGRAM_NAME];
	const char *file;            /* of the boot archive */
	uint64_t limit, reservation; /* of its quota, in bytes */
	uint64_t state;              /* limit of what outlives it; 0: nothing does */
	uint32_t priority, weight;
	uint64_t budget, period, cpus; /* nanoseconds; budget 0: no limit; a bit for each CPU,
					* whether there is one or not */
	enum restart_policy restart;
	uint32_t restarts;  /* so many ... */
	uint64_t within;    /* ... within so many nanoseconds, then it is left dead */
	uint64_t heartbeat; /* it is asked so often, in nanoseconds; 0: never */
	uint64_t stop;      /* it is given so long to end, in nanoseconds */
	uint64_t needs;     /* a bit for each program that has to be ready before it starts */
	uint16_t protocols; /* that it serves; 0: it has no service */
	uint16_t grants;
	const struct grant *grant;
	const char *arguments; /* as program_block.arguments */
	uint16_t arguments_size;
};

struct composition {
	const struct program_spec *program;
	unsigned programs;
};

extern const struct composition composition;
