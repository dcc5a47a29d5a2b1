/* SPDX-License-Identifier: MIT */
/* Frames that nobody who means well sends. */
#include "frame.h"
#include "wire.h"
#include <string.h>
#include <test/test.h>

#define TCP  6
#define ICMP 1
#define UDP  17

static size_t echo_request(uint8_t *frame, unsigned from, unsigned to)
{
	size_t length = frame_begin(frame, from, to, ICMP, 40);

	frame[FRAME_BODY] = 8;
	frame_mend(frame, length);
	return length;
}

/* What far sends when it gets this. */
static unsigned answers(const uint8_t *frame, size_t length)
{
	unsigned before = wire.frames;

	wire.cut = true;
	far.input(far.net, frame, length);
	wire.cut = false;
	return wire.frames - before;
}

static uint64_t refused(void)
{
	struct net_state state;

	far.state(far.net, &state);
	return state.frames_refused;
}

static void begin(void)
{
	struct net_endpoint any = { 0 }, to = wire_at(1, 9);
	struct net_socket *s;

	wire_open4();
	wire_settle(60);
	/* Both know the other's MAC address. */
	CHECK(far.udp_bind(far.net, &any, &s) == NET_OK);
	CHECK(far.udp_send(s, &to, "", 0) == NET_OK);
	wire_settle(1);
	far.socket_close(s);
}

TEST(net_echo_is_answered)
{
	uint8_t frame[NET_FRAME_MAX];

	begin();
	size_t length = echo_request(frame, 1, 2);
	CHECK(answers(frame, length) == 1);
	CHECK(wire.last_length[1] == length && wire.last[1][FRAME_BODY] == 0);
	frame[FRAME_BODY + 2] ^= 1; /* its checksum */
	CHECK(answers(frame, length) == 0);
	length = echo_request(frame, 1, 255);
	memset(frame, 0xff, 6);
	CHECK(answers(frame, length) == 0);
}

static unsigned answers_from(const uint8_t from[4], const uint8_t to[4])
{
	uint8_t frame[NET_FRAME_MAX];
	size_t length = echo_request(frame, 1, 2);

	memcpy(frame + FRAME_FROM, from, 4);
	memcpy(frame + FRAME_TO, to, 4);
	frame_mend(frame, length);
	return answers(frame, length);
}

TEST(net_forged_addresses_are_refused)
{
	static const uint8_t own[4] = { 10, 0, 0, 2 }, inside[4] = { 127, 0, 0, 1 };
	static const uint8_t other[4] = { 10, 0, 0, 1 }, group[4] = { 224, 0, 0, 1 };
	static const uint8_t all[4] = { 10, 0, 0, 255 };

	begin();
	uint64_t before = refused();
	CHECK(answers_from(other, own) == 1 && refused() == before);
	CHECK(answers_from(own, own) == 0 && refused() == before + 1);
	CHECK(answers_from(inside, own) == 0 && refused() == before + 2);
	CHECK(answers_from(other, inside) == 0 && refused() == before + 3);
	CHECK(answers_from(group, own) == 0);
	CHECK(answers_from(all, own) == 0);
}

/* An IPv6 packet that needs no answer but is looked at: no next header, to all nodes. */
static bool refused6(const uint8_t from[16])
{
	uint8_t frame[FRAME_IP + 40] = {
		0x33, 0x33, [5] = 1, [6] = 2, [11] = 1, [12] = 0x86, 0xdd, 0x60
	};
	uint64_t before = refused();

	frame[FRAME_IP + 6] = 59;
	frame[FRAME_IP + 7] = 255;
	memcpy(frame + FRAME_IP + 8, from, 16);
	memcpy(frame + FRAME_IP + 24, (uint8_t[16]){ 0xff, 2, [15] = 1 }, 16);
	far.input(far.net, frame, sizeof(frame));
	return refused() > before;
}

TEST(net_forged_ipv6_addresses_are_refused)
{
	struct net_state state;

	begin();
	far.state(far.net, &state);
	CHECK(state.address6[0].family == 6);
	CHECK(!refused6((uint8_t[16]){ 0xfe, 0x80, [15] = 9 }));
	CHECK(refused6(state.address6[0].bytes));
	CHECK(refused6((uint8_t[16]){ [15] = 1 }));
	CHECK(refused6((uint8_t[16]){ [10] = 0xff, 0xff, 10, 0, 0, 2 }));
}

TEST(net_frames_of_a_wrong_length_are_refused)
{
	uint8_t frame[NET_FRAME_MAX + 100];
	uint64_t before;

	begin();
	before = refused();
	size_t length = echo_request(frame, 1, 2);
	for (size_t i = 0; i < 34; i++)
		CHECK(answers(frame, i) == 0);
	CHECK(refused() == before + 34);
	for (size_t i = 34; i < length; i++)
		CHECK(answers(frame, i) == 0);
	frame_begin(frame, 1, 2, ICMP, NET_FRAME_MAX + 1 - FRAME_BODY);
	frame[FRAME_BODY] = 8;
	frame_mend(frame, NET_FRAME_MAX + 1);
	CHECK(answers(frame, NET_FRAME_MAX + 1) == 0);
}

TEST(net_arp_that_is_cut_is_refused)
{
	uint8_t frame[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0,         0, 0, 1,
			      8,    6,    0,    1,    8,    0,    6, 4, 0,         1, 2, 0,
			      0,    0,    0,    1,    10,   0,    0, 1, [38] = 10, 0, 0, 2 };

	begin();
	CHECK(answers(frame, sizeof(frame)) == 1);
	for (size_t i = 14; i < sizeof(frame); i++) {
		uint64_t before = refused();
		CHECK(answers(frame, i) == 0 && refused() == before + 1);
	}
}

