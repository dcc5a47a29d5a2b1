/* SPDX-License-Identifier: MIT */
/* lib/net/net.h - an IP stack for one process: frames below, sockets above.
 *
 * There is one instance in a process, and one thread at a time calls it. It calls back from
 * within any of these functions: a callback notes what it is told and returns, without calling
 * any of them. Nothing waits: what can't be done yet is NET_AGAIN, and the socket is told of
 * as ready when it can. Frames, and what comes in them, are not trusted. All memory is taken when
 * needed and counts towards one bound; beyond it frames are dropped and calls fail.
 *
 * Time stands still but for the clock that is given. Who runs the stack calls net_run when
 * net_next_due has come, and asks again after each call of these functions; with no traffic
 * and nothing under way there is no such time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_FRAME_MAX   1514u /* bytes, with the Ethernet header, without a checksum */
#define NET_NAME_MAX    255u
#define NET_BACKLOG_MAX 255u
#define NET_NEVER       UINT64_MAX

struct net;
struct net_socket;

enum net_error {
	NET_OK,
	NET_AGAIN,     /* not now; the socket becomes ready */
	NET_CLOSED,    /* the other end has sent all that it will */
	NET_BAD,       /* an argument, or not for this kind of socket or its state */
	NET_NO_MEMORY, /* a bound is reached */
	NET_IN_USE,    /* the port, or the one instance */
	NET_NO_ROUTE,  /* no address of ours, or no way there */
	NET_REFUSED,   /* nobody listens there */
	NET_RESET,     /* the other end broke the connection */
	NET_TIMEOUT,   /* it does not answer */
	NET_NOT_FOUND, /* no such name */
};

struct net_address {
	uint8_t family;    /* 4, 6, or 0 for any of both (to bind) */
	uint8_t bytes[16]; /* 4 or 16 of them, in the order of the network */
};

struct net_endpoint {
	struct net_address address;
	uint16_t port; /* to bind: 0 for a random one */
};

struct net_config {
	uint8_t seed[32]; /* of numbers that nobody else may guess */
	uint8_t mac[6];
	uint16_t mtu;       /* bytes, 1280 to NET_FRAME_MAX - 14 */
	bool checked_below; /* frames need no checksums: who sends them adds them, and
			     * those that come have been checked */
	uint32_t sockets_max;
	size_t bytes_max;                 /* of memory, at least 64 KiB */
	void *context;                    /* for the callbacks */
	uint64_t (*clock)(void *context); /* nanoseconds; never goes back */
	/* Takes a frame, of NET_FRAME_MAX bytes at most; it is gone when this returns. */
	void (*send)(void *context, const void *frame, size_t length);
	/* The socket may have become ready, see net_socket_ready; or NULL. */
	void (*ready)(void *context, struct net_socket *socket);
};

/* Makes the instance, with its link up and an IPv6 address of the link. NET_BAD for what can't be,
 * NET_IN_USE if there is one. */
enum net_error net_open(const struct net_config *config, struct net **out);

/* A frame that came, with its Ethernet header. What is wrong with it is counted. */
void net_input(struct net *net, const void *frame, size_t length);

/* Does what is due. */
void net_run(struct net *net);

/* When net_run is to be called, by the clock; NET_NEVER if nothing is under way. */
uint64_t net_next_due(const struct net *net);

/* The link went down or up. With it up, addresses are checked and asked for anew. */
void net_link(struct net *net, bool up);

/* Sets the IPv4 address, or adds an IPv6 one, of a network of `prefix` bits; `gateway` (IPv4) or
 * NULL. NET_BAD, or NET_NO_MEMORY when there is no room for one more. */
enum net_error net_address_set(struct net *net, const struct net_address *address, unsigned prefix,
			       const struct net_address *gateway);

/* Asks for an IPv4 address, a gateway and name servers by DHCP, and keeps what is lent. */
enum net_error net_dhcp(struct net *net);

/* The name servers: `index` 0 or 1. */
enum net_error net_name_server(struct net *net, unsigned index, const struct net_address *server);

