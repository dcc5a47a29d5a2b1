/* SPDX-License-Identifier: MIT */
/* The stack as a client of DHCP and DNS: the servers are played here. */
#include "frame.h"
#include "wire.h"
#include <string.h>
#include <test/test.h>

#define SECONDS    UINT64_C(1000000000)
#define DHCP_BYTES 300u
#define LEASE      3600u /* seconds */
#define OPTIONS    240u  /* where they begin in a message */

static unsigned discovers, requests;
static uint8_t offered = 77; /* 10.0.0.77 */
static bool silent, lying;   /* the server; lying: its answers belong to no question */

static uint8_t *option(uint8_t *at, uint8_t code, uint8_t length, const void *value)
{
	at[0] = code;
	at[1] = length;
	memcpy(at + 2, value, length);
	return at + 2 + length;
}

static void dhcp_answer(const uint8_t *question, uint8_t kind)
{
	uint8_t frame[NET_FRAME_MAX];
	size_t length = frame_begin(frame, 254, 255, 17, 8 + DHCP_BYTES);
	uint8_t *udp = frame + FRAME_BODY, *m = frame + FRAME_UDP_DATA,
		server[4] = { 10, 0, 0, 254 };

	memset(frame, 0xff, 6);
	memset(frame + FRAME_TO, 0xff, 4);
	frame_put16(udp, 67);
	frame_put16(udp + 2, 68);
	frame_put16(udp + 4, 8 + DHCP_BYTES);
	m[0] = 2;
	m[1] = 1;
	m[2] = 6;
	memcpy(m + 4, question + 4, 4);
	m[4] ^= lying;
	memcpy(m + 16, (uint8_t[]){ 10, 0, 0, offered }, 4);
	memcpy(m + 28, question + 28, 16);
	memcpy(m + 236, (uint8_t[]){ 0x63, 0x82, 0x53, 0x63 }, 4);
	uint8_t *at = option(m + OPTIONS, 53, 1, &kind);
	at = option(at, 54, 4, server);
	at = option(at, 51, 4, (uint8_t[]){ 0, 0, LEASE >> 8, LEASE & 255 });
	at = option(at, 1, 4, (uint8_t[]){ 255, 255, 255, 0 });
	at = option(at, 3, 4, server);
	at = option(at, 6, 4, (uint8_t[]){ 10, 0, 0, 2 });
	*at = 255;
	frame_mend(frame, length);
	wire_inject(&near, frame, length);
}

/* The server's MAC address, for when it is asked alone. */
static void arp_answer(void)
{
	static const uint8_t frame[42] = { 2,  0, 0, 0,   0, 1, 2, 0, 0, 0, 0,  254, 8, 6,
					   0,  1, 8, 0,   6, 4, 0, 2, 2, 0, 0,  0,   0, 254,
					   10, 0, 0, 254, 2, 0, 0, 0, 0, 1, 10, 0,   0, 77 };

	wire_inject(&near, frame, sizeof(frame));
}

static bool dhcp_serve(struct stack *from, const uint8_t *frame, size_t length)
{
	const uint8_t *m = frame + FRAME_UDP_DATA;

	if (from == &near && length >= 42 && frame_get16(frame + FRAME_TYPE) == 0x806 &&
	    frame[41] == 254)
		arp_answer();
	if (from != &near || length < FRAME_UDP_DATA + OPTIONS + 3 ||
	    frame_get16(frame + FRAME_TYPE) != 0x800 || frame[FRAME_PROTOCOL] != 17 ||
	    frame_get16(frame + FRAME_BODY + 2) != 67)
		return false;
	uint8_t kind = m[OPTIONS + 2]; /* lwIP writes it first */
	discovers += kind == 1;
	requests += kind == 3;
	if (!silent && (kind == 1 || kind == 3))
		dhcp_answer(m, kind == 1 ? 2 : 5);
	return true;
}

TEST(net_dhcp_gets_and_keeps_an_address)
{
	struct net_state state;

	wire_open();
	wire.watch = dhcp_serve;
	CHECK(near.dhcp(near.net) == NET_OK);
	wire_settle(60);
	near.state(near.net, &state);
	CHECK(state.address.family == 4 && state.address.bytes[3] == 77 && state.prefix == 24);
	CHECK(state.gateway.bytes[3] == 254 && state.server[0].bytes[3] == 2);
	CHECK(discovers == 1 && requests == 1);
	/* All that is due now is to ask again, half through the lease. */
	uint64_t due = near.next_due(near.net);
	CHECK(due > wire.now + LEASE / 3 * SECONDS && due < wire.now + LEASE / 2 * SECONDS);
	wire_settle(10 * LEASE);
	near.state(near.net, &state);
	CHECK(state.address.bytes[3] == 77);
	CHECK(discovers == 1 && requests > 10 && requests < 40);
	silent = true;
	wire_settle(2 * LEASE);
	near.state(near.net, &state);
	CHECK(state.address.family == 0 && discovers > 3);
}

