/* SPDX-License-Identifier: MIT */
/* What init gives, what it refuses, and what it does when programs die. */
#include "numbers.h"
#include "tester.h"
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/supervisor.h>
#include <services/init/composition.h>
#include <stdio.h>
#include <test/test.h>

#define INIT COMPOSITION_PROGRAMS

static bool status(unsigned program, struct supervisor_status_rep *rep)
{
	const struct supervisor_status_req req = { program };

	return supervisor_status(program_cap("control"), &req, rep, NULL) == ST_OK;
}

static cap_t own_session(void)
{
	return program_block()->supervisor;
}

/* ---- what is given ---- */

static enum object_type type_of(enum grant_kind kind)
{
	static const enum object_type type[] = {
		[GRANT_USE] = OBJ_ENDPOINT,   [GRANT_NODE] = OBJ_NODE,
		[GRANT_PORTS] = OBJ_IOPORT,   [GRANT_DEVICE] = OBJ_MEMORY,
		[GRANT_ARCHIVE] = OBJ_MEMORY, [GRANT_FILE] = OBJ_MEMORY,
		[GRANT_QUOTA] = OBJ_QUOTA,    [GRANT_SCHED] = OBJ_SCHED,
		[GRANT_IRQ] = OBJ_IRQ,        [GRANT_CMDLINE] = OBJ_MEMORY,
		[GRANT_ACPI] = OBJ_MEMORY,
	};
	return type[kind];
}

/* Takes one such capability out of the list. */
static bool take(struct desk_set_req *set, enum object_type type, rights_t rights)
{
	for (uint64_t i = 0; i < set->count; i++) {
		if (set->slot[i].type != type || set->slot[i].rights != rights)
			continue;
		set->slot[i] = set->slot[--set->count];
		return true;
	}
	return false;
}

TEST(services_start_set)
{
	static const struct {
		enum object_type type;
		rights_t rights;
	} own[] = {
		{ OBJ_QUOTA, RIGHT_CREATE | RIGHT_READ | RIGHT_COPY },
		{ OBJ_SCHED, RIGHT_RUN | RIGHT_COPY },
		{ OBJ_CSPACE, RIGHT_MANAGE },
		{ OBJ_ASPACE, RIGHT_MANAGE },
		{ OBJ_THREAD, RIGHT_CONTROL | RIGHT_UNPARK | RIGHT_COPY },
		{ OBJ_NOTIFICATION, RIGHT_SIGNAL | RIGHT_WAIT | RIGHT_COPY | RIGHT_SEND },
		{ OBJ_NOTIFICATION, RIGHT_SIGNAL }, /* alive */
		{ OBJ_ENDPOINT, RIGHT_CALL },       /* supervisor */
		{ OBJ_ENDPOINT, RIGHT_RECEIVE },    /* service */
		{ OBJ_QUOTA, RIGHT_CREATE | RIGHT_READ },
	};
	const struct program_spec *p = &composition.program[BARE];
	static struct desk_set_req set;

	watch_await_set(&set);
	CHECK(set.count == sizeof(own) / sizeof(*own) + p->grants);
	for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++)
		CHECK(take(&set, own[i].type, own[i].rights));
	for (unsigned i = 0; i < p->grants; i++)
		CHECK(take(&set, type_of(p->grant[i].kind), p->grant[i].rights));
	CHECK(set.count == 0);
}

/* ---- what is refused ---- */

TEST(services_missing_right_is_refused)
{
	struct supervisor_shutdown_req shutdown = { 0 };
	struct supervisor_shutdown_rep shutdown_rep;
	struct supervisor_status_req status_req = { 0 };
	struct supervisor_status_rep status_rep;
	struct supervisor_restart_req restart = { "keeper" };
	struct supervisor_restart_rep restart_rep;
	struct supervisor_find_req find = { "nothing" };
	struct supervisor_find_rep find_rep;
	struct msg_cap caps[MSG_CAPS];

	CHECK(supervisor_shutdown(own_session(), &shutdown, &shutdown_rep, NULL) == ST_NO_RIGHT);
	CHECK(supervisor_status(own_session(), &status_req, &status_rep, NULL) == ST_NO_RIGHT);
	CHECK(supervisor_restart(own_session(), &restart, &restart_rep, NULL) == ST_NO_RIGHT);
	CHECK(supervisor_find(program_cap("control"), &find, &find_rep, caps) == ST_NO_RIGHT);
	CHECK(status(KEEPER, &status_rep) && status_rep.restarts == 0);
}

