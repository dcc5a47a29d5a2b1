/* SPDX-License-Identifier: MIT */
#include <lib/fake/fake.h>
#include <lib/session/client.h>
#include <lib/session/session.h>
#include <string.h>
#include <test/test.h>

#define SLOTS 3
#define BYTES 5000 /* two pages */
#define PAGES 8192

static struct session slot[SLOTS];
static struct session_table table;
static unsigned ended;
static uint64_t ended_number;

static void on_end(void *self, unsigned index, uint64_t number)
{
	(void)self;
	ended += index < SLOTS && !slot[index].is_open;
	ended_number = number;
}

static void begin(void)
{
	fake_begin();
	memset(slot, 0, sizeof(slot));
	ended = 0;
	table = (struct session_table){
		.slot = slot, .slots = SLOTS, .bytes = BYTES, .ended = on_end
	};
}

static status_t open_as(uint32_t program, uint32_t incarnation, cap_t quota, struct session **s)
{
	const struct ipc_request from = { .session = IPC_SESSION(program, incarnation) };

	return session_open(&table, &from, quota, s);
}

static struct session *find_as(uint32_t program, uint32_t incarnation)
{
	return session_find(&table,
			    &(struct ipc_request){ .session = IPC_SESSION(program, incarnation) });
}

TEST(session_state_is_paid_by_the_client)
{
	struct session *s;
	uint64_t own;
	char text[6] = "";

	begin();
	own = fake_used(fake_own_quota());
	cap_t quota = fake_quota(4 * PAGES);
	CHECK(open_as(1, 0, fake_copy(quota), &s) == ST_OK);
	CHECK(fake_used(quota) >= PAGES && fake_used(fake_own_quota()) == own);
	CHECK(session_write(&table, s, 4090, "state", 6) == ST_OK);
	CHECK(session_read(&table, find_as(1, 0), 4090, text, 6) == ST_OK);
	CHECK(strcmp(text, "state") == 0);
	session_close(&table, s);
	CHECK(fake_used(quota) == 0 && ended == 1 && find_as(1, 0) == NULL);
	CHECK(fake.wrong == 0);
}

TEST(session_needs_a_quota_that_can_pay)
{
	struct session *s;

	begin();
	unsigned before = fake_caps();
	cap_t poor = fake_quota(PAGES);
	CHECK(open_as(1, 0, poor, &s) == ST_NO_MEMORY && fake_used(poor) == 0);
	CHECK(open_as(1, 0, fake_endpoint(), &s) != ST_OK);
	CHECK(open_as(1, 0, CAP_NONE, &s) == ST_BAD_CAP);
	CHECK(find_as(1, 0) == NULL && fake_caps() == before + 2 && ended == 0);
}

TEST(session_access_stays_within_the_state)
{
	struct session *s;
	char byte = 0;

	begin();
	CHECK(open_as(1, 0, fake_quota(4 * PAGES), &s) == ST_OK);
	CHECK(session_read(&table, s, BYTES - 1, &byte, 1) == ST_OK);
	CHECK(session_read(&table, s, BYTES, &byte, 1) == ST_BAD_ARG);
	CHECK(session_write(&table, s, BYTES, &byte, 1) == ST_BAD_ARG);
	CHECK(session_write(&table, s, UINT64_MAX, &byte, 1) == ST_BAD_ARG);
	CHECK(session_write(&table, s, 1, &byte, SIZE_MAX) == ST_BAD_ARG);
}

TEST(session_ends_with_the_quota_of_its_client)
{
	struct session *s, *other;
	char byte = 0;

	begin();
	cap_t quota = fake_quota(4 * PAGES);
	unsigned before = fake_caps();
	CHECK(open_as(1, 0, quota, &s) == ST_OK);
	CHECK(open_as(2, 0, fake_quota(4 * PAGES), &other) == ST_OK);
	fake_kill(quota);
	CHECK(session_read(&table, s, 0, &byte, 1) == ST_NO_SESSION);
	CHECK(ended == 1 && ended_number == IPC_SESSION(1, 0) && find_as(1, 0) == NULL);
	CHECK(session_read(&table, other, 0, &byte, 1) == ST_OK);
	CHECK(open_as(1, 0, fake_quota(4 * PAGES), &s) == ST_OK);
	CHECK(fake_caps() == before - 1 + 4 && fake.wrong == 0);
}

