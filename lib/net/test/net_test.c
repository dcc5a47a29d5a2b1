/* SPDX-License-Identifier: MIT */
/* The stack against itself, over a wire that does what wires do. */
#include "frame.h"
#include "wire.h"
#include <lib/net/random.h>
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

TEST(net_connection_refused_where_nobody_listens)
{
	struct net_endpoint to = wire_at(2, 81);
	struct net_socket *s;

	wire_open4();
	CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
	wire_settle(2);
	CHECK(near.socket_ready(s) == (NET_READABLE | NET_FAILED));
	CHECK(near.socket_error(s) == NET_REFUSED);
	near.socket_close(s);
}

TEST(net_connection_times_out_where_nobody_answers)
{
	struct net_endpoint to = wire_at(2, 80), there = wire_at(3, 80);
	struct net_socket *s, *t;

	wire_open4();
	wire.cut = true;
	CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
	CHECK(near.tcp_connect(near.net, NULL, &there, &t) == NET_OK);
	wire_settle(60);
	CHECK(near.socket_error(s) == NET_TIMEOUT);
	CHECK(near.socket_error(t) == NET_TIMEOUT);
	near.socket_close(s);
	near.socket_close(t);
}

/* What was received before the break is still there. */
TEST(net_connection_closed_with_unread_bytes_is_reset)
{
	struct net_socket *here, *there;
	size_t length = 5;
	char bytes[8];

	wire_open4();
	connect_both(&here, &there);
	CHECK(here != NULL && there != NULL);
	CHECK(near.tcp_send(here, "hello", &length) == NET_OK && length == 5);
	CHECK(far.tcp_send(there, "hallo", &length) == NET_OK && length == 5);
	wire_settle(1);
	far.socket_close(there);
	wire_settle(1);
	CHECK(near.socket_error(here) == NET_RESET);
	length = sizeof(bytes);
	CHECK(near.tcp_receive(here, bytes, &length) == NET_OK && length == 5);
	CHECK(memcmp(bytes, "hallo", 5) == 0);
	length = sizeof(bytes);
	CHECK(near.tcp_receive(here, bytes, &length) == NET_RESET);
	length = 1;
	CHECK(near.tcp_send(here, "x", &length) == NET_RESET);
	near.socket_close(here);
}

/* Both have said that they send no more: what lwIP frees in its own time is not asked again. */
TEST(net_connection_finished_by_both_can_be_read_and_closed_late)
{
	struct net_socket *here, *there;
	size_t length = 3;
	char bytes[8];
	struct net_endpoint a, b;

	wire_open4();
	connect_both(&here, &there);
	CHECK(here != NULL && there != NULL);
	CHECK(far.tcp_send(there, "end", &length) == NET_OK);
	CHECK(far.tcp_finish(there) == NET_OK && far.tcp_finish(there) == NET_BAD);
	wire_settle(1);
	CHECK(near.tcp_finish(here) == NET_OK);
	wire_settle(200); /* both ends are gone from lwIP */
	length = sizeof(bytes);
	CHECK(near.tcp_receive(here, bytes, &length) == NET_OK && length == 3);
	length = sizeof(bytes);
	CHECK(near.tcp_receive(here, bytes, &length) == NET_CLOSED);
	length = 1;
	CHECK(near.tcp_send(here, "x", &length) == NET_BAD);
	CHECK(near.tcp_no_delay(here, true) == NET_BAD);
	CHECK((near.socket_ready(here) & NET_WRITABLE) == 0);
	near.socket_ends(here, &a, &b);
	length = sizeof(bytes);
	CHECK(far.tcp_receive(there, bytes, &length) == NET_CLOSED);
	near.socket_close(here);
	far.socket_close(there);
}

TEST(net_receiver_that_does_not_read_stops_the_sender)
{
	struct net_socket *here, *there;
	static uint8_t much[1 << 20];
	size_t sent = 0, length, came = 0;

	wire_open4();
	connect_both(&here, &there);
	CHECK(here != NULL && there != NULL);
	for (unsigned i = 0; i < 100; i++) {
		length = sizeof(much) - sent;
		if (near.tcp_send(here, much, &length) == NET_OK)
			sent += length;
		wire_settle(1);
	}
	CHECK(sent > 256 * 1024 && sent <= 600 * 1024);
	CHECK((near.socket_ready(here) & NET_WRITABLE) == 0);
	for (unsigned i = 0; i < 1000 && came < sent; i++) {
		length = sizeof(much);
		if (far.tcp_receive(there, much, &length) == NET_OK)
			came += length;
		wire_settle(1);
	}
	CHECK(came == sent);
}