TEST(services_wrong_requests_are_refused)
{
	struct supervisor_shutdown_req shutdown = { 99 };
	struct supervisor_shutdown_rep shutdown_rep;
	struct supervisor_restart_req restart = { "nobody" };
	struct supervisor_restart_rep restart_rep;
	struct supervisor_status_rep rep;
	static struct ipc_message m;
	static const uint8_t bytes[MSG_BYTES];

	for (uint32_t method = 1; method <= 7; method++) {
		for (size_t size = 0; size <= MSG_BYTES; size += 4) {
			if (method == 1 && size == sizeof(struct supervisor_exit_req))
				continue; /* nothing is wrong with it */
			ipc_begin(&m, method, bytes, size, NULL, 0);
			status_t st = ipc_call(own_session(), &m);
			CHECK(st == ST_BAD_ARG || st == ST_NO_RIGHT);
			if (size >= PROGRAM_NAME - 4)
				size += 124;
		}
	}
	for (uint32_t method = 8; method < 20; method++) {
		ipc_begin(&m, method == 19 ? 0 : method, bytes, 8, NULL, 0);
		CHECK(ipc_call(own_session(), &m) == ST_NO_METHOD);
	}
	ipc_begin(&m, UINT32_MAX, bytes, 8, NULL, 0);
	CHECK(ipc_call(own_session(), &m) == ST_NO_METHOD);
	CHECK(supervisor_shutdown(program_cap("control"), &shutdown, &shutdown_rep, NULL) ==
	      ST_BAD_ARG);
	CHECK(supervisor_restart(program_cap("control"), &restart, &restart_rep, NULL) ==
	      ST_BAD_ARG);
	CHECK(!status(PROGRAMS, &rep) && status(TESTER, &rep) && rep.restarts == 0);
}

/* ---- deposits ---- */

/* One that is too long has no end. */
static void set_name(char to[PROGRAM_NAME], const char *name)
{
	for (unsigned i = 0; i < PROGRAM_NAME; i++)
		to[i] = *name != '\0' ? *name++ : '\0';
}

static status_t deposit(const char *name, cap_t cap, rights_t rights)
{
	struct msg_cap caps[MSG_CAPS] = { { .handle = cap, .rights = rights } };
	struct supervisor_deposit_req req = { .value = 4711 };
	struct supervisor_deposit_rep rep;

	set_name(req.name, name);
	return supervisor_deposit(own_session(), &req, &rep, caps);
}

static status_t find(const char *name, uint64_t *value, struct msg_cap *cap)
{
	struct supervisor_find_req req;
	struct supervisor_find_rep rep = { 0 };
	struct msg_cap caps[MSG_CAPS];

	set_name(req.name, name);
	status_t st = supervisor_find(own_session(), &req, &rep, caps);
	*value = rep.value;
	*cap = caps[0];
	return st;
}

static status_t withdraw(const char *name)
{
	struct supervisor_withdraw_req req;
	struct supervisor_withdraw_rep rep;

	set_name(req.name, name);
	return supervisor_withdraw(own_session(), &req, &rep, NULL);
}

static cap_t new_note(void)
{
	cap_t note = CAP_NONE;

	return sys_notification_create(program_block()->quota, &note) == ST_OK ? note : CAP_NONE;
}

TEST(services_deposits_are_bounded)
{
	cap_t note = new_note();
	char name[PROGRAM_NAME];

	for (unsigned i = 0; i < SUPERVISOR_DEPOSITS; i++) {
		snprintf(name, sizeof(name), "piece %u", i);
		CHECK(deposit(name, note, UINT16_MAX) == ST_OK);
	}
	CHECK(deposit("piece 16", note, UINT16_MAX) == ST_NO_SLOTS);
	CHECK(deposit("piece 3", note, UINT16_MAX) == ST_EXISTS);
	CHECK(withdraw("piece 3") == ST_OK && withdraw("piece 3") == ST_BAD_ARG);
	CHECK(deposit("", note, UINT16_MAX) == ST_BAD_ARG);
	CHECK(deposit("a name without an end ........", note, UINT16_MAX) == ST_BAD_ARG);
	CHECK(deposit("stuck", note, RIGHT_SIGNAL) == ST_NO_RIGHT);
	CHECK(deposit("piece 16", note, UINT16_MAX) == ST_OK);
	CHECK(withdraw("piece 16") == ST_OK);
	for (unsigned i = 0; i < SUPERVISOR_DEPOSITS; i++) {
		snprintf(name, sizeof(name), "piece %u", i);
		CHECK(withdraw(name) == (i == 3 ? ST_BAD_ARG : ST_OK));
	}
}

