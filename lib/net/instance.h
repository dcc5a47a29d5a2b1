/* SPDX-License-Identifier: MIT */
/* lib/net/instance.h - what the files of lib/net share. */
#pragma once
#include "net.h"
#include <lwip/ip_addr.h>
#include <lwip/netif.h>

struct net {
	struct net_config config;
	struct netif netif;
	uint64_t frames_in, frames_out, frames_refused;
	uint32_t sockets;
	unsigned lookups; /* under way */
	unsigned depth; /* of calls from outside: loopback is served at the end of the outermost */

	/* timer.c; all by the clock, in nanoseconds */
	uint64_t tcp_tick, second_tick, dhcp_tick, lease_tick; /* when each was last */
	uint64_t busy_until; /* no second passes unnoticed before that */
	bool in_second;      /* what is sent now keeps nothing busy */
};

enum socket_kind { SOCKET_LISTENER, SOCKET_STREAM, SOCKET_DATAGRAM };

struct datagram {
	struct datagram *next;
	struct net_endpoint from;
	size_t length;
	uint8_t bytes[];
};

struct net_socket {
	struct net *net;
	void *tag;
	enum socket_kind kind;
	enum net_error error;
	union {
		struct tcp_pcb *tcp; /* NULL when lwIP has let go of it */
		struct udp_pcb *udp;
	};
	/* stream */
	bool connected, peer_finished, finished;
	uint8_t *bytes; /* a ring of `size` bytes, of which `used` from `first` on are received */
	size_t size, first, used;
	/* listener: connections that wait; such a connection: its listener, and the next one */
	struct net_socket *waiting, *listener, *next;
	/* datagrams, the oldest first */
	struct datagram *oldest, *newest;
	size_t queued; /* bytes of memory */
};

/* The instance; NULL before net_open. lwIP's calls of the clock and for random numbers name none.
 */
extern struct net *net_instance;

/* The clock. */
uint64_t net_clock(const struct net *net);

/* Around what every call from outside does: time is made good before, loopback is served behind. */
void net_enter(struct net *net);
void net_leave(struct net *net);

/* Something came or was sent, after which lwIP may have seconds to count. */
void net_busy(struct net *net);

/* Sets up the clocks of an instance at its beginning. */
void net_timer_init(struct net *net);

/* Runs what has come due, and makes good for time in which nothing was to be done. */
void net_timer_run(struct net *net);

/* Starts to count for DHCP. */
void net_timer_dhcp(struct net *net);

/* Between our addresses and lwIP's. False, with nothing changed, for a family that there is not. */
bool net_address_to(const struct net_address *from, ip_addr_t *to);
void net_address_from(const ip_addr_t *from, struct net_address *to);

/* Our error for one of lwIP's. */
enum net_error net_error_of(err_t error);

/* A socket without anything in it, counted; NULL beyond the bounds. */
struct net_socket *net_socket_new(struct net *net, enum socket_kind kind);
void net_socket_free(struct net_socket *socket);

/* Tells the owner. */
void net_socket_tell(struct net_socket *socket);

/* What the kinds of sockets do when they are closed and asked. */
void net_stream_close(struct net_socket *socket);
void net_datagram_close(struct net_socket *socket);
unsigned net_stream_ready(const struct net_socket *socket);

/* Binds to a random port of 49152 to 65535 if `port` is 0: `bind` is called until one is free. */
enum net_error net_bind(void *pcb, const struct net_endpoint *local,
			err_t (*bind)(void *pcb, const ip_addr_t *address, uint16_t port));
