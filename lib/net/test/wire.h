/* SPDX-License-Identifier: MIT */
/* lib/net/test/wire.h - two instances of the stack, a wire between them that may lose, repeat and
 * reorder, and one clock that jumps from one event to the next: the same seed, the same run. */
#pragma once
#include <lib/net/net.h>

/* The functions of lib/net, of which the second instance has copies of its own. */
#define WIRE_CALLS(X)                                                                              \
	X(open)                                                                                    \
	X(input)                                                                                   \
	X(run)                                                                                     \
	X(next_due)                                                                                \
	X(link)                                                                                    \
	X(address_set)                                                                             \
	X(dhcp)                                                                                    \
	X(name_server)                                                                             \
	X(state)                                                                                   \
	X(resolve)                                                                                 \
	X(tcp_listen)                                                                              \
	X(tcp_accept)                                                                              \
	X(tcp_connect)                                                                             \
	X(tcp_send)                                                                                \
	X(tcp_receive)                                                                             \
	X(tcp_finish)                                                                              \
	X(tcp_no_delay)                                                                            \
	X(udp_bind)                                                                                \
	X(udp_send)                                                                                \
	X(udp_receive)                                                                             \
	X(socket_ready)                                                                            \
	X(socket_error)                                                                            \
	X(socket_ends)                                                                             \
	X(socket_close)

#define WIRE_MEMBER(name) __typeof__(net_##name) *name;
struct stack {
	WIRE_CALLS(WIRE_MEMBER)
	struct net *net;
	unsigned number;    /* 0 is near, 1 far */
	unsigned long told; /* times that a socket was said to be ready */
};

extern struct stack near, far;

struct wire {
	uint64_t now, delay;            /* nanoseconds */
	unsigned loss, twice, late;     /* of 1000 frames */
	bool cut;                       /* nothing arrives */
	unsigned frames;                /* that were sent */
	uint8_t last[2][NET_FRAME_MAX]; /* the last frame of each stack */
	size_t last_length[2];
	/* Sees each frame first; true: it is taken off the wire. Or NULL. */
	bool (*watch)(struct stack *from, const uint8_t *frame, size_t length);
};

extern struct wire wire;

/* What both are configured with, to change before wire_open. */
extern struct net_config wire_config;

/* Makes both instances, without IPv4 addresses. */
void wire_open(void);

/* The same, with 10.0.0.1 and 10.0.0.2 of 24 bits. */
void wire_open4(void);

/* Delivers the next frame or runs the next timer; false when there is none, ever. */
bool wire_step(void);

/* Puts a frame of the test's own on the wire. */
void wire_inject(struct stack *to, const void *frame, size_t length);

/* Does all that happens in the next `seconds`. */
void wire_settle(unsigned seconds);

/* 10.0.0.`last`, with a port. */
struct net_endpoint wire_at(uint8_t last, uint16_t port);

/* The next of the pseudo-random numbers of this run. */
uint32_t wire_random(void);