TEST(services_deposits_are_found)
{
	struct msg_cap cap;
	uint64_t value, bits;
	cap_t note = new_note();

	CHECK(find("note", &value, &cap) == ST_BAD_ARG);
	CHECK(deposit("note", note, RIGHT_SIGNAL | RIGHT_COPY | RIGHT_SEND) == ST_OK);
	CHECK(find("note", &value, &cap) == ST_OK && value == 4711);
	CHECK(cap.type == OBJ_NOTIFICATION);
	CHECK(cap.rights == (RIGHT_SIGNAL | RIGHT_COPY | RIGHT_SEND));
	CHECK(sys_notification_signal(cap.handle, 5) == ST_OK);
	CHECK(sys_notification_wait(note, 0, &bits) == ST_OK && bits == 5);
	/* What dies is no deposit any more. */
	CHECK(sys_object_destroy(note) == ST_OK);
	CHECK(find("note", &value, &cap) == ST_BAD_ARG);
	CHECK(withdraw("note") == ST_BAD_ARG);
}

TEST(services_dead_deposits_make_room)
{
	char name[PROGRAM_NAME];
	cap_t note = new_note();

	for (unsigned i = 0; i < SUPERVISOR_DEPOSITS; i++) {
		snprintf(name, sizeof(name), "piece %u", i);
		CHECK(deposit(name, note, UINT16_MAX) == ST_OK);
	}
	CHECK(sys_object_destroy(note) == ST_OK);
	note = new_note();
	CHECK(deposit("piece 3", note, UINT16_MAX) == ST_OK);
	CHECK(deposit("another", note, UINT16_MAX) == ST_OK);
	CHECK(withdraw("piece 3") == ST_OK && withdraw("another") == ST_OK);
}

/* ---- deaths ---- */

/* The victim takes this role, in a new incarnation; its number. */
static uint64_t begin_role(enum desk_role role)
{
	struct supervisor_restart_req req = { "victim" };
	struct supervisor_restart_rep rep;
	struct supervisor_status_rep is;

	watch_await_hello(VICTIM, 0);
	watch_set_role(VICTIM, role);
	if (!status(VICTIM, &is) ||
	    supervisor_restart(program_cap("control"), &req, &rep, NULL) != ST_OK)
		return 0;
	watch_await_hello(VICTIM, is.restarts + 1);
	return is.restarts + 1;
}

TEST(services_fault_is_described)
{
	uint64_t from = watch_lines();
	uint64_t incarnation = begin_role(ROLE_FAULT);

	CHECK(incarnation > 0);
	from = watch_await_line(INIT, from, "victim: has faulted");
	watch_await_line(INIT, from, "victim: memory fault, address 0xbad000, access 2");
	watch_await_line(INIT, from, "rip ");
	watch_await_line(INIT, from, "r15 ");
	watch_await_line(INIT, from, "victim_inner+");
	watch_await_line(INIT, from, "victim_outer+");
	watch_await_line(INIT, from, "main+");
	uint64_t holds =
		watch_await_line(INIT, from, "  holds 1:quota/1005 2:sched/1002 3:cspace/0002");
	watch_await_hello(VICTIM, incarnation + 1);
	CHECK(holds > from);
}

/* However much it holds, what comes before is not pushed out. */
TEST(services_fault_in_a_crowd_is_described)
{
	uint64_t from = watch_lines();
	uint64_t incarnation = begin_role(ROLE_CROWD);

	CHECK(incarnation > 0);
	uint64_t ended = watch_await_line(INIT, from, "  holds more");
	CHECK(watch_has_line(INIT, from, "victim: memory fault, address 0xbad000, access 2"));
	CHECK(watch_has_line(INIT, from, "rip ") && watch_has_line(INIT, from, "victim_inner+"));
	CHECK(watch_has_line(INIT, from, "  holds 1:quota/1005"));
	CHECK(!watch_has_line(INIT, from, "lines of mine were lost"));
	watch_await_hello(VICTIM, incarnation + 1);
	CHECK(ended > from);
}

TEST(services_exit_is_told)
{
	uint64_t from = watch_lines();
	uint64_t incarnation = begin_role(ROLE_FAIL);

	watch_await_line(INIT, from, "victim: status 3");
	from = watch_await_line(INIT, from, "victim: has failed");
	watch_await_hello(VICTIM, incarnation + 1);
	incarnation = begin_role(ROLE_EXIT);
	watch_await_line(INIT, from, "victim: has ended");
	watch_await_hello(VICTIM, incarnation + 1);
	CHECK(incarnation > 0);
}

