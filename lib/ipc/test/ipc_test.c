/* SPDX-License-Identifier: MIT */
#include "toy.h"
#include <lib/fake/fake.h>
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>
#include <stdlib.h>
#include <test/test.h>

/* ---- a server of the toy protocol ---- */

struct toy {
	unsigned runs;
	status_t status; /* what methods give */
	struct msg_cap kept[2];
	cap_t gives; /* of trade */
	uint16_t flags;
};

static status_t on_add(void *self, struct ipc_request *from, const struct toy_add_req *req,
		       struct toy_add_rep *rep, struct msg_cap *caps)
{
	struct toy *t = self;

	(void)from;
	(void)caps;
	t->runs++;
	rep->sum = req->a + req->b;
	return t->status;
}

static status_t on_keep(void *self, struct ipc_request *from, const struct toy_keep_req *req,
			struct toy_keep_rep *rep, struct msg_cap *caps)
{
	struct toy *t = self;

	(void)from;
	t->runs++;
	rep->place = req->place;
	t->kept[0] = caps[0];
	t->kept[1] = caps[1];
	caps[0].handle = caps[1].handle = 0; /* what it leaves there does not matter */
	return t->status;
}

static status_t on_trade(void *self, struct ipc_request *from, const struct toy_trade_req *req,
			 struct toy_trade_rep *rep, struct msg_cap *caps)
{
	struct toy *t = self;

	(void)from;
	(void)req;
	(void)rep;
	t->runs++;
	if (t->status == ST_OK) {
		ipc_drop(caps, 1);
		caps[0] = (struct msg_cap){ t->gives, 0xffff, t->flags, 0 };
	}
	return t->status;
}

static const struct toy_ops ops = { .add = on_add, .keep = on_keep, .trade = on_trade };
static struct toy toy;
static cap_t endpoint;
static struct fake_call calls[4];

static void begin(void)
{
	fake_begin();
	toy = (struct toy){ .status = ST_OK };
	memset(calls, 0, sizeof(calls));
	endpoint = fake_endpoint();
}

static void ask(struct fake_call *c, uint32_t method, uint32_t rights, uint32_t len)
{
	c->method = method;
	c->badge = IPC_BADGE(IPC_SESSION(3, 9), 1, rights);
	c->len = len;
	fake_send(endpoint, c);
}

/* Serves until there is nothing left; the number of calls that came. */
static unsigned serve(void)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;
	unsigned n = 0;
	status_t st = ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m);

	while (st == ST_OK && event == IPC_CALL) {
		n++;
		status_t answer = toy_serve(&ops, &toy, &from, &m);
		st = ipc_answer_receive(endpoint, answer, &event, &from, &m);
	}
	return n;
}

/* ---- what the dispatcher lets through ---- */

TEST(ipc_serves_a_call)
{
	struct toy_add_rep rep;

	begin();
	memcpy(calls[0].bytes, &(struct toy_add_req){ 40, 2 }, 16);
	ask(&calls[0], 1, TOY_ADD, 16);
	CHECK(serve() == 1 && toy.runs == 1);
	CHECK(calls[0].status == ST_OK && calls[0].result == ST_OK && calls[0].got_len == 8);
	memcpy(&rep, calls[0].got, 8);
	CHECK(rep.sum == 42 && fake.wrong == 0);
}

TEST(ipc_refuses_other_lengths)
{
	static const uint32_t wrong[] = { 0, 8, 15, 17, 512 };

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		begin();
		ask(&calls[0], 1, TOY_ADD, wrong[i]);
		CHECK(serve() == 1 && toy.runs == 0);
		CHECK((status_t)calls[0].result == ST_BAD_ARG && calls[0].got_len == 0);
	}
}

TEST(ipc_refuses_unknown_methods)
{
	static const uint32_t wrong[] = { 0, 3, 5, 99, UINT32_MAX };

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		begin();
		ask(&calls[0], wrong[i], IPC_RIGHTS, wrong[i] == 5 ? 13 : 16);
		CHECK(serve() == 1 && toy.runs == 0);
		CHECK((status_t)calls[0].result == ST_NO_METHOD);
	}
}

TEST(ipc_refuses_without_the_right)
{
	begin();
	ask(&calls[0], 1, IPC_RIGHTS & ~TOY_ADD, 16);
	CHECK(serve() == 1 && toy.runs == 0);
	CHECK((status_t)calls[0].result == ST_NO_RIGHT);
}