TEST(net_dhcp_believes_only_answers_to_its_questions)
{
	struct net_state state;

	wire_open();
	wire.watch = dhcp_serve;
	lying = true;
	CHECK(near.dhcp(near.net) == NET_OK);
	wire_settle(60);
	near.state(near.net, &state);
	CHECK(state.address.family == 0 && requests == 0 && discovers > 2);
}

/* --- Names --- */

struct answer {
	unsigned count;
	enum net_error error;
	struct net_address address;
};

static void resolved(void *argument, enum net_error error, const struct net_address *address)
{
	struct answer *answer = argument;

	answer->count++;
	answer->error = error;
	if (address != NULL)
		answer->address = *address;
}

static struct net_socket *name_server;
static unsigned questions, first_ids[2];

/* Answers what has come to far's port 53: 10.1.2.3 for names that begin with 'a', none for others;
 * `forged`: with a wrong number first. */
static void dns_serve(bool forged)
{
	uint8_t m[512];
	struct net_endpoint from;
	size_t length = sizeof(m) - 16;

	while (far.udp_receive(name_server, &from, m, &length) == NET_OK) {
		if (questions < 2)
			first_ids[questions] = frame_get16(m);
		questions++;
		bool known = m[13] == 'a';
		m[2] = 0x81;
		m[3] = known ? 0x80 : 0x83;
		m[7] = known;
		memcpy(m + length,
		       (uint8_t[]){ 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3 }, 16);
		if (forged) {
			m[0] ^= 1;
			m[length + 15] = 66;
			far.udp_send(name_server, &from, m, length + 16);
			return;
		}
		far.udp_send(name_server, &from, m, length + (known ? 16 : 0));
		length = sizeof(m) - 16;
	}
}

static void dns_open(void)
{
	struct net_endpoint port = { .port = 53 }, server = wire_at(2, 53);

	wire_open4();
	CHECK(far.udp_bind(far.net, &port, &name_server) == NET_OK);
	CHECK(near.name_server(near.net, 0, &server.address) == NET_OK);
	CHECK(near.name_server(near.net, 2, &server.address) == NET_BAD);
}

static void dns_wait(struct answer *answer, bool forged, unsigned seconds)
{
	uint64_t end = wire.now + seconds * SECONDS;

	while (answer->count == 0 && wire.now < end && wire_step())
		dns_serve(forged);
}

TEST(net_names_are_resolved)
{
	struct answer known = { 0 }, again = { 0 }, unknown = { 0 }, figures = { 0 };

	dns_open();
	CHECK(near.resolve(near.net, "a.example", resolved, &known) == NET_OK);
	dns_wait(&known, false, 30);
	CHECK(known.count == 1 && known.error == NET_OK);
	CHECK(memcmp(known.address.bytes, (uint8_t[]){ 10, 1, 2, 3 }, 4) == 0);
	CHECK(near.resolve(near.net, "a.example", resolved, &again) == NET_OK);
	CHECK(again.count == 1 && again.error == NET_OK && questions == 1);
	CHECK(near.resolve(near.net, "192.0.2.7", resolved, &figures) == NET_OK);
	CHECK(figures.count == 1 && figures.address.bytes[0] == 192);
	CHECK(near.resolve(near.net, "b.example", resolved, &unknown) == NET_OK);
	dns_wait(&unknown, false, 60);
	CHECK(unknown.count == 1 && unknown.error == NET_NOT_FOUND);
	CHECK(first_ids[0] != first_ids[1]);
	CHECK(near.resolve(near.net, "", resolved, &known) == NET_BAD);
	while (wire_step())
		;
	wire.now += 61 * SECONDS; /* the answer was to be kept for a minute */
	again.count = 0;
	CHECK(near.resolve(near.net, "a.example", resolved, &again) == NET_OK);
	CHECK(again.count == 0);
	dns_wait(&again, false, 30);
	CHECK(again.count == 1);
}

TEST(net_names_are_not_believed_with_a_wrong_number)
{
	struct answer answer = { 0 };

	dns_open();
	CHECK(near.resolve(near.net, "a.example", resolved, &answer) == NET_OK);
	dns_wait(&answer, true, 120);
	CHECK(answer.count == 1 && answer.error == NET_NOT_FOUND);
}