TEST(net_listener_takes_no_more_than_its_backlog)
{
	struct net_endpoint any = { .port = 80 }, to = wire_at(2, 80);
	struct net_socket *listener, *s[8], *t;
	unsigned connected = 0, accepted = 0;
	struct net_state state;

	wire_open4();
	CHECK(far.tcp_listen(far.net, &any, 3, &listener) == NET_OK);
	CHECK(far.tcp_listen(far.net, &any, 3, &t) == NET_IN_USE);
	for (unsigned i = 0; i < 8; i++)
		CHECK(near.tcp_connect(near.net, NULL, &to, &s[i]) == NET_OK);
	wire_settle(60);
	for (unsigned i = 0; i < 8; i++)
		connected += (near.socket_ready(s[i]) & NET_WRITABLE) != 0;
	CHECK(connected == 3);
	for (unsigned i = 0; i < 8; i++)
		near.socket_close(s[i]);
	while (far.tcp_accept(listener, &t) == NET_OK) {
		accepted++;
		far.socket_close(t);
	}
	CHECK(accepted == 3);
	far.socket_close(listener);
	far.state(far.net, &state);
	CHECK(state.sockets == 0);
}

static uint8_t segment[NET_FRAME_MAX]; /* the last one of TCP that near sent */
static size_t segment_length;

static bool keep_segment(struct stack *from, const uint8_t *frame, size_t length)
{
	if (from == &near && length > FRAME_TCP_FLAGS && frame[FRAME_PROTOCOL] == 6) {
		memcpy(segment, frame, length);
		segment_length = length;
	}
	return false;
}

/* Whoever connects and breaks at once leaves nothing behind. */
TEST(net_broken_connection_does_not_wait_to_be_accepted)
{
	struct net_endpoint any = { .port = 80 }, to = wire_at(2, 80);
	struct net_socket *listener, *s;
	struct net_state state;

	wire_open4();
	wire.watch = keep_segment;
	CHECK(far.tcp_listen(far.net, &any, 3, &listener) == NET_OK);
	for (unsigned i = 0; i < 20; i++) {
		CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
		wire_settle(1);
		CHECK((near.socket_ready(s) & NET_WRITABLE) != 0);
		far.state(far.net, &state);
		CHECK(state.sockets == 2);
		segment[FRAME_TCP_FLAGS] = 0x14; /* RST, ACK: the next byte that is expected */
		frame_mend(segment, segment_length);
		far.input(far.net, segment, segment_length);
		far.state(far.net, &state);
		CHECK(state.sockets == 1);
		near.socket_close(s);
	}
	CHECK(far.tcp_accept(listener, &s) == NET_AGAIN);
	far.socket_close(listener);
}

TEST(net_datagrams_keep_their_bounds_and_senders)
{
	struct net_endpoint port = { .port = 53 }, any = { 0 }, to = wire_at(2, 53), from;
	struct net_socket *server, *client;
	static uint8_t big[9000], got[9000];
	size_t length = sizeof(got);

	wire_open4();
	CHECK(far.udp_bind(far.net, &port, &server) == NET_OK);
	CHECK(near.udp_bind(near.net, &any, &client) == NET_OK);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = pattern(i, 7);
	CHECK(near.udp_send(client, &to, "one", 3) == NET_OK);
	wire_settle(1);
	CHECK(near.udp_send(client, &to, big, sizeof(big)) == NET_OK); /* in fragments */
	CHECK(near.udp_send(client, &to, "", 0) == NET_OK);
	wire_settle(1);
	CHECK(far.udp_receive(server, &from, got, &length) == NET_OK && length == 3);
	CHECK(from.address.family == 4 && from.address.bytes[3] == 1 && from.port >= 49152);
	length = sizeof(got);
	CHECK(far.udp_receive(server, &from, got, &length) == NET_OK && length == sizeof(big));
	CHECK(memcmp(big, got, sizeof(big)) == 0);
	length = sizeof(got);
	CHECK(far.udp_receive(server, &from, got, &length) == NET_OK && length == 0);
	CHECK(far.udp_receive(server, &from, got, &length) == NET_AGAIN);
	CHECK(near.udp_send(client, &to, big, 65508) == NET_BAD);
	for (unsigned i = 0; i < 2000; i++) {
		near.udp_send(client, &to, big, 1000);
		if (i % 10 == 0)
			wire_settle(1);
	}
	struct net_state state;
	far.state(far.net, &state);
	CHECK(state.bytes < 400 * 1024);
}

TEST(net_loopback_stays_inside)
{
	struct net_endpoint any = { .port = 80 }, to = { { 4, { 127, 0, 0, 1 } }, 80 };
	struct net_endpoint to6 = { { 6, { [15] = 1 } }, 80 };
	struct net_socket *listener, *s[2], *t;
	size_t length;
	char bytes[8];

	wire_open4();
	wire_settle(30);
	unsigned before = wire.frames;
	CHECK(near.tcp_listen(near.net, &any, 4, &listener) == NET_OK);
	CHECK(near.tcp_connect(near.net, NULL, &to, &s[0]) == NET_OK);
	CHECK(near.tcp_connect(near.net, NULL, &to6, &s[1]) == NET_OK);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(near.tcp_accept(listener, &t) == NET_OK);
		length = 2;
		CHECK(near.tcp_send(s[i], "hi", &length) == NET_OK && length == 2);
		length = sizeof(bytes);
		CHECK(near.tcp_receive(t, bytes, &length) == NET_OK && length == 2);
	}
	CHECK(wire.frames == before);
}

