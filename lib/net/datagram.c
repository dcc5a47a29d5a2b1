/* SPDX-License-Identifier: MIT */
/* Sockets for datagrams, each with a queue of its own of what came. */
#include "instance.h"
#include "pool.h"
#include <lwip/udp.h>
#include <string.h>

#define QUEUE_BYTES  (256u * 1024) /* of memory that waits in one socket */
#define DATAGRAM_MAX 65507u

static void datagram_came(void *argument, struct udp_pcb *pcb, struct pbuf *p,
			  const ip_addr_t *from, u16_t port)
{
	struct net_socket *socket = argument;
	size_t bytes = sizeof(struct datagram) + p->tot_len;
	struct datagram *one = NULL;

	(void)pcb;
	if (bytes <= QUEUE_BYTES - socket->queued)
		one = net_pool_take(bytes);
	if (one == NULL) {
		socket->net->frames_refused++;
		pbuf_free(p);
		return;
	}
	*one = (struct datagram){ .length = p->tot_len, .from.port = port };
	net_address_from(from, &one->from.address);
	pbuf_copy_partial(p, one->bytes, p->tot_len, 0);
	pbuf_free(p);
	if (socket->newest == NULL)
		socket->oldest = one;
	else
		socket->newest->next = one;
	socket->newest = one;
	socket->queued += bytes;
	net_socket_tell(socket);
}

static err_t bind_udp(void *pcb, const ip_addr_t *address, uint16_t port)
{
	return udp_bind(pcb, address, port);
}

enum net_error net_udp_bind(struct net *net, const struct net_endpoint *local,
			    struct net_socket **out)
{
	if (local->address.family != 0 && local->address.family != 4 && local->address.family != 6)
		return NET_BAD;
	net_enter(net);
	enum net_error error = NET_NO_MEMORY;
	struct net_socket *socket = net_socket_new(net, SOCKET_DATAGRAM);
	if (socket == NULL)
		goto leave;
	socket->udp = udp_new_ip_type(IPADDR_TYPE_ANY);
	if (socket->udp == NULL)
		goto free_socket;
	error = net_bind(socket->udp, local, bind_udp);
	if (error != NET_OK)
		goto remove;
	udp_recv(socket->udp, datagram_came, socket);
	*out = socket;
	goto leave;
remove:
	udp_remove(socket->udp);
free_socket:
	net_socket_free(socket);
leave:
	net_leave(net);
	return error;
}

enum net_error net_udp_send(struct net_socket *socket, const struct net_endpoint *to,
			    const void *bytes, size_t length)
{
	ip_addr_t address;

	if (socket->kind != SOCKET_DATAGRAM || length > DATAGRAM_MAX || to->address.family == 0 ||
	    to->port == 0 || !net_address_to(&to->address, &address))
		return NET_BAD;
	net_enter(socket->net);
	enum net_error error = NET_NO_MEMORY;
	struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)length, PBUF_RAM);
	if (p != NULL) {
		pbuf_take(p, bytes, (u16_t)length);
		error = net_error_of(udp_sendto(socket->udp, p, &address, to->port));
		pbuf_free(p);
	}
	net_leave(socket->net);
	return error;
}

static void drop_oldest(struct net_socket *socket)
{
	struct datagram *one = socket->oldest;

	socket->oldest = one->next;
	if (one->next == NULL)
		socket->newest = NULL;
	socket->queued -= sizeof(*one) + one->length;
	net_pool_give(one);
}

enum net_error net_udp_receive(struct net_socket *socket, struct net_endpoint *from, void *bytes,
			       size_t *length)
{
	const struct datagram *one = socket->oldest;

	if (socket->kind != SOCKET_DATAGRAM)
		return NET_BAD;
	if (one == NULL)
		return NET_AGAIN;
	memcpy(bytes, one->bytes, one->length < *length ? one->length : *length);
	*length = one->length;
	*from = one->from;
	drop_oldest(socket);
	return NET_OK;
}

void net_datagram_close(struct net_socket *socket)
{
	udp_remove(socket->udp);
	while (socket->oldest != NULL)
		drop_oldest(socket);
}
