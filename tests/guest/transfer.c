/* SPDX-License-Identifier: MIT */
/* Capabilities in messages: all of them arrive, or none leaves, whatever happens to either side. */
#include "job.h"
#include <stdatomic.h>

#define CHUNK 64 /* slots that a space grows by */

/* One side sends MSG_CAPS capabilities to the other, each in a process of its own. */
struct pair {
	cap_t ep;
	struct actor *client, *server;
	cap_t entrance, service; /* theirs */
	cap_t object[MSG_CAPS];  /* as the first program names them */
	cap_t sent[MSG_CAPS];    /* as the sender does */
};

static void pair_open(struct pair *p)
{
	p->ep = new_endpoint();
	p->client = job_process();
	p->server = job_process();
	p->entrance = actor_give(p->client, p->ep, RIGHT_CALL, 1);
	p->service = actor_give(p->server, p->ep, RIGHT_RECEIVE, 0);
}

/* Gives `from` a capability to each of MSG_CAPS new objects, and lists them in its block. */
static void load(struct pair *p, struct actor *from, uint16_t flags)
{
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		p->object[i] = new_endpoint();
		p->sent[i] = actor_give(from, p->object[i], 0xffff, 0);
		from->block->cap[i] = (struct msg_cap){ p->sent[i], 0xffff, flags, 0 };
	}
}

static bool there(cap_t space, cap_t handle)
{
	return STATUS(cap_inspect, space, handle) == ST_OK;
}

/* How many of the sent ones the sender still has. */
static unsigned kept(const struct pair *p, const struct actor *from)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MSG_CAPS; i++)
		n += there(from->cspace, p->sent[i]);
	return n;
}

/* How many of its first slots are taken, whatever their generation: few cases go further. */
static unsigned taken(cap_t space)
{
	unsigned n = 0;

	for (uint64_t slot = 1; slot < 2 * CHUNK; slot++)
		n += there(space, slot); /* generation 0 stands for whichever there is */
	return n;
}

/* A capability names the object: a call by it arrives there. */
static bool names(cap_t space, cap_t handle, cap_t object)
{
	struct sys_result r = SYS(cap_copy, start->cspace, space, handle, 0xffff, 0);
	struct actor *a = job_new();

	if (r.status != ST_OK)
		return false;
	JOB(a, endpoint_call, r.out[0], MSG_INFO(0x77, 0, 0), NEVER);
	(void)job_waits(a);
	struct sys_result got = SYS(endpoint_receive, object, 0);
	job_kill(a);
	return got.status == ST_OK && MSG_METHOD(got.out[0]) == 0x77;
}

/* ---- what arrives ---- */

static void send_four(bool server_first, bool answer, uint16_t flags)
{
	const uint64_t info = MSG_INFO(1, 8, MSG_CAPS);
	struct pair p;

	pair_open(&p);
	struct actor *from = answer ? p.server : p.client, *to = answer ? p.client : p.server;
	load(&p, from, flags);
	if (server_first) {
		JOB(p.server, endpoint_receive, p.service, NEVER);
		CHECK(job_waits(p.server));
	}
	JOB(p.client, endpoint_call, p.entrance, answer ? 0 : info, NEVER);
	CHECK(job_waits(p.client));
	if (!server_first)
		JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_end(p.server).status == ST_OK);
	JOB(p.server, endpoint_reply, p.server->self, answer ? info : 0);
	CHECK(job_end(p.server).status == ST_OK && job_end(p.client).status == ST_OK);
	CHECK(kept(&p, from) == (flags & MSG_CAP_MOVE ? 0 : MSG_CAPS));
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		const struct msg_cap *c = &to->block->cap[i];
		CHECK(c->type == OBJ_ENDPOINT && c->flags == 0);
		CHECK(names(to->cspace, c->handle, p.object[i]));
	}
}

TEST(transfer_copies_four)
{
	for (unsigned i = 0; i < 4; i++)
		send_four(i & 1, i & 2, 0);
}