struct net_state {
	bool link;
	struct net_address address, gateway; /* IPv4; family 0: none yet */
	unsigned prefix;
	struct net_address address6[3]; /* family 0 behind the last one that can be used */
	struct net_address server[2];
	uint64_t frames_in, frames_out;
	uint64_t frames_refused; /* not for us, from nobody who may send it, or no memory */
	uint32_t sockets;
	size_t bytes; /* of memory */
};

/* How things are. */
void net_state(const struct net *net, struct net_state *out);

typedef void net_resolved(void *argument, enum net_error error, const struct net_address *address);

/* Looks up `name`, an address in figures included. `done` is called once, maybe before this
 * returns, unless this fails: NET_BAD for no name, NET_NO_MEMORY with too many under way. */
enum net_error net_resolve(struct net *net, const char *name, net_resolved *done, void *argument);

/* --- Sockets --- */

enum net_ready {
	NET_READABLE = 1, /* receive or accept has something, or the end, or an error */
	NET_WRITABLE = 2, /* connected, and there is room to send */
	NET_FAILED = 4,   /* net_socket_error says why */
};

/* Listens for connections; `backlog` (1 to NET_BACKLOG_MAX) of them, begun ones included, wait to
 * be accepted. NET_IN_USE, NET_NO_MEMORY, NET_BAD. */
enum net_error net_tcp_listen(struct net *net, const struct net_endpoint *local, unsigned backlog,
			      struct net_socket **out);

/* The next connection, or NET_AGAIN. */
enum net_error net_tcp_accept(struct net_socket *listener, struct net_socket **out);

/* Begins to connect, from `local` or, if that is NULL, a random port. It is writable when it is
 * connected, and has failed with NET_REFUSED or NET_TIMEOUT when it can't be. */
enum net_error net_tcp_connect(struct net *net, const struct net_endpoint *local,
			       const struct net_endpoint *remote, struct net_socket **out);

/* Takes the first *length bytes that there is room for and says in *length how many: NET_AGAIN
 * for none. They are sent until they are acknowledged, even if the socket is closed then. */
enum net_error net_tcp_send(struct net_socket *socket, const void *bytes, size_t *length);

/* Fills up to *length bytes and says in *length how many: NET_AGAIN for none yet, NET_CLOSED behind
 * the last one. An error comes after what was received before it. */
enum net_error net_tcp_receive(struct net_socket *socket, void *bytes, size_t *length);

/* Nothing more will be sent. NET_BAD unless connected. */
enum net_error net_tcp_finish(struct net_socket *socket);

/* Whether small pieces are sent at once (true) or, as at first, together. */
enum net_error net_tcp_no_delay(struct net_socket *socket, bool at_once);

/* A socket for datagrams. NET_IN_USE, NET_NO_MEMORY, NET_BAD. */
enum net_error net_udp_bind(struct net *net, const struct net_endpoint *local,
			    struct net_socket **out);

/* Sends a datagram of up to 65507 bytes. NET_NO_ROUTE, NET_NO_MEMORY, NET_BAD. */
enum net_error net_udp_send(struct net_socket *socket, const struct net_endpoint *to,
			    const void *bytes, size_t length);

/* The oldest datagram that came: *length is the room, then its true length; what has no
 * room is lost. NET_AGAIN for none. */
enum net_error net_udp_receive(struct net_socket *socket, struct net_endpoint *from, void *bytes,
			       size_t *length);

/* Bits of enum net_ready, as it is now. */
unsigned net_socket_ready(const struct net_socket *socket);

/* Why it failed, or NET_OK. */
enum net_error net_socket_error(const struct net_socket *socket);

/* Both ends; the remote one has family 0 if there is none. */
void net_socket_ends(const struct net_socket *socket, struct net_endpoint *local,
		     struct net_endpoint *remote);

/* What the owner wants to find when it is told of this socket; NULL at first. */
void net_socket_set_tag(struct net_socket *socket, void *tag);
void *net_socket_tag(const struct net_socket *socket);

/* Gives it up. A connection is ended in order, or broken if something received was not read. */
void net_socket_close(struct net_socket *socket);