/* First fragments of datagrams that never end. */
TEST(net_fragments_without_end_are_forgotten)
{
	uint8_t frame[NET_FRAME_MAX];
	struct net_state state;
	size_t before, most = 0;

	begin();
	far.state(far.net, &state);
	before = state.bytes;
	for (unsigned i = 0; i < 3000; i++) {
		size_t length = frame_begin(frame, 1 + 7 * (i % 9), 2, UDP, 1400);
		frame_put16(frame + FRAME_IP + 4, i / 3);
		frame_put16(frame + FRAME_FRAGMENT, 0x2000 | (i % 3 * 100)); /* they overlap, too */
		frame_mend(frame, length);
		far.input(far.net, frame, length);
		far.state(far.net, &state);
		most = state.bytes > most ? state.bytes : most;
	}
	CHECK(most > before + 10000 && most < before + 200 * 1024);
	wire.cut = true;
	wire_settle(60);
	far.state(far.net, &state);
	CHECK(state.bytes <= before + 256);
}

TEST(net_flood_of_beginnings_passes)
{
	struct net_endpoint any = { .port = 80 }, to = wire_at(2, 80);
	uint8_t frame[NET_FRAME_MAX];
	struct net_socket *listener, *s;
	struct net_state state;

	begin();
	CHECK(far.tcp_listen(far.net, &any, 32, &listener) == NET_OK);
	for (unsigned i = 0; i < 5000; i++) {
		size_t length = frame_begin(frame, 3 + i % 250, 2, TCP, 20);
		frame_put16(frame + FRAME_BODY, 1000 + i);
		frame_put16(frame + FRAME_BODY + 2, 80);
		frame[FRAME_BODY + 12] = 0x50;
		frame[FRAME_TCP_FLAGS] = 2;
		frame_mend(frame, length);
		far.input(far.net, frame, length);
	}
	far.state(far.net, &state);
	CHECK(state.bytes < 128 * 1024 && state.sockets == 1);
	wire_settle(60);
	CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
	wire_settle(5);
	CHECK((near.socket_ready(s) & NET_WRITABLE) != 0);
	near.socket_close(s);
}

/* --- A corpus made from what the stacks themselves say to each other --- */

#define KEPT_MAX 256u

static struct {
	size_t length;
	uint8_t bytes[NET_FRAME_MAX];
} kept[KEPT_MAX];
static unsigned kept_count;

static bool keep(struct stack *from, const uint8_t *frame, size_t length)
{
	if (from == &near && kept_count < KEPT_MAX) {
		kept[kept_count].length = length;
		memcpy(kept[kept_count++].bytes, frame, length);
	}
	return false;
}

static void talk(struct net_socket *listener)
{
	struct net_endpoint any = { 0 }, to = wire_at(2, 80);
	struct net_socket *s, *u, *t;
	static uint8_t bytes[6000];
	size_t length = sizeof(bytes);

	CHECK(near.tcp_connect(near.net, NULL, &to, &s) == NET_OK);
	CHECK(near.udp_bind(near.net, &any, &u) == NET_OK);
	CHECK(near.udp_send(u, &to, bytes, 4000) == NET_OK);
	CHECK(near.name_server(near.net, 0, &to.address) == NET_OK);
	wire_settle(1);
	CHECK(far.tcp_accept(listener, &t) == NET_OK);
	CHECK(near.tcp_send(s, bytes, &length) == NET_OK);
	wire_settle(1);
	length = sizeof(bytes);
	CHECK(far.tcp_receive(t, bytes, &length) == NET_OK && length == sizeof(bytes));
	far.socket_close(t);
	near.socket_close(s);
	near.socket_close(u);
}

static void spoil(uint8_t *frame, size_t *length)
{
	for (unsigned n = wire_random() % 6; n > 0; n--) {
		size_t at = wire_random() % (*length < 90 || n % 2 == 0 ? *length : 90);
		switch (wire_random() % 4) {
		case 0:
			frame[at] ^= (uint8_t)(1u << wire_random() % 8);
			break;
		case 1:
			frame[at] = 0;
			break;
		case 2:
			frame[at] = 0xff;
			break;
		default:
			frame[at] = (uint8_t)wire_random();
		}
	}
	if (wire_random() % 4 == 0)
		*length = 1 + wire_random() % *length;
	if (wire_random() % 8 != 0 && frame_get16(frame + FRAME_TYPE) == 0x800)
		frame_mend(frame, *length);
}

TEST(net_spoilt_frames_change_nothing_for_others)
{
	struct net_endpoint any = { .port = 80 };
	struct net_socket *listener, *t;
	uint8_t frame[NET_FRAME_MAX];
	struct net_state state;

	wire.watch = keep;
	begin();
	CHECK(far.tcp_listen(far.net, &any, 64, &listener) == NET_OK);
	talk(listener);
	wire.watch = NULL;
	CHECK(kept_count > 12);
	for (uint64_t i = 0; i < test_rounds(30000); i++) {
		unsigned which = wire_random() % kept_count;
		size_t length = kept[which].length;
		memcpy(frame, kept[which].bytes, length);
		spoil(frame, &length);
		far.input(far.net, frame, length);
		if (i % 100 == 0)
			wire_settle(1);
		while (far.tcp_accept(listener, &t) == NET_OK)
			far.socket_close(t);
	}
	wire_settle(1200); /* what was learnt wrong of the neighbour is forgotten */
	wire.now += 1200 * UINT64_C(1000000000);
	talk(listener);
	wire_settle(120);
	far.state(far.net, &state);
	CHECK(state.bytes < 64 * 1024 && state.sockets == 1);
}