/* A call with two capabilities, of which the first should be a quota. */
static void ask_keep(struct fake_call *c, cap_t first, unsigned ncaps)
{
	c->cap[0] = first;
	c->cap[1] = c->cap[2] = c->cap[3] = endpoint;
	c->ncaps = ncaps;
	ask(c, 2, TOY_KEEP, 8);
}

TEST(ipc_drops_capabilities_that_nobody_takes)
{
	begin();
	unsigned before = fake_caps();
	for (unsigned n = 0; n <= MSG_CAPS; n++) {
		if (n == 2)
			continue;
		ask_keep(&calls[0], fake_own_quota(), n);
		CHECK(serve() == 1);
		CHECK((status_t)calls[0].result == ST_BAD_ARG && fake_caps() == before);
	}
	ask_keep(&calls[0], endpoint, 2);
	CHECK(serve() == 1);
	CHECK((status_t)calls[0].result == ST_BAD_TYPE && fake_caps() == before);
	calls[0].ncaps = 4;
	ask(&calls[0], 77, 0, 0);
	CHECK(serve() == 1);
	CHECK((status_t)calls[0].result == ST_NO_METHOD && fake_caps() == before);
	CHECK(toy.runs == 0 && fake.wrong == 0);
}

TEST(ipc_drops_what_a_failed_method_was_given)
{
	begin();
	unsigned before = fake_caps();
	toy.status = ST_NO_MEMORY;
	ask_keep(&calls[0], fake_own_quota(), 2);
	CHECK(serve() == 1 && toy.runs == 1);
	CHECK((status_t)calls[0].result == ST_NO_MEMORY && calls[0].got_len == 0);
	CHECK(fake_caps() == before && fake.wrong == 0);

	toy.status = ST_OK;
	ask_keep(&calls[0], fake_own_quota(), 2);
	CHECK(serve() == 1 && calls[0].result == ST_OK);
	CHECK(fake_caps() == before + 2);
	ipc_drop(toy.kept, 2);
	CHECK(fake_caps() == before && fake.wrong == 0);
}

/* ---- answers that can't be given ---- */

TEST(ipc_answers_a_client_whose_space_is_full)
{
	begin();
	unsigned before = fake_caps();
	toy.gives = fake_memory(fake_own_quota(), 1);
	toy.flags = MSG_CAP_MOVE;
	calls[0].is_full = true;
	calls[0].ncaps = 1;
	calls[0].cap[0] = endpoint;
	ask(&calls[0], 4, 0, 8);
	ask(&calls[1], 1, TOY_ADD, 16);
	CHECK(serve() == 2);
	CHECK(calls[0].status == ST_OK && (status_t)calls[0].result == ST_NO_SLOTS);
	CHECK(calls[0].got_ncaps == 0 && calls[1].result == ST_OK);
	CHECK(fake_caps() == before && fake.wrong == 0);
}

TEST(ipc_drops_what_a_vanished_client_was_to_get)
{
	begin();
	unsigned before = fake_caps();
	toy.gives = fake_memory(fake_own_quota(), 1);
	toy.flags = MSG_CAP_MOVE;
	calls[0].is_gone = true;
	calls[0].ncaps = 1;
	calls[0].cap[0] = endpoint;
	ask(&calls[0], 4, 0, 8);
	calls[1].is_gone = true;
	ask(&calls[1], 1, TOY_ADD, 16);
	ask(&calls[2], 1, TOY_ADD, 16);
	CHECK(serve() == 3 && calls[2].result == ST_OK);
	CHECK(fake_caps() == before && fake.wrong == 0);
}

TEST(ipc_moves_and_copies_capabilities_out)
{
	begin();
	unsigned before = fake_caps();
	for (unsigned move = 0; move < 2; move++) {
		toy.gives = fake_memory(fake_own_quota(), 1);
		toy.flags = move ? MSG_CAP_MOVE : 0;
		calls[0].ncaps = 1;
		calls[0].cap[0] = endpoint;
		ask(&calls[0], 4, 0, 8);
		CHECK(serve() == 1 && calls[0].result == ST_OK && calls[0].got_ncaps == 1);
		CHECK(calls[0].got_cap[0].handle == toy.gives);
		CHECK(fake_caps() == before + (move ? 0 : 1));
		if (!move)
			ipc_drop(&(struct msg_cap){ .handle = toy.gives }, 1);
	}
	CHECK(fake.wrong == 0);
}