TEST(transfer_moves_four)
{
	for (unsigned i = 0; i < 4; i++)
		send_four(i & 1, i & 2, MSG_CAP_MOVE);
}

/* The mask takes rights away and never gives any. */
TEST(transfer_masks_rights)
{
	static const rights_t mask[] = { 0xffff, RIGHT_CALL | RIGHT_SEND, RIGHT_RECEIVE, 0 };
	const rights_t has = RIGHT_CALL | RIGHT_SEND | RIGHT_COPY;
	struct pair p;

	pair_open(&p);
	for (unsigned i = 0; i < ARRAY_LEN(mask); i++) {
		cap_t weak = actor_give(p.client, new_endpoint(), has, 0);
		p.client->block->cap[0] = (struct msg_cap){ weak, mask[i], 0, 0 };
		JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, 1), NEVER);
		JOB(p.server, endpoint_receive, p.service, NEVER);
		CHECK(job_end(p.server).status == ST_OK);
		const struct msg_cap got = p.server->block->cap[0];
		CHECK(got.rights == (has & mask[i]) && got.type == OBJ_ENDPOINT);
		struct sys_result r = SYS(cap_inspect, p.server->cspace, got.handle);
		CHECK(r.status == ST_OK && r.out[1] == (has & mask[i]));
		JOB(p.server, endpoint_reply, p.server->self, 0);
		CHECK(job_end(p.server).status == ST_OK && job_end(p.client).status == ST_OK);
	}
}

/* The badge goes with the capability and is not told. */
TEST(transfer_keeps_the_badge)
{
	struct pair p;

	pair_open(&p);
	cap_t ep = new_endpoint();
	cap_t badged = actor_give(p.client, ep, RIGHT_CALL | RIGHT_SEND | RIGHT_COPY, 4711);
	p.client->block->cap[0] = (struct msg_cap){ badged, 0xffff, 0, 0 };
	JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, 1), NEVER);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_end(p.server).status == ST_OK);
	cap_t got = p.server->block->cap[0].handle;
	/* It can't be minted anew. */
	CHECK(STATUS(cap_copy, start->cspace, p.server->cspace, got, 0xffff, 5) == ST_BAD_STATE);
	JOB(p.server, endpoint_call, got, 0, NEVER);
	CHECK(SYS(endpoint_receive, ep, NEVER).out[1] == 4711);
	CHECK(STATUS(endpoint_reply, start->thread, 0) == ST_OK);
}

/* ---- what is refused ---- */

/* The four of `from` with a bad one at each place: nothing goes. */
static void refused(struct pair *p, cap_t bad, uint16_t flags, status_t why)
{
	for (unsigned at = 0; at < MSG_CAPS; at++) {
		load(p, p->client, MSG_CAP_MOVE);
		p->client->block->cap[at].handle = bad;
		p->client->block->cap[at].flags = flags;
		unsigned before = taken(p->server->cspace);
		/* To one who waits: his wait is over. What was wrong is none of his business. */
		JOB(p->server, endpoint_receive, p->service, NEVER);
		CHECK(job_waits(p->server));
		JOB(p->client, endpoint_call, p->entrance, MSG_INFO(0, 8, MSG_CAPS), NEVER);
		CHECK(job_end(p->client).status == why);
		CHECK(job_end(p->server).status == ST_CANCELLED);
		CHECK(kept(p, p->client) == MSG_CAPS && taken(p->server->cspace) == before);
		/* To one who comes. */
		JOB(p->client, endpoint_call, p->entrance, MSG_INFO(0, 8, MSG_CAPS), NEVER);
		CHECK(job_waits(p->client));
		JOB(p->server, endpoint_receive, p->service, NEVER);
		CHECK(job_end(p->client).status == why);
		CHECK(job_end(p->server).status == ST_CANCELLED);
		CHECK(kept(p, p->client) == MSG_CAPS && taken(p->server->cspace) == before);
	}
}

