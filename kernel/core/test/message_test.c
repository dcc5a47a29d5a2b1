/* SPDX-License-Identifier: MIT */
/* Capabilities in messages. */
#include "play.h"
#include <test/test.h>
#include <string.h>

static struct actor *client, *server;
static struct endpoint *ep;
static cap_t service, entrance;
static cap_t mine[MSG_CAPS]; /* endpoints of the client's */

static void meet_in(struct cspace *client_space, struct cspace *server_space)
{
	client = actor_make(client_space, 10);
	server = actor_make(server_space, 10);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL & ~RIGHT_RECEIVE, 77);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		(void)endpoint_make(client, &mine[i]);
	actor_resume(client);
	actor_resume(server);
}

static void meet(void)
{
	play_boot(1);
	meet_in(NULL, NULL);
}

static void put(struct actor *a, unsigned i, cap_t handle, rights_t rights, uint16_t flags)
{
	a->block->cap[i] = (struct msg_cap){ handle, rights, flags, 0 };
}

static bool has(struct actor *a, cap_t handle, struct object *o, rights_t rights)
{
	struct object *found;
	rights_t carried;
	uint64_t badge;

	return do_look(a->cspace, handle, &found, &carried, &badge) == ST_OK && found == o &&
	       carried == rights;
}

static struct object *named(struct actor *a, cap_t handle)
{
	return ref_of(a, handle).object;
}

static bool spaces_ok(void)
{
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		struct cap_ref ref;
		if (cap_find(client->cspace, mine[i], OBJ_ANY, 0, &ref) == ST_OK &&
		    !cap_tree_ok(ref.object))
			return false;
	}
	return cspace_ok(client->cspace) && cspace_ok(server->cspace) && play_ok();
}

/* Four capabilities, copied or moved, with masks, in a call or in its answer. */
static void four(bool server_waits, bool answer, uint16_t flags)
{
	struct actor *from = answer ? server : client;
	struct actor *to = answer ? client : server;
	struct object *o[MSG_CAPS];
	cap_t handle[MSG_CAPS];
	status_t st;

	for (unsigned i = 0; i < MSG_CAPS; i++) {
		handle[i] = from == client ? mine[i] : give(client, mine[i], server, RIGHTS_ALL, 0);
		o[i] = named(from, handle[i]);
	}
	if (server_waits)
		CHECK(act_receive(server, service) == ST_BLOCKED);
	memset(to->block->cap, 0x55, sizeof(to->block->cap));
	uint64_t info = MSG_INFO(1, 8, MSG_CAPS);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		put(from, i, handle[i], (rights_t)(RIGHT_SEND | RIGHT_CALL | 1u << i), flags);
	CHECK(act_call(client, entrance, answer ? 0 : info) == ST_BLOCKED);
	if (!server_waits)
		CHECK(act_receive(server, service) == ST_OK);
	if (answer)
		CHECK(act_reply(server, info) == ST_OK);
	CHECK(actor_woke(to, &st) || to->seen > 0);
	CHECK(actor_info(to) == info);
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		const struct msg_cap *got = &to->block->cap[i];
		rights_t rights = (rights_t)(RIGHT_SEND | RIGHT_CALL | 1u << i);

		CHECK(has(to, got->handle, o[i], rights));
		CHECK(got->rights == rights && got->type == OBJ_ENDPOINT && got->flags == 0);
		struct object *left;
		rights_t r;
		uint64_t b;
		bool kept = do_look(from->cspace, handle[i], &left, &r, &b) == ST_OK;
		CHECK(kept == !(flags & MSG_CAP_MOVE));
	}
	CHECK(spaces_ok());
	if (!answer)
		CHECK(act_reply(server, 0) == ST_OK);
}

TEST(capabilities_are_copied)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i == 0)
			meet();
		four(i & 1, i & 2, 0);
	}
}

TEST(capabilities_are_moved)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i == 0)
			meet();
		four(i & 1, i & 2, MSG_CAP_MOVE);
		for (unsigned k = 0; k < MSG_CAPS; k++) {
			if (!(i & 2))
				(void)endpoint_make(client, &mine[k]);
		}
	}
}

TEST(moved_capability_keeps_its_badge)
{
	status_t st;

	meet();
	cap_t badged;
	CHECK(do_derive(client->cspace, client->cspace, mine[0], RIGHTS_ALL, 42, &badged) == ST_OK);
	put(client, 0, badged, RIGHTS_ALL, MSG_CAP_MOVE);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(0, 0, 1)) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && st == ST_OK);
	CHECK(ref_of(server, server->block->cap[0].handle).badge == 42);
}

/* Whatever is wrong with the last of three, nothing is delivered and the sender has them all. */
static void refused(cap_t last, uint16_t flags, status_t why)
{
	struct object *o[2] = { named(client, mine[0]), named(client, mine[1]) };
	rights_t all = ref_of(client, mine[0]).token & 0xffff;
	status_t st;

	put(client, 0, mine[0], RIGHTS_ALL, MSG_CAP_MOVE);
	put(client, 1, mine[1], RIGHTS_ALL, 0);
	put(client, 2, last, RIGHTS_ALL, flags);
	memset(server->block, 0x55, sizeof(*server->block));
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(0, 16, 3)) == why);
	CHECK(actor_woke(server, &st) && st == ST_CANCELLED);
	CHECK(server->block->word[0] == 0x5555555555555555 &&
	      server->block->cap[0].type == 0x55555555);
	CHECK(has(client, mine[0], o[0], all) && has(client, mine[1], o[1], all) && spaces_ok());
	/* From the queue it is refused just so. */
	CHECK(act_call(client, entrance, MSG_INFO(0, 16, 3)) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_CANCELLED);
	CHECK(actor_woke(client, &st) && st == why);
	CHECK(has(client, mine[0], o[0], all) && has(client, mine[1], o[1], all) && spaces_ok());
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	CHECK(act_receive(server, service) == ST_OK);
	CHECK(act_reply(server, 0) == ST_OK);
}

