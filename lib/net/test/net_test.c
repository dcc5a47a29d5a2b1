/* SPDX-License-Identifier: MIT */
/* The stack against itself, over a wire that does what wires do. */
#include "wire.h"
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define MS      UINT64_C(1000000)
#define SECONDS (1000 * MS)

/* One direction of a connection: `total` bytes of a pattern, sent in odd pieces. */
struct transfer {
	struct stack *from, *to;
	struct net_socket *out, *in;
	size_t total, sent, came;
	unsigned salt;
	bool wrong, over;
};

static uint8_t pattern(size_t at, unsigned salt)
{
	return (uint8_t)((at * 2654435761u >> 13) + salt);
}

static void transfer_send(struct transfer *t)
{
	uint8_t piece[5000];

	while (t->sent < t->total) {
		size_t length = 1 + wire_random() % sizeof(piece);
		if (length > t->total - t->sent)
			length = t->total - t->sent;
		for (size_t i = 0; i < length; i++)
			piece[i] = pattern(t->sent + i, t->salt);
		if (t->from->tcp_send(t->out, piece, &length) != NET_OK)
			return;
		t->sent += length;
		if (t->sent == t->total)
			t->wrong |= t->from->tcp_finish(t->out) != NET_OK;
	}
}

static void transfer_receive(struct transfer *t)
{
	uint8_t piece[7000];

	for (;;) {
		size_t length = sizeof(piece);
		enum net_error error = t->to->tcp_receive(t->in, piece, &length);
		if (error != NET_OK) {
			t->over |= error == NET_CLOSED;
			t->wrong |= error != NET_CLOSED && error != NET_AGAIN;
			return;
		}
		for (size_t i = 0; i < length; i++)
			t->wrong |= piece[i] != pattern(t->came + i, t->salt);
		t->came += length;
	}
}

/* Connects near to far's port 80; NULL at either end if it didn't work in 60 s. */
static void connect_both(struct net_socket **here, struct net_socket **there)
{
	struct net_endpoint any = { .port = 80 }, to = wire_at(2, 80);
	struct net_socket *listener = NULL;
	uint64_t end = wire.now + 60 * SECONDS;

	*here = *there = NULL;
	CHECK(far.tcp_listen(far.net, &any, 4, &listener) == NET_OK);
	CHECK(near.tcp_connect(near.net, NULL, &to, here) == NET_OK);
	while (wire.now < end && (near.socket_ready(*here) & NET_WRITABLE) == 0 && wire_step())
		;
	while (wire.now < end && *there == NULL && wire_step())
		far.tcp_accept(listener, there);
	far.socket_close(listener);
}

/* Both ways at once; returns when all has come or `seconds` have gone. */
static void transfer_both(size_t bytes, unsigned seconds, uint64_t *took)
{
	struct net_socket *here, *there;

	connect_both(&here, &there);
	CHECK(here != NULL && there != NULL);
	struct transfer up = { &near, &far, here, there, bytes, 0, 0, 1, false, false };
	struct transfer down = { &far, &near, there, here, bytes, 0, 0, 2, false, false };
	uint64_t begin = wire.now;
	while (!(up.over && down.over) && wire.now - begin < seconds * SECONDS) {
		transfer_send(&up);
		transfer_send(&down);
		transfer_receive(&up);
		transfer_receive(&down);
		if (!wire_step())
			break;
	}
	*took = wire.now - begin;
	CHECK(!up.wrong && !down.wrong);
	CHECK(up.over && up.came == bytes);
	CHECK(down.over && down.came == bytes);
	near.socket_close(here);
	far.socket_close(there);
}

TEST(net_stream_carries_both_ways)
{
	uint64_t took;

	wire_open4();
	transfer_both(4u << 20, 60, &took);
}

TEST(net_stream_survives_loss_repeats_and_disorder)
{
	uint64_t took;

	wire.loss = 20;
	wire.twice = 20;
	wire.late = 50;
	wire_open4();
	transfer_both(300000, 3600, &took);
}

/* 64 KiB in flight, the most without scaling, would take 100 ms for each of 32 of them. */
TEST(net_stream_window_is_scaled)
{
	uint64_t took = NET_NEVER;

	wire.delay = 50 * MS;
	wire_open4();
	transfer_both(2u << 20, 600, &took);
	CHECK(took < 32 * 100 * MS);
}