TEST(transfer_of_what_is_no_capability)
{
	struct pair p;

	pair_open(&p);
	refused(&p, CAP_NONE, 0, ST_BAD_CAP);
	refused(&p, 12345, 0, ST_BAD_CAP);
	refused(&p, UINT64_MAX, MSG_CAP_MOVE, ST_BAD_CAP);
}

TEST(transfer_without_the_right)
{
	struct pair p;

	pair_open(&p);
	refused(&p, actor_give(p.client, new_endpoint(), 0xffff & ~RIGHT_SEND, 0), 0, ST_NO_RIGHT);
	refused(&p, p.client->self, MSG_CAP_MOVE, ST_NO_RIGHT);
}

TEST(transfer_with_unknown_flags)
{
	struct pair p;

	pair_open(&p);
	cap_t good = actor_give(p.client, new_endpoint(), 0xffff, 0);
	refused(&p, good, 2, ST_BAD_ARG);
	refused(&p, good, 0x8001, ST_BAD_ARG);
}

/* One capability twice in a message: it can be copied twice, not moved twice. */
TEST(transfer_of_one_twice)
{
	struct pair p;

	pair_open(&p);
	cap_t one = actor_give(p.client, new_endpoint(), 0xffff, 0);
	for (uint16_t flags = 0; flags < 4; flags++) {
		p.client->block->cap[0] = (struct msg_cap){ one, 0xffff, (uint16_t)(flags & 1), 0 };
		p.client->block->cap[1] =
			(struct msg_cap){ one, 0xffff, (uint16_t)(flags >> 1), 0 };
		JOB(p.server, endpoint_receive, p.service, NEVER);
		CHECK(job_waits(p.server));
		JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, 2), NEVER);
		status_t st = job_end(p.server).status;
		CHECK(st == (flags == 0 ? ST_OK : ST_CANCELLED));
		CHECK(there(p.client->cspace, one));
		JOB(p.server, endpoint_receive, p.service, 0);
		CHECK(job_end(p.server).status == ST_DEADLINE);
	}
}

/* The answer can't be given, the caller still waits, and a better answer reaches it. */
TEST(transfer_in_an_answer_that_is_refused)
{
	struct pair p;

	pair_open(&p);
	JOB(p.client, endpoint_call, p.entrance, 0, NEVER);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_end(p.server).status == ST_OK);
	load(&p, p.server, MSG_CAP_MOVE);
	p.server->block->cap[3].handle = CAP_NONE;
	JOB(p.server, endpoint_reply, p.server->self, MSG_INFO(0, 0, MSG_CAPS));
	CHECK(job_end(p.server).status == ST_BAD_CAP && kept(&p, p.server) == MSG_CAPS);
	JOB(p.server, endpoint_reply_receive, p.service, MSG_INFO(0, 0, MSG_CAPS), NEVER);
	CHECK(job_end(p.server).status == ST_BAD_CAP && kept(&p, p.server) == MSG_CAPS);
	CHECK(job_waits(p.client));
	p.server->block->cap[3].handle = p.sent[3];
	JOB(p.server, endpoint_reply, p.server->self, MSG_INFO(0, 0, MSG_CAPS));
	CHECK(job_end(p.server).status == ST_OK && job_end(p.client).status == ST_OK);
	CHECK(kept(&p, p.server) == 0);
}

TEST(transfer_to_one_without_a_block)
{
	struct pair p;

	pair_open(&p);
	cap_t memory = job_block(p.server);
	CHECK(STATUS(object_destroy, memory) == ST_OK);
	load(&p, p.client, MSG_CAP_MOVE);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_waits(p.server));
	JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
	CHECK(job_end(p.client).status == ST_BAD_STATE);
	CHECK(job_end(p.server).status == ST_CANCELLED && kept(&p, p.client) == MSG_CAPS);
}

/* ---- no room ---- */

/* A receiver whose own quota pays for its space, and has no room for another piece of it. */
static void pair_open_poor(struct pair *p, cap_t *payer)
{
	cap_t outer = quota;

	p->ep = new_endpoint();
	p->client = job_process();
	quota = *payer = new_quota(4ull << 20);
	p->server = job_process();
	quota = outer;
	p->entrance = actor_give(p->client, p->ep, RIGHT_CALL, 1);
	p->service = actor_give(p->server, p->ep, RIGHT_RECEIVE, 0);
}

