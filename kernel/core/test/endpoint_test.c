/* SPDX-License-Identifier: MIT */
#include "play.h"
#include <test/test.h>
#include <string.h>

/* A client and a server with an endpoint, which the client can call with a badge. */
static struct actor *client, *server;
static struct endpoint *ep;
static cap_t service, entrance; /* the server's, and the client's, capability */

static void meet(int client_priority, int server_priority)
{
	play_boot(1);
	client = actor_make(NULL, client_priority);
	server = actor_make(NULL, server_priority);
	ep = endpoint_make(server, &service);
	entrance = give(server, service, client, RIGHTS_ALL & ~RIGHT_RECEIVE, 77);
	actor_resume(client);
	actor_resume(server);
}

static bool ep_ok(void)
{
	spin_lock(&ep->obj.lock);
	bool ok = endpoint_ok(ep);
	spin_unlock(&ep->obj.lock);
	return ok && play_ok();
}

static void fill(struct msg_block *b, uint8_t seed)
{
	memset(b, 0xee, sizeof(*b));
	for (unsigned i = 0; i < MSG_BYTES; i++)
		((uint8_t *)b->word)[i] = (uint8_t)(seed + i * 7);
}

/* The first `len` bytes are those that fill has made, and what lies behind the last whole word
 * is untouched. */
static bool holds(const struct msg_block *b, uint8_t seed, unsigned len)
{
	const uint8_t *bytes = (const uint8_t *)b->word;

	for (unsigned i = 0; i < len; i++) {
		if (bytes[i] != (uint8_t)(seed + i * 7))
			return false;
	}
	for (unsigned i = (len + 7) / 8 * 8; i < sizeof(*b); i++) {
		if (bytes[i] != 0x55)
			return false;
	}
	return true;
}

TEST(call_and_answer)
{
	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	CHECK(ep_ok());
	CHECK(act_call(client, entrance, MSG_INFO(5, 0, 0)) == ST_BLOCKED);
	CHECK(ep_ok());
	status_t st;
	CHECK(actor_woke(server, &st) && st == ST_OK);
	CHECK(actor_info(server) == MSG_INFO(5, 0, 0) && actor_badge(server) == 77);
	CHECK(actor_number(server) != 0);
	CHECK(act_reply(server, MSG_INFO(6, 0, 0)) == ST_OK);
	CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == MSG_INFO(6, 0, 0));
	CHECK(actor_badge(client) == 0 && actor_number(client) == 0);
	CHECK(ep_ok());
}

/* Each length, whichever side comes first, arrives as it was sent. */
static void every_length(bool server_first)
{
	status_t st;

	meet(10, 10);
	for (unsigned len = 0; len <= MSG_BYTES; len++) {
		fill(client->block, (uint8_t)len);
		memset(server->block, 0x55, sizeof(*server->block));
		uint64_t info = MSG_INFO(len, len, 0);
		if (server_first)
			CHECK(act_receive(server, service) == ST_BLOCKED);
		CHECK(act_call(client, entrance, info) == ST_BLOCKED);
		if (!server_first)
			CHECK(act_receive(server, service) == ST_OK);
		else
			CHECK(actor_woke(server, &st) && st == ST_OK);
		CHECK(actor_info(server) == info && holds(server->block, (uint8_t)len, len));

		fill(server->block, (uint8_t)(len + 1));
		memset(client->block, 0x55, sizeof(*client->block));
		CHECK(act_reply(server, info) == ST_OK);
		CHECK(actor_woke(client, &st) && st == ST_OK && actor_info(client) == info);
		CHECK(holds(client->block, (uint8_t)(len + 1), len));
	}
	CHECK(ep_ok());
}

TEST(message_of_every_length_to_a_waiting_server)
{
	every_length(true);
}

TEST(message_of_every_length_to_a_busy_server)
{
	every_length(false);
}

TEST(message_too_long_is_refused)
{
	meet(10, 10);
	CHECK(act_receive(server, service) == ST_BLOCKED);
	static const uint64_t bad[] = { MSG_INFO(0, MSG_BYTES + 1, 0), MSG_INFO(0, 0xffff, 0),
					MSG_INFO(0, 0, MSG_CAPS + 1), MSG_INFO(0, 0, 15),
					MSG_INFO(0, 0, 16), MSG_INFO(0, 0, 0x80) };
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(act_call(client, entrance, bad[i]) == ST_BAD_ARG);
		CHECK(thread_state(server->t) == THREAD_RECEIVING);
	}
	CHECK(act_call(client, entrance, 0) == ST_BLOCKED);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(act_reply(server, bad[i]) == ST_BAD_ARG);
		CHECK(thread_state(client->t) == THREAD_REPLY);
	}
	CHECK(act_reply(server, 0) == ST_OK);
}