TEST(session_of_a_new_incarnation_replaces_the_old)
{
	struct session *s;
	char byte = 9;

	begin();
	cap_t old = fake_quota(4 * PAGES), new = fake_quota(4 * PAGES);
	CHECK(open_as(1, 4, fake_copy(old), &s) == ST_OK);
	CHECK(session_write(&table, s, 0, &byte, 1) == ST_OK);
	CHECK(open_as(1, 4, new, &s) == ST_EXISTS);
	CHECK(find_as(1, 5) == NULL && ended == 0);
	CHECK(open_as(1, 5, fake_copy(new), &s) == ST_OK && ended == 1 && fake_used(old) == 0);
	CHECK(session_read(&table, s, 0, &byte, 1) == ST_OK && byte == 0);
	CHECK(find_as(1, 4) == NULL && find_as(1, 5) == s);
	CHECK(open_as(1, 4, old, &s) == ST_BAD_STATE && find_as(1, 5) != NULL);
	CHECK(fake.wrong == 0);
}

TEST(session_table_is_bounded_and_finds_the_dead)
{
	struct session *s;
	cap_t quota[SLOTS];

	begin();
	for (uint32_t i = 0; i < SLOTS; i++) {
		quota[i] = fake_quota(4 * PAGES);
		CHECK(open_as(i, 0, quota[i], &s) == ST_OK);
	}
	cap_t late = fake_quota(4 * PAGES);
	CHECK(open_as(9, 0, late, &s) == ST_NO_SLOTS && fake_used(late) == 0);
	fake_kill(quota[1]);
	CHECK(open_as(9, 0, late, &s) == ST_OK && ended == 1);
	CHECK(find_as(1, 0) == NULL && find_as(0, 0) != NULL && find_as(2, 0) != NULL);
	CHECK(session_sweep(&table) == 0 && fake.wrong == 0);
}

/* ---- clients ---- */

static struct {
	unsigned opens, calls;
	bool knows; /* the server has the session */
	status_t open_status;
	bool forgets; /* at once */
} server;

static status_t open_session(void *self)
{
	(void)self;
	server.opens++;
	server.knows = server.open_status == ST_OK || server.open_status == ST_EXISTS;
	return server.open_status;
}

static status_t call(void)
{
	server.calls++;
	if (server.forgets)
		server.knows = false;
	return server.knows ? ST_OK : ST_NO_SESSION;
}

TEST(session_client_opens_when_it_must)
{
	struct session_client c = { .open = open_session };
	status_t st;

	memset(&server, 0, sizeof(server));
	SESSION_DO(&c, st, call());
	CHECK(st == ST_OK && server.opens == 1 && server.calls == 1);
	SESSION_DO(&c, st, call());
	CHECK(st == ST_OK && server.opens == 1 && server.calls == 2);
	server.knows = false; /* started again */
	SESSION_DO(&c, st, call());
	CHECK(st == ST_OK && server.opens == 2 && server.calls == 4);
	server.knows = false;
	server.open_status = ST_EXISTS;
	SESSION_DO(&c, st, call());
	CHECK(st == ST_OK && server.opens == 3);
}

TEST(session_client_gives_up_in_the_end)
{
	struct session_client c = { .open = open_session };
	status_t st;

	memset(&server, 0, sizeof(server));
	server.forgets = true;
	for (unsigned i = 1; i <= 2; i++) {
		SESSION_DO(&c, st, call());
		CHECK(st == ST_NO_SESSION && server.calls == i * SESSION_TRIES);
	}
	server.forgets = false;
	server.open_status = ST_NO_MEMORY;
	server.calls = 0;
	SESSION_DO(&c, st, call());
	CHECK(st == ST_NO_MEMORY && server.calls == 0);
	server.open_status = ST_OK;
	SESSION_DO(&c, st, call());
	CHECK(st == ST_OK && server.calls == 1);
}
