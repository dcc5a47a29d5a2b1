/* SPDX-License-Identifier: MIT */
/* Frames for a stack that listens: an input is a row of them, each behind its length (16 bits),
 * with the clock moving on by the length's top bits. Sums are not looked at, or few would pass. */
#include <lib/net/net.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LENGTH   0x7ffu
#define REST_MAX 4096u /* bytes: the sockets that it was begun with */

static uint64_t now;
static struct net *net;
static struct net_socket *listener, *datagrams, *client;

static uint64_t clock_now(void *context)
{
	(void)context;
	return now;
}

static void frame_sent(void *context, const void *frame, size_t length)
{
	(void)context;
	(void)frame;
	if (length > NET_FRAME_MAX)
		abort();
}

static void resolved(void *argument, enum net_error error, const struct net_address *address)
{
	(void)argument;
	(void)error;
	(void)address;
}

static void begin(void)
{
	static const struct net_config config = {
		.seed = { 1 },
		.mac = { 2, [5] = 2 },
		.mtu = 1500,
		.checked_below = true,
		.sockets_max = 64,
		.bytes_max = 1 << 20,
		.clock = clock_now,
		.send = frame_sent,
	};
	static const struct net_endpoint port = { .port = 80 }, any = { 0 };
	static const struct net_address own = { 4, { 10, 0, 0, 2 } },
					server = { 4, { 10, 0, 0, 1 } };
	static const struct net_endpoint peer = { { 4, { 10, 0, 0, 1 } }, 80 };

	if (net_open(&config, &net) != NET_OK || net_address_set(net, &own, 24, NULL) != NET_OK ||
	    net_name_server(net, 0, &server) != NET_OK ||
	    net_tcp_listen(net, &port, 8, &listener) != NET_OK ||
	    net_udp_bind(net, &port, &datagrams) != NET_OK ||
	    net_tcp_connect(net, &any, &peer, &client) != NET_OK ||
	    net_resolve(net, "a.example", resolved, NULL) != NET_OK)
		abort();
}

static void serve(void)
{
	struct net_socket *s;
	struct net_endpoint from;
	uint8_t bytes[2048];
	size_t length = sizeof(bytes);

	while (net_tcp_accept(listener, &s) == NET_OK) {
		if (net_tcp_receive(s, bytes, &length) == NET_OK)
			net_tcp_send(s, bytes, &length);
		net_socket_close(s);
	}
	length = sizeof(bytes);
	while (net_udp_receive(datagrams, &from, bytes, &length) == NET_OK)
		length = sizeof(bytes);
}

/* Left alone for long enough, the stack has given back what the frames made it take. */
static void check_at_rest(void)
{
	struct net_state state;

	for (unsigned second = 0; second < 300; second++) {
		now += 1000000000;
		net_run(net);
		serve();
	}
	net_state(net, &state);
	if (state.bytes > REST_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned inputs;
	struct net_state state;

	if (net == NULL)
		begin();
	while (size >= 2) {
		unsigned head = (unsigned)data[0] << 8 | data[1];
		size_t length = head & LENGTH;
		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		now += (uint64_t)(head >> 11) * 100000000;
		net_input(net, data, length);
		serve();
		data += length;
		size -= length;
	}
	net_state(net, &state);
	if (state.bytes > 1 << 20)
		abort();
	if (++inputs % 256 == 0)
		check_at_rest();
	return 0;
}