TEST(net_ipv6_finds_its_neighbour)
{
	struct net_endpoint any = { .port = 80 }, to = { .port = 80 };
	struct net_socket *listener, *s, *t = NULL;
	struct net_state state;
	struct net_address mine = { 6, { 0xfd, [15] = 1 } }, yours = { 6, { 0xfd, [15] = 2 } };

	wire_open();
	CHECK(near.address_set(near.net, &mine, 64, NULL) == NET_OK);
	CHECK(far.address_set(far.net, &yours, 64, NULL) == NET_OK);
	wire_settle(60);
	far.state(far.net, &state);
	CHECK(state.address6[0].bytes[0] == 0xfe && state.address6[1].bytes[15] == 2);
	CHECK(far.tcp_listen(far.net, &any, 4, &listener) == NET_OK);
	for (unsigned i = 0; i < 2; i++) {
		to.address = state.address6[i];
		CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
		wire_settle(2);
		CHECK((near.socket_ready(s) & NET_WRITABLE) != 0);
		CHECK(far.tcp_accept(listener, &t) == NET_OK);
	}
}

/* With a connection that stands and names that were learnt, nothing is due; the clock may jump. */
TEST(net_idle_stack_arms_no_timer)
{
	struct net_socket *here, *there;
	struct net_endpoint any = { .port = 9 };
	struct net_socket *u;
	struct net_state state;
	size_t length = 4;
	char bytes[8];

	wire_open4();
	CHECK(near.udp_bind(near.net, &any, &u) == NET_OK);
	connect_both(&here, &there);
	CHECK(here != NULL && there != NULL);
	while (wire_step())
		CHECK(wire.now < 120 * SECONDS);
	CHECK(near.next_due(near.net) == NET_NEVER && far.next_due(far.net) == NET_NEVER);
	near.state(near.net, &state);
	CHECK(state.bytes < 8 * 1024);
	wire.now += 3 * 24 * 3600 * SECONDS;
	CHECK(near.tcp_send(here, "ping", &length) == NET_OK);
	wire_settle(1);
	length = sizeof(bytes);
	CHECK(far.tcp_receive(there, bytes, &length) == NET_OK && length == 4);
	near.socket_close(here);
	far.socket_close(there);
	while (wire_step())
		CHECK(wire.now < 4 * 24 * 3600 * SECONDS);
}

TEST(net_memory_comes_back)
{
	struct net_state before, after;
	uint64_t took;

	wire_open4();
	wire_settle(60);
	near.state(near.net, &before);
	transfer_both(1u << 20, 60, &took);
	while (wire_step())
		;
	near.state(near.net, &after);
	CHECK(after.bytes <= before.bytes + 256); /* what was learnt of the neighbour */
	CHECK(after.sockets == 0);
}

TEST(net_memory_has_one_bound)
{
	struct net_endpoint any = { 0 }, to = wire_at(2, 80);
	struct net_socket *s;
	struct net_state state;
	unsigned made = 0;
	enum net_error error;

	wire_config.bytes_max = 64 * 1024;
	wire_config.sockets_max = UINT32_MAX;
	wire_open4();
	while ((error = near.udp_bind(near.net, &any, &s)) == NET_OK)
		made++;
	CHECK(error == NET_NO_MEMORY && made > 50);
	CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_NO_MEMORY);
	wire_settle(10);
	near.state(near.net, &state);
	CHECK(state.bytes <= 64 * 1024);
}

TEST(net_sockets_have_a_bound)
{
	struct net_endpoint any = { 0 };
	struct net_socket *s;

	wire_config.sockets_max = 2;
	wire_open4();
	CHECK(near.udp_bind(near.net, &any, &s) == NET_OK);
	CHECK(near.udp_bind(near.net, &any, &s) == NET_OK);
	CHECK(near.udp_bind(near.net, &any, &s) == NET_NO_MEMORY);
	near.socket_close(s);
	CHECK(near.udp_bind(near.net, &any, &s) == NET_OK);
}

TEST(net_second_instance_is_refused)
{
	struct net *net;

	wire_open();
	CHECK(near.open(&wire_config, &net) == NET_IN_USE);
}

/* The example of the paper's appendix. */
TEST(net_random_numbers_are_siphash)
{
	uint8_t key[16], bytes[15];

	for (uint8_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	memcpy(bytes, key, sizeof(bytes));
	CHECK(net_siphash(key, bytes, sizeof(bytes)) == 0xa129ca6149be45e5);
}