TEST(services_hung_are_found)
{
	struct supervisor_restart_req req = { "hung" };
	struct supervisor_restart_rep rep;
	struct supervisor_status_rep before, after;
	uint64_t from = watch_lines();

	watch_await_hello(HUNG, 0);
	CHECK(status(HUNG, &before));
	watch_set_role(HUNG, ROLE_HANG);
	CHECK(supervisor_restart(program_cap("control"), &req, &rep, NULL) == ST_OK);
	from = watch_await_line(INIT, from, "hung: gives no sign of life") + 1;
	watch_await_line(INIT, from, "hung: gives no sign of life");
	watch_set_role(HUNG, ROLE_WAIT);
	watch_await_hello(HUNG, before.restarts + 2);
	CHECK(status(HUNG, &after) && after.restarts >= before.restarts + 2);
}

TEST(services_restarts_have_a_limit)
{
	struct store_add_req req = { .number = 1 };
	struct supervisor_restart_req restart = { "mortal" };
	struct supervisor_restart_rep restart_rep;
	struct supervisor_status_rep is;
	struct store_add_rep rep;

	uint64_t from = watch_lines();
	watch_await_hello(MORTAL, 0);
	watch_set_role(MORTAL, ROLE_FAULT);
	CHECK(supervisor_restart(program_cap("control"), &restart, &restart_rep, NULL) == ST_OK);
	watch_await_line(INIT, from, "mortal: dies too often");
	CHECK(status(MORTAL, &is) && is.state == SUPERVISOR_ENDED && is.restarts == 3);
	CHECK(is.memory == 0);
	/* Nobody waits for it. */
	CHECK(store_add(program_cap("mortal"), &req, &rep, NULL) == ST_BAD_CAP);
	CHECK(supervisor_restart(program_cap("control"), &restart, &restart_rep, NULL) ==
	      ST_BAD_STATE);
}

TEST(services_flood_stops_nobody)
{
	struct supervisor_status_rep rep;
	uint64_t incarnation = begin_role(ROLE_FLOOD);
	uint64_t rounds = watch_await_progress(CLIENT, 0);

	CHECK(incarnation > 0);
	for (unsigned i = 0; i < 200; i++)
		CHECK(status(i % PROGRAMS, &rep));
	(void)watch_await_progress(CLIENT, rounds + 5);
	incarnation = begin_role(ROLE_WAIT);
	CHECK(status(VICTIM, &rep) && rep.restarts == incarnation);
}

/* However urgent it is, and whoever init works for when it begins. */
TEST(services_spinning_is_ended)
{
	struct supervisor_restart_req req = { "hung" };
	struct supervisor_restart_rep rep;
	struct supervisor_status_rep before;

	CHECK(begin_role(ROLE_FLOOD) > 0);
	for (unsigned i = 0; i < 5; i++) {
		CHECK(status(HUNG, &before));
		watch_await_hello(HUNG, before.restarts);
		uint64_t from = watch_lines();
		watch_set_role(HUNG, ROLE_SPIN);
		CHECK(supervisor_restart(program_cap("control"), &req, &rep, NULL) == ST_OK);
		watch_await_hello(HUNG, before.restarts + 1);
		watch_set_role(HUNG, ROLE_WAIT);
		watch_await_line(INIT, from, "hung: gives no sign of life");
		watch_await_hello(HUNG, before.restarts + 2);
	}
	CHECK(begin_role(ROLE_WAIT) > 0);
}

TEST(services_noise_is_ended)
{
	uint64_t from = watch_lines();
	uint64_t incarnation = begin_role(ROLE_NOISE);

	watch_await_line(INIT, from, "victim: signals without being asked");
	watch_await_hello(VICTIM, incarnation + 1);
	CHECK(incarnation > 0);
}

TEST(services_vanished_clients_leave_nothing)
{
	struct supervisor_status_rep before, after;

	for (unsigned i = 0; i < 12; i++) {
		uint64_t incarnation = begin_role(ROLE_VANISH);
		CHECK(incarnation > 0);
		watch_await_hello(VICTIM, incarnation + 1);
		CHECK(status(VICTIM, i == 3 ? &before : &after));
	}
	CHECK(after.memory <= after.limit && before.left <= after.left + (256u << 10));
}