/* What a process has in its space is its thread and the endpoint: but for `left` slots the first
 * piece is filled up. */
static void fill_space(struct actor *a, unsigned left)
{
	cap_t any = new_notification();

	/* The pages that it needs are there from then on. */
	JOB(a, thread_yield, a->self);
	if (job_end(a).status != ST_OK)
		give_up("a process that does not run", job_of(a)->result.status);
	for (unsigned n = 2; n < CHUNK - 1 - left; n++)
		actor_give(a, any, 0, 0);
}

static void allow(cap_t payer, uint64_t pages)
{
	uint64_t used = SYS(quota_read, payer).out[0];
	status_t st = STATUS(quota_resize, payer, used + pages * MEMORY_PAGE, 0);

	if (st != ST_OK)
		give_up("a quota that should be resized", st);
}

/* For each number of free slots and of capabilities: they fit, or none goes. */
TEST(transfer_to_a_full_space)
{
	for (unsigned left = 0; left < MSG_CAPS; left++) {
		struct pair p;
		cap_t payer;

		pair_open_poor(&p, &payer);
		fill_space(p.server, left);
		allow(payer, 0);
		for (unsigned n = MSG_CAPS; n > left; n--) {
			load(&p, p.client, MSG_CAP_MOVE);
			JOB(p.server, endpoint_receive, p.service, NEVER);
			CHECK(job_waits(p.server));
			JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 8, n), NEVER);
			CHECK(job_end(p.client).status == ST_NO_MEMORY);
			CHECK(job_end(p.server).status == ST_NO_MEMORY);
			JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 8, n), NEVER);
			CHECK(job_waits(p.client));
			JOB(p.server, endpoint_receive, p.service, NEVER);
			CHECK(job_end(p.server).status == ST_NO_MEMORY);
			CHECK(job_end(p.client).status == ST_NO_MEMORY);
			CHECK(kept(&p, p.client) == MSG_CAPS);
		}
		JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 8, left), NEVER);
		CHECK(job_waits(p.client));
		JOB(p.server, endpoint_receive, p.service, NEVER);
		CHECK(job_end(p.server).status == ST_OK);
		CHECK(kept(&p, p.client) == MSG_CAPS - left);
		CHECK(STATUS(object_destroy, payer) == ST_OK);
		CHECK(job_end(p.client).status == ST_PEER_GONE);
	}
}

/* The space wants to grow, and each step of that fails in turn for want of memory. */
TEST(transfer_to_a_space_that_can_not_grow)
{
	struct pair p;
	cap_t payer;
	unsigned pages = 0;

	pair_open_poor(&p, &payer);
	fill_space(p.server, 1);
	load(&p, p.client, MSG_CAP_MOVE);
	for (;; pages++) {
		allow(payer, pages);
		uint64_t used = SYS(quota_read, payer).out[0];
		JOB(p.server, endpoint_receive, p.service, NEVER);
		CHECK(job_waits(p.server));
		JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 8, MSG_CAPS), NEVER);
		status_t st = job_end(p.server).status;
		if (st == ST_OK)
			break;
		CHECK(st == ST_NO_MEMORY && job_end(p.client).status == ST_NO_MEMORY);
		CHECK(kept(&p, p.client) == MSG_CAPS);
		CHECK(SYS(quota_read, payer).out[0] == used);
	}
	CHECK(pages == 2 && kept(&p, p.client) == 0);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		CHECK(names(p.server->cspace, p.server->block->cap[i].handle, p.object[i]));
}