TEST(ipc_defers_answers)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;
	cap_t reply;

	begin();
	CHECK(sys_reply_create(fake_own_quota(), &reply) == ST_OK);
	ask(&calls[0], 1, TOY_ADD, 16);
	ask(&calls[1], 1, TOY_ADD, 16);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(ipc_defer(reply, &from) == ST_OK && from.call != 0);
	uint64_t first = from.call;
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(!calls[0].is_ended && ipc_defer(reply, &from) == ST_EXISTS);
	ipc_fill(&m, NULL, 0, 0);
	ipc_answer_deferred(reply, first, ST_DEADLINE, &m);
	CHECK(calls[0].is_ended && (status_t)calls[0].result == ST_DEADLINE);
	CHECK(!calls[1].is_ended);
	ipc_answer(ST_OK, &m);
	CHECK(calls[1].is_ended && calls[1].result == ST_OK);
}

TEST(ipc_gives_a_deferred_error_to_who_has_no_room)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;
	cap_t reply;

	begin();
	CHECK(sys_reply_create(fake_own_quota(), &reply) == ST_OK);
	unsigned before = fake_caps();
	calls[0].is_full = true;
	ask(&calls[0], 1, TOY_ADD, 16);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(ipc_defer(reply, &from) == ST_OK);
	m.cap[0] = (struct msg_cap){ fake_memory(fake_own_quota(), 1), 0xffff, MSG_CAP_MOVE, 0 };
	ipc_fill(&m, NULL, 0, 1);
	ipc_answer_deferred(reply, from.call, ST_OK, &m);
	CHECK(calls[0].is_ended && (status_t)calls[0].result == ST_NO_SLOTS);
	CHECK(fake_caps() == before && fake.wrong == 0);
}

/* ---- what is no call ---- */

TEST(ipc_tells_calls_signals_and_faults_apart)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;

	begin();
	cap_t events = fake_notification();
	fake_signal(events, 0x5);
	calls[0].flags = MSG_FAULT;
	ask(&calls[0], 1, TOY_ADD, 64);
	ask(&calls[1], 7, TOY_KEEP, 8);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(event == IPC_SIGNAL && from.session == 5 && from.rights == 0 && m.ncaps == 0);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(event == IPC_FAULT && from.session == IPC_SESSION(3, 9));
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_OK);
	CHECK(event == IPC_CALL && from.protocol == 1 && from.rights == TOY_KEEP);
	CHECK(IPC_PROGRAM(from.session) == 3 && IPC_INCARNATION(from.session) == 9);
	CHECK(m.method == 7 && m.len == 8);
	CHECK(calls[0].status == ST_PEER_GONE); /* given up, as nobody answered */
}

TEST(ipc_says_why_its_endpoint_can_not_be_used)
{
	struct ipc_message m = { 0 };
	struct ipc_request from;
	enum ipc_event event;

	begin();
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_PEER_GONE);
	fake_kill(endpoint);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &m) == ST_BAD_CAP);
}

/* ---- clients ---- */

struct peer {
	unsigned calls, dies; /* so often it dies in the middle of a call */
	uint32_t result, len, ncaps;
	cap_t gives;
};

static status_t peer_serve(void *self, struct fake_call *c)
{
	struct peer *p = self;

	p->calls++;
	if (p->calls <= p->dies)
		return ST_PEER_GONE;
	c->result = p->result;
	c->got_len = p->len;
	c->got_ncaps = p->ncaps;
	for (unsigned i = 0; i < p->ncaps; i++)
		c->got_cap[i].handle = p->gives;
	memset(c->got, 7, p->len);
	return ST_OK;
}

static status_t add(struct peer *p)
{
	struct toy_add_rep rep = { 0 };

	return toy_add(fake_service(peer_serve, p), &(struct toy_add_req){ 1, 2 }, &rep, NULL);
}

TEST(ipc_stub_asks_again_a_bounded_number_of_times)
{
	struct peer twice = { .dies = 2, .len = 8 }, always = { .dies = 1000 };
	struct toy_once_rep rep;

	begin();
	CHECK(add(&twice) == ST_OK && twice.calls == 3);
	CHECK(add(&always) == ST_PEER_GONE && always.calls == PROTO_TRIES);
	struct peer p = { .dies = 1, .len = 13 };
	CHECK(toy_once(fake_service(peer_serve, &p), &(struct toy_once_req){ 0 }, &rep, NULL) ==
	      ST_PEER_GONE);
	CHECK(p.calls == 1);
}