TEST(capabilities_go_all_or_none)
{
	cap_t unsendable, uncopyable, dead;

	meet();
	CHECK(do_derive(client->cspace, client->cspace, mine[2], RIGHT_COPY | RIGHT_CALL, 0,
			&unsendable) == ST_OK);
	CHECK(do_derive(client->cspace, client->cspace, mine[2], RIGHT_SEND, 0, &uncopyable) ==
	      ST_OK);
	CHECK(do_derive(client->cspace, client->cspace, mine[2], RIGHTS_ALL, 0, &dead) == ST_OK);
	CHECK(do_drop(client->cspace, dead) == ST_OK);
	refused(unsendable, 0, ST_NO_RIGHT);
	refused(uncopyable, 0, ST_NO_RIGHT);
	refused(dead, 0, ST_BAD_CAP);
	refused(CAP_NONE, 0, ST_BAD_CAP);
	refused(mine[0], 0, ST_BAD_ARG); /* moved and copied */
	refused(mine[2], 2, ST_BAD_ARG); /* no such flag */
	refused(mine[2], 0x8001, ST_BAD_ARG);
}

/* A space whose quota has nothing left, with `room` free slots. */
static struct cspace *full_space(unsigned room)
{
	struct cspace *cs;
	cap_t handle;
	struct quota *q = test_quota(quota_root, 4 * FRAME_SIZE, 4 * FRAME_SIZE);

	cs = test_space(q);
	struct object *o = test_object_make(quota_root, cs, RIGHTS_ALL, &handle);
	cap_t all[3 * CSPACE_CHUNK];
	unsigned n = 0;
	while (n < ARRAY_LEN(all) && do_derive(cs, cs, handle, RIGHTS_ALL, 0, &all[n]) == ST_OK)
		n++;
	if (o == NULL || n < room || n == ARRAY_LEN(all))
		return NULL;
	for (unsigned i = 0; i < room; i++) {
		if (do_drop(cs, all[i]) != ST_OK)
			return NULL;
	}
	return cs;
}

TEST(message_does_not_fit_into_the_servers_space)
{
	status_t st;

	play_boot(1);
	struct cspace *full = full_space(4);
	CHECK(full != NULL);
	meet_in(NULL, full); /* takes two for the thread and the endpoint */
	for (unsigned i = 0; i < MSG_CAPS; i++)
		put(client, i, mine[i], RIGHTS_ALL, MSG_CAP_MOVE);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(0, 0, 4)) == ST_NO_MEMORY);
	CHECK(actor_woke(server, &st) && st == ST_NO_MEMORY);
	for (unsigned i = 0; i < MSG_CAPS; i++)
		CHECK(named(client, mine[i]) != NULL);
	CHECK(spaces_ok());
	/* Two have room. */
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(0, 0, 2)) == ST_BLOCKED);
	CHECK(actor_woke(server, &st) && st == ST_OK && spaces_ok());
	CHECK(act_reply(server, 0) == ST_OK);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	put(client, 0, mine[2], RIGHTS_ALL, MSG_CAP_MOVE);
	CHECK(act_call(client, entrance, MSG_INFO(0, 0, 1)) == ST_NO_MEMORY);
}

TEST(answer_does_not_fit_into_the_clients_space)
{
	status_t st;
	cap_t gift;

	play_boot(1);
	struct cspace *full = full_space(2 + MSG_CAPS);
	CHECK(full != NULL);
	meet_in(full, NULL);
	(void)endpoint_make(server, &gift);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	uint64_t until = time_now() + 1000;
	CHECK(play_act(client, SYS_endpoint_call, entrance, 0, until, 0) == ST_BLOCKED);
	put(server, 0, gift, RIGHTS_ALL, MSG_CAP_MOVE);
	CHECK(act_reply(server, MSG_INFO(0, 0, 1)) == ST_NO_MEMORY);
	CHECK(!actor_woke(client, &st) && named(server, gift) != NULL && spaces_ok());
	/* The call is still in hand, and can still be answered, or time out. */
	CHECK(act_reply_receive(server, service, MSG_INFO(0, 0, 1)) == ST_NO_MEMORY);
	CHECK(!actor_woke(client, &st));
	play_time(1000);
	CHECK(actor_woke(client, &st) && st == ST_DEADLINE);
	CHECK(act_reply(server, 0) == ST_PEER_GONE);
	CHECK(named(server, gift) != NULL);
}

TEST(capabilities_need_a_block_to_arrive_in)
{
	status_t st;

	meet();
	struct msg_block *block = server->t->block;
	server->t->block = NULL;
	put(client, 0, mine[0], RIGHTS_ALL, MSG_CAP_MOVE);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(act_call(client, entrance, MSG_INFO(0, 0, 1)) == ST_BAD_STATE);
	CHECK(actor_woke(server, &st) && st == ST_CANCELLED);
	CHECK(named(client, mine[0]) != NULL && spaces_ok());
	server->t->block = block;
}