/* An answer does not fit: the server is told, and the client is not freed of his wait. */
TEST(transfer_in_an_answer_to_a_full_space)
{
	cap_t outer = quota, payer = new_quota(4ull << 20);
	struct actor *client;
	cap_t ep = new_endpoint(), entrance;

	quota = payer;
	client = job_process();
	quota = outer;
	entrance = actor_give(client, ep, RIGHT_CALL, 1);
	fill_space(client, 3);
	allow(payer, 0);
	JOB(client, endpoint_call, entrance, 0, NEVER);
	CHECK(SYS(endpoint_receive, ep, NEVER).status == ST_OK);
	cap_t gift[MSG_CAPS];
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		gift[i] = new_endpoint();
		own_block()->cap[i] = (struct msg_cap){ gift[i], 0xffff, MSG_CAP_MOVE, 0 };
	}
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(0, 0, 4)) == ST_NO_MEMORY);
	CHECK(STATUS(endpoint_reply_receive, ep, MSG_INFO(0, 0, 4), 0) == ST_NO_MEMORY);
	CHECK(job_waits(client));
	for (unsigned i = 0; i < MSG_CAPS; i++)
		CHECK(there(start->cspace, gift[i]));
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(0, 0, 3)) == ST_OK);
	CHECK(job_end(client).status == ST_OK);
	CHECK(!there(start->cspace, gift[2]) && there(start->cspace, gift[3]));
}

/* ---- sides that die ---- */

/* The client's capabilities are on their way, and nobody takes them. */
static void open_with_waiting_client(struct pair *p)
{
	pair_open(p);
	load(p, p->client, MSG_CAP_MOVE);
	JOB(p->client, endpoint_call, p->entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
	CHECK(job_waits(p->client));
}

/* A capability on its way stays with the sender, who dies in the queue: it is where it was. */
TEST(transfer_whose_sender_dies_in_the_queue)
{
	struct pair p;

	open_with_waiting_client(&p);
	job_kill(p.client);
	CHECK(kept(&p, p.client) == MSG_CAPS);
	JOB(p.server, endpoint_receive, p.service, 0);
	CHECK(job_end(p.server).status == ST_DEADLINE);
}

/* Once delivered it is the receiver's, whatever becomes of the call. */
TEST(transfer_whose_sender_dies_afterwards)
{
	struct pair p;

	pair_open(&p);
	load(&p, p.client, MSG_CAP_MOVE);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_waits(p.server));
	JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
	CHECK(job_end(p.server).status == ST_OK);
	job_kill(p.client);
	CHECK(STATUS(object_destroy, p.client->cspace) == ST_OK);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		CHECK(names(p.server->cspace, p.server->block->cap[i].handle, p.object[i]));
}

/* The space that capabilities come from, or go to, is destroyed while they wait. */
TEST(transfer_whose_spaces_die)
{
	for (unsigned i = 0; i < 2; i++) {
		struct pair p;

		pair_open(&p);
		load(&p, p.client, MSG_CAP_MOVE);
		if (i == 1) {
			JOB(p.server, endpoint_receive, p.service, NEVER);
			CHECK(job_waits(p.server));
			CHECK(STATUS(object_destroy, p.server->cspace) == ST_OK);
			JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, MSG_CAPS), 0);
			CHECK(job_end(p.client).status == ST_DEADLINE);
			CHECK(kept(&p, p.client) == MSG_CAPS);
			continue;
		}
		JOB(p.client, endpoint_call, p.entrance, MSG_INFO(0, 0, MSG_CAPS), NEVER);
		CHECK(job_waits(p.client));
		CHECK(STATUS(object_destroy, p.client->cspace) == ST_OK);
		JOB(p.server, endpoint_receive, p.service, 0);
		CHECK(job_end(p.server).status == ST_DEADLINE);
	}
}

/* What is on its way is revoked by who gave it to the sender: it does not arrive. */
TEST(transfer_of_what_is_revoked_meanwhile)
{
	struct pair p;

	open_with_waiting_client(&p);
	CHECK(STATUS(cap_revoke, start->cspace, p.object[2]) == ST_OK);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	CHECK(job_end(p.server).status == ST_CANCELLED);
	CHECK(job_end(p.client).status == ST_BAD_CAP && kept(&p, p.client) == MSG_CAPS - 1);
}