TEST(ipc_stub_believes_no_answer_of_another_form)
{
	struct toy_trade_rep rep;
	struct msg_cap caps[MSG_CAPS];

	begin();
	cap_t memory = fake_memory(fake_own_quota(), 1);
	CHECK(add(&(struct peer){ .len = 7 }) == ST_CORRUPT);
	CHECK(add(&(struct peer){ .len = 512 }) == ST_CORRUPT);
	CHECK(add(&(struct peer){ .len = 8, .result = 5 }) == ST_CORRUPT);
	CHECK(add(&(struct peer){ .result = (uint32_t)ST_NO_RIGHT }) == ST_NO_RIGHT);
	struct peer p = { .len = 8, .ncaps = 4, .gives = memory };
	cap_t to = fake_service(peer_serve, &p);
	unsigned before = fake_caps();
	for (p.ncaps = 0; p.ncaps <= MSG_CAPS; p.ncaps++) {
		if (p.ncaps == 1)
			continue;
		caps[0].handle = endpoint;
		caps[0].flags = 0;
		CHECK(toy_trade(to, &(struct toy_trade_req){ 0 }, &rep, caps) == ST_CORRUPT);
		CHECK(fake_caps() == before);
	}
	p.ncaps = 1;
	p.gives = endpoint;
	CHECK(toy_trade(to, &(struct toy_trade_req){ 0 }, &rep, caps) == ST_CORRUPT);
	CHECK(fake_caps() == before);
	p.result = (uint32_t)ST_NO_MEMORY;
	CHECK(toy_trade(to, &(struct toy_trade_req){ 0 }, &rep, caps) == ST_NO_MEMORY);
	CHECK(fake_caps() == before);
	p.result = 0;
	p.gives = memory;
	CHECK(toy_trade(to, &(struct toy_trade_req){ 0 }, &rep, caps) == ST_OK);
	CHECK(fake_caps() == before + 1 && caps[0].type == OBJ_MEMORY && fake.wrong == 0);
}

TEST(ipc_sends_nothing_that_was_in_the_block_before)
{
	struct ipc_message m, in;
	struct ipc_request from;
	enum ipc_event event;

	begin();
	uint8_t *block = (uint8_t *)libc_block();
	ipc_begin(&m, 5, &(struct toy_once_req){ { 1 } }, 13, NULL, 0);
	fake_send(endpoint, &calls[0]);
	CHECK(ipc_receive(endpoint, IPC_FOREVER, &event, &from, &in) == ST_OK);
	memset(block, 0xaa, sizeof(struct msg_block));
	ipc_answer(ST_OK, &m);
	CHECK(calls[0].got_len == 13);
	CHECK(block[13] == 0 && block[14] == 0 && block[15] == 0 && block[16] == 0xaa);
}

/* ---- whatever comes ---- */

TEST(ipc_random_messages_leak_and_break_nothing)
{
	uint64_t rounds = test_rounds(20000);

	srand((unsigned)test_seed());
	begin();
	unsigned before = fake_caps();
	for (uint64_t i = 0; i < rounds; i++) {
		struct fake_call *c = &calls[0];
		*c = (struct fake_call){ .method = (uint32_t)rand() % 7,
					 .badge = (uint64_t)rand() << 16 | (rand() & 0xff),
					 .len = (uint32_t)rand() % (MSG_BYTES + 1),
					 .ncaps = (uint32_t)rand() % (MSG_CAPS + 1),
					 .is_full = rand() % 4 == 0,
					 .is_gone = rand() % 8 == 0 };
		if (rand() % 2)
			c->len = 8;
		for (unsigned k = 0; k < c->ncaps; k++)
			c->cap[k] = rand() % 2 ? endpoint : fake_own_quota();
		toy.status = rand() % 2 ? ST_OK : ST_BAD_STATE;
		toy.gives = endpoint;
		toy.flags = 0;
		memset(toy.kept, 0, sizeof(toy.kept));
		fake_send(endpoint, c);
		CHECK(serve() == 1 && c->is_ended);
		if (toy.status == ST_OK)
			ipc_drop(toy.kept, 2);
		CHECK(fake_caps() == before && fake.wrong == 0);
	}
}
