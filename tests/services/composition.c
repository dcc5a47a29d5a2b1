/* SPDX-License-Identifier: MIT */
/* What runs when init is tested. The tester stands in for the log. */
#include <proto/log.h>
#include <proto/supervisor.h>
#include <services/init/composition.h>
#include "desk.h"
#include "numbers.h"

#define MS  1000000ull
#define KIB 1024ull

/* The machine that the tests run on may stand still for a while. */
#define PATIENT (60000 * MS)

#define DESK                                                                                       \
	{                                                                                          \
		.name = "desk", .kind = GRANT_USE, .rights = RIGHT_CALL, .program = TESTER,        \
		.protocol = 1, .service_rights = DESK_USE                                          \
	}
#define LOG                                                                                        \
	{                                                                                          \
		.name = "log", .kind = GRANT_USE, .rights = RIGHT_CALL, .program = TESTER,         \
		.protocol = 0, .service_rights = LOG_WRITE                                         \
	}
#define STORE                                                                                      \
	{                                                                                          \
		.name = "store", .kind = GRANT_USE, .rights = RIGHT_CALL, .program = KEEPER,       \
		.protocol = 0, .service_rights = STORE_USE                                         \
	}
#define GRANTS(of) .grants = sizeof(of) / sizeof(*(of)), .grant = (of)
#define BASICS                                                                                     \
	.limit = 1024 * KIB, .weight = 1024, .cpus = UINT64_MAX, .arguments = "\0",                \
	.arguments_size = 1
#define ALIKE BASICS, .priority = 64

static const struct grant tester[] = {
	{ .name = "serial",
	  .kind = GRANT_PORTS,
	  .rights = RIGHT_READ | RIGHT_WRITE,
	  .from = 0x3f8,
	  .count = 8 },
	{ .name = "cmdline", .kind = GRANT_CMDLINE, .rights = RIGHT_READ },
	{ .name = "control",
	  .kind = GRANT_USE,
	  .rights = RIGHT_CALL,
	  .program = COMPOSITION_PROGRAMS,
	  .service_rights = SUPERVISOR_STATUS | SUPERVISOR_SHUTDOWN | SUPERVISOR_CONTROL },
	STORE,
	{ .name = "mortal", .kind = GRANT_USE, .rights = RIGHT_CALL, .program = MORTAL },
};

/* One of each kind. */
static const struct grant bare[] = {
	DESK,
	{ .name = "node", .kind = GRANT_NODE, .rights = RIGHT_ENTROPY },
	{ .name = "ports", .kind = GRANT_PORTS, .rights = RIGHT_READ, .from = 0x80, .count = 1 },
	{ .name = "device",
	  .kind = GRANT_DEVICE,
	  .rights = RIGHT_READ | RIGHT_MAP,
	  .from = 0xfed00,
	  .count = 1 },
	{ .name = "archive", .kind = GRANT_ARCHIVE, .rights = RIGHT_READ | RIGHT_MAP },
	{ .name = "memory", .kind = GRANT_QUOTA, .rights = RIGHT_READ },
	{ .name = "cpus", .kind = GRANT_SCHED, .rights = RIGHT_RUN },
	{ .name = "irq", .kind = GRANT_IRQ, .rights = RIGHT_BIND, .from = 8 },
	{ .name = "cmdline", .kind = GRANT_CMDLINE, .rights = RIGHT_READ | RIGHT_MAP },
	{ .name = "acpi", .kind = GRANT_ACPI, .rights = RIGHT_READ },
};

static const struct grant of_keeper[] = { LOG };
static const struct grant of_client[] = { LOG, DESK, STORE };
static const struct grant of_victim[] = { LOG, DESK };

static const struct program_spec programs[] = {
	[TESTER] = { ALIKE, .name = "log", .file = "bin/tester", .restart = RESTART_NEVER,
		     .heartbeat = PATIENT, .stop = PATIENT, .protocols = 2, GRANTS(tester) },
	[KEEPER] = { ALIKE, .name = "keeper", .file = "bin/keeper", .state = 64 * KIB,
		     .restart = RESTART_ALWAYS, .restarts = 100000, .within = 10 * MS,
		     .heartbeat = PATIENT, .stop = PATIENT, .needs = 1 << TESTER, .protocols = 1,
		     GRANTS(of_keeper) },
	[CLIENT] = { ALIKE, .name = "client", .file = "bin/client", .restart = RESTART_NEVER,
		     .stop = PATIENT, .needs = 1 << TESTER | 1 << KEEPER, GRANTS(of_client) },
	[SECOND] = { ALIKE, .name = "second", .file = "bin/client", .restart = RESTART_NEVER,
		     .stop = PATIENT, .needs = 1 << TESTER | 1 << KEEPER, GRANTS(of_client) },
	[VICTIM] = { ALIKE, .name = "victim", .file = "bin/victim", .restart = RESTART_ALWAYS,
		     .restarts = 100000, .within = 10 * MS, .heartbeat = PATIENT, .stop = PATIENT,
		     .needs = 1 << TESTER, GRANTS(of_victim) },
	[MORTAL] = { ALIKE, .name = "mortal", .file = "bin/victim", .restart = RESTART_ALWAYS,
		     .restarts = 3, .within = 600000 * MS, .heartbeat = PATIENT, .stop = PATIENT,
		     .needs = 1 << TESTER, .protocols = 1, GRANTS(of_victim) },
	[HUNG] = { BASICS, .priority = 96, .name = "hung", .file = "bin/victim",
		   .restart = RESTART_ALWAYS, .restarts = 100000, .within = 10 * MS,
		   .heartbeat = 300 * MS, .stop = PATIENT, .needs = 1 << TESTER,
		   GRANTS(of_victim) },
	[BARE] = { ALIKE, .name = "bare", .file = "bin/bare", .state = 64 * KIB,
		   .restart = RESTART_NEVER, .stop = 50 * MS, .needs = 1 << TESTER, .protocols = 1,
		   GRANTS(bare) },
};

const struct composition composition = { programs, PROGRAMS };