/* ---- killed at every step ---- */

static void spin(uint64_t n)
{
	for (; n > 0; n--)
		__asm__ volatile("pause");
}

/* Calls arg[0] with what is in the block, when arg[1] is set. */
static void send_when_told(struct actor *a)
{
	while (__atomic_load_n(&a->arg[1], __ATOMIC_ACQUIRE) == 0)
		spin(1);
	a->arg[2] = (uint64_t)(int64_t)STATUS(endpoint_call, a->arg[0], MSG_INFO(0, 512, MSG_CAPS),
					      NEVER);
}

enum victim { SENDER, RECEIVER, MEETING_PLACE, SENDERS_SPACE, RECEIVERS_SPACE };

static cap_t victim_of(const struct pair *p, enum victim v)
{
	const cap_t all[] = { p->client->thread, p->server->thread, p->ep, p->client->cspace,
			      p->server->cspace };

	return all[v];
}

/* Until it runs no more. */
static void settle(const struct actor *a)
{
	struct arch_registers r;

	while (STATUS(thread_read_registers, a->thread, &r) == ST_BAD_STATE)
		yield();
}

/* One transfer, and `delay` after it was let go the victim is destroyed on another CPU. True: the
 * transfer came first. Afterwards the sender has all, or the receiver has; who has lost his space
 * has none. */
static bool race(enum victim v, uint64_t delay)
{
	struct pair p;

	pair_open(&p);
	p.client->run = send_when_told;
	p.client->arg[0] = p.entrance;
	load(&p, p.client, MSG_CAP_MOVE);
	/* One that it has may die as well: to its thread, or the endpoint. */
	unsigned had = taken(p.server->cspace) - (v == RECEIVER || v == MEETING_PLACE);
	JOB(p.server, endpoint_receive, p.service, NEVER);
	(void)job_waits(p.server);
	actor_start(p.client);
	__atomic_store_n(&p.client->arg[1], 1, __ATOMIC_RELEASE);
	spin(delay);
	status_t st = STATUS(object_destroy, victim_of(&p, v));
	settle(p.client);
	settle(p.server);

	unsigned left = kept(&p, p.client);
	unsigned came = v == RECEIVERS_SPACE ? 0 : taken(p.server->cspace) - had;
	bool whole = (left == 0 || left == MSG_CAPS) && (came == 0 || came == MSG_CAPS);
	bool ok = st == ST_OK && whole && (v >= SENDERS_SPACE || left + came == MSG_CAPS);
	if (!ok)
		test_fail("sent and kept", (int)(left * 10 + came), "don't make all");
	SYS(object_destroy, p.client->thread);
	SYS(object_destroy, p.server->thread);
	SYS(object_destroy, p.ep);
	return !ok || came == MSG_CAPS || (v == RECEIVERS_SPACE && left == 0);
}

#define IN_A_ROW 4

/* From the first step to behind the last one: until the transfer always comes first. */
static void race_all_steps(enum victim v)
{
	unsigned row = 0;

	if (start->cpus < 2)
		SKIP("needs a second CPU");
	for (uint64_t delay = 0; row < IN_A_ROW; delay += 1 + delay / 8) {
		cap_t outer = quota;
		quota = new_quota(8ull << 20);
		row = race(v, delay) ? row + 1 : 0;
		SYS(object_destroy, quota);
		quota = outer;
	}
}

TEST(transfer_sender_killed_at_every_step)
{
	race_all_steps(SENDER);
}

TEST(transfer_receiver_killed_at_every_step)
{
	race_all_steps(RECEIVER);
}

TEST(transfer_senders_space_destroyed_at_every_step)
{
	race_all_steps(SENDERS_SPACE);
}

TEST(transfer_receivers_space_destroyed_at_every_step)
{
	race_all_steps(RECEIVERS_SPACE);
}

TEST(transfer_endpoint_destroyed_at_every_step)
{
	race_all_steps(MEETING_PLACE);
}
