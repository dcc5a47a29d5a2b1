/* SPDX-License-Identifier: MIT */
/* Measures the node that it runs on, for tools/bench.py: how long services are away when they die
 * (boot option "meter=restart"), and what the idle node does ("meter=idle"). */
#include <abi/node.h>
#include <lib/ipc/ipc.h>
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/config.h>
#include <proto/supervisor.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEATHS       40
#define SETTLE       10 /* seconds until nothing of the start is left to do */
#define IDLE_SECONDS 60

static char cmdline[STARTUP_CMDLINE];

/* ---- deaths ---- */

static bool answers(cap_t service)
{
	const struct config_get_req req = { .path = "hostname" };
	static struct config_get_rep rep;

	return config_get(service, &req, &rep, NULL) == ST_OK;
}

/* It faults with our call in hand: we learn of its death as every client does. */
static bool fault(cap_t service)
{
	static struct ipc_message m;

	memset(&m, 0, sizeof(m));
	m.method = 2; /* config_secret, without trying again */
	m.len = sizeof(struct config_secret_req);
	return ipc_call(service, &m) == ST_PEER_GONE;
}

static bool kill_twin(cap_t service)
{
	const struct supervisor_restart_req req = { .name = "twin" };
	struct supervisor_restart_rep rep;

	(void)service;
	return supervisor_restart(program_cap("control"), &req, &rep, NULL) == ST_OK;
}

/* From before its death to the first answer of the next incarnation. */
static bool measure_deaths(const char *name, bool (*kill)(cap_t service))
{
	static uint64_t time[DEATHS];
	cap_t service = program_cap(name);

	for (unsigned i = 0; i < DEATHS; i++) {
		if (!answers(service))
			return false;
		uint64_t begin = libc_now();
		if (!kill(service) || !answers(service))
			return false;
		time[i] = libc_now() - begin;
	}
	for (unsigned i = 0; i < DEATHS; i++)
		printf("%s was away for %llu us\n", name, (unsigned long long)time[i] / 1000);
	return true;
}

/* ---- nothing to do ---- */

struct done {
	uint64_t time, interrupts, switches;
};

/* What all CPUs have done up to now. */
static bool look(struct done *d)
{
	static struct node_counters c;
	uint64_t all;

	*d = (struct done){ .time = libc_now() };
	for (unsigned i = 0; i < program_block()->cpus; i++) {
		if (sys_node_counters(program_cap("node"), i, &c, sizeof(c), &all) != ST_OK)
			return false;
		d->interrupts += c.interrupts;
		d->switches += c.switches;
	}
	return true;
}

static bool measure_idle(void)
{
	struct done a, b;

	sleep(SETTLE);
	if (!look(&a))
		return false;
	sleep(IDLE_SECONDS);
	if (!look(&b))
		return false;
	printf("idle for %llu ms: %llu interrupts, %llu switches\n",
	       (unsigned long long)(b.time - a.time) / 1000000,
	       (unsigned long long)(b.interrupts - a.interrupts),
	       (unsigned long long)(b.switches - a.switches));
	return true;
}

int main(void)
{
	const struct program_block *b = program_block();
	struct supervisor_shutdown_rep rep;
	bool good = true;

	if (b == NULL || sys_notification_signal(b->alive, UINT64_MAX) != ST_OK ||
	    sys_memory_read(program_cap("cmdline"), 0, cmdline, sizeof(cmdline) - 1) != ST_OK)
		return 1;
	if (strstr(cmdline, "meter=restart") != NULL)
		good = measure_deaths("victim", fault) && measure_deaths("twin", kill_twin);
	if (good && strstr(cmdline, "meter=idle") != NULL)
		good = measure_idle();
	if (!good)
		printf("could not measure\n");
	const struct supervisor_shutdown_req req = { good ? NODE_OFF : NODE_OFF_FAILED };
	return supervisor_shutdown(program_cap("control"), &req, &rep, NULL) == ST_OK ? 0 : 1;
}
