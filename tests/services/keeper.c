/* SPDX-License-Identifier: MIT */
/* A service with state: sums of its clients, in memory that it has deposited with init. It dies
 * when it is asked to, or at any moment by init's hand. */
#include "common.h"
#include <abi/memory.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <stddef.h>

#define TABLE_VA 0x300000000000
#define CLIENTS  64
#define SEED     0x9e3779b97f4a7c15ull

/* Of two copies the older one is written, so that one is whole at any moment. */
struct sum {
	uint64_t number, value, died, check;
};

static struct table {
	struct sum sum[CLIENTS][2];
} * table;

static enum store_death death;

static uint64_t check_of(const struct sum *s)
{
	return (s->number * SEED ^ s->value) * SEED ^ s->died ^ SEED;
}

static bool is_whole(const struct sum *s)
{
	return s->check == check_of(s);
}

/* The newest copy that is whole. */
static struct sum read_sum(uint32_t client)
{
	const struct sum *s = table->sum[client];
	unsigned newest =
		is_whole(&s[1]) && (!is_whole(&s[0]) || s[1].number > s[0].number ||
				    (s[1].number == s[0].number && s[1].died > s[0].died));

	if (!is_whole(&s[newest]))
		common_fail("the state is not whole");
	return s[newest];
}

static void write_sum(uint32_t client, struct sum s)
{
	struct sum now = read_sum(client);
	volatile struct sum *to = &table->sum[client][0];

	if (is_whole(&table->sum[client][0]) && table->sum[client][0].check == now.check)
		to = &table->sum[client][1];
	to->check = 0;
	to->number = s.number;
	to->value = s.value;
	to->died = s.died;
	to->check = check_of(&s);
}

/* ---- its deposits ---- */

static void deposit(const char *name, cap_t cap)
{
	struct msg_cap caps[MSG_CAPS] = { { .handle = cap, .rights = UINT16_MAX } };
	struct supervisor_deposit_req req = { .value = 7 };
	struct supervisor_deposit_rep rep;

	strcpy(req.name, name);
	if (supervisor_deposit(program_block()->supervisor, &req, &rep, caps) != ST_OK)
		common_fail("a deposit was refused");
}

static bool find(const char *name, struct msg_cap *cap)
{
	struct supervisor_find_req req = { { 0 } };
	struct supervisor_find_rep rep;

	strcpy(req.name, name);
	return supervisor_find(program_block()->supervisor, &req, &rep, cap) == ST_OK &&
	       rep.value == 7;
}

static void withdraw(const char *name)
{
	struct supervisor_withdraw_req req = { { 0 } };
	struct supervisor_withdraw_rep rep;

	strcpy(req.name, name);
	if (supervisor_withdraw(program_block()->supervisor, &req, &rep, NULL) != ST_OK)
		common_fail("a deposit is gone");
}

static cap_t make_note(void)
{
	cap_t note;

	if (sys_notification_create(program_block()->state, &note) != ST_OK)
		common_fail("no note");
	return note;
}

static void map_table(cap_t memory)
{
	const struct aspace_range range = { .va = TABLE_VA, .count = 1 };

	if (sys_aspace_map(program_block()->aspace, memory, &range, MAP_READ | MAP_WRITE) != ST_OK)
		common_fail("the state can't be mapped");
	table = (struct table *)TABLE_VA;
}

/* The table is deposited only when it is whole. */
static void make_table(void)
{
	const struct sum none = { 0 };
	cap_t memory;

	if (sys_memory_create(program_block()->state, 1, 0, &memory) != ST_OK)
		common_fail("no memory for the state");
	map_table(memory);
	for (uint32_t i = 0; i < CLIENTS; i++)
		table->sum[i][0].check = check_of(&none);
	deposit("table", memory);
}

static void find_table(void)
{
	struct msg_cap cap;

	if (!find("table", &cap)) {
		if (program_block()->incarnation > 0 && find("first", &cap))
			common_fail("the state is gone");
		make_table();
		return;
	}
	if (cap.type != OBJ_MEMORY ||
	    (cap.rights & (RIGHT_WRITE | RIGHT_MAP)) != (RIGHT_WRITE | RIGHT_MAP))
		common_fail("the state is something else");
	map_table(cap.handle);
}

/* Of the two that belong together, one may be left by a death between them. */
static void tidy_up(void)
{
	struct msg_cap cap;

	if (find("left", &cap)) {
		withdraw("left");
		if (find("right", &cap))
			withdraw("right");
	}
	if (!find("first", &cap))
		deposit("first", make_note());
}

/* ---- its service ---- */

static _Noreturn void die(void)
{
	__builtin_trap();
}

static void hold_two(void)
{
	deposit("left", make_note());
	if (death == STORE_DIES_HOLDING)
		die();
	deposit("right", make_note());
	withdraw("left");
	withdraw("right");
}

static status_t add(void *self, struct ipc_request *from, const struct store_add_req *req,
		    struct store_add_rep *rep, struct msg_cap *caps)
{
	uint32_t client = IPC_PROGRAM(from->session) % CLIENTS;
	struct sum s = read_sum(client);

	(void)self, (void)caps;
	if (req->number != s.number && req->number != s.number + 1)
		return ST_BAD_ARG;
	death = STORE_LIVES;
	if (req->death != STORE_LIVES && s.died < req->number) {
		death = (enum store_death)req->death;
		s.died = req->number;
		write_sum(client, s);
	}
	if (death == STORE_DIES_RECEIVED)
		die();
	if (death == STORE_DIES_HOLDING)
		hold_two();
	if (req->number == s.number + 1) {
		s.number++;
		s.value += req->value;
		write_sum(client, s);
	}
	if (death == STORE_DIES_ANSWERING)
		die();
	if (death == STORE_DIES_ANSWERED)
		(void)sys_notification_signal(program_block()->events, 1);
	*rep = (struct store_add_rep){ s.number, s.value };
	return ST_OK;
}

static void die_between(void *self, uint64_t bits)
{
	(void)self, (void)bits;
	die();
}

static const struct store_ops ops = { .add = add };

int main(void)
{
	const struct loop_event between = { .bits = 1, .run = die_between };
	struct loop *loop = common_loop();

	find_table();
	tidy_up();
	if (loop_serve(loop, LOOP_SERVICE(0, store, &ops, NULL)) != ST_OK ||
	    loop_on_event(loop, between) != ST_OK)
		common_fail("no service");
	common_run();
}
