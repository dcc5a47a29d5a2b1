/* SPDX-License-Identifier: MIT */
/* TCP: listeners and connections. What is received waits in a ring of the socket's own, which
 * grows up to the window; what is to be sent waits in lwIP, which has to keep it anyway. */
#include "instance.h"
#include "pool.h"
#include <lwip/tcp.h>
#include <string.h>

#define RING_LEAST 2048u
#define RING_KEPT  4096u /* bytes that an emptied ring may keep */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t ring_take(struct net_socket *s, uint8_t *to, size_t length)
{
	size_t count = least(length, s->used), straight = least(count, s->size - s->first);

	if (count == 0)
		return 0;
	memcpy(to, s->bytes + s->first, straight);
	memcpy(to + straight, s->bytes, count - straight);
	s->first = (s->first + count) % s->size;
	s->used -= count;
	if (s->used == 0 && s->size > RING_KEPT) {
		net_pool_give(s->bytes);
		s->bytes = NULL;
		s->size = s->first = 0;
	}
	return count;
}

/* Makes room for `more` bytes. */
static bool ring_grow(struct net_socket *s, size_t more)
{
	size_t size = s->size > 0 ? s->size : RING_LEAST;

	if (more > TCP_WND - s->used)
		return false; /* more than the window that was offered */
	while (size < s->used + more)
		size *= 2;
	if (size == s->size)
		return true;
	uint8_t *bytes = net_pool_take(size);
	if (bytes == NULL)
		return false;
	size_t used = s->used, straight = least(used, s->size - s->first);
	if (used > 0) {
		memcpy(bytes, s->bytes + s->first, straight);
		memcpy(bytes + straight, s->bytes, used - straight);
	}
	net_pool_give(s->bytes);
	s->bytes = bytes;
	s->size = size;
	s->first = 0;
	return true;
}

static void ring_put(struct net_socket *s, const struct pbuf *p)
{
	for (; p != NULL; p = p->next) {
		size_t at = (s->first + s->used) % s->size, straight = least(p->len, s->size - at);
		memcpy(s->bytes + at, p->payload, straight);
		memcpy(s->bytes, (const uint8_t *)p->payload + straight, p->len - straight);
		s->used += p->len;
	}
}

/* Leaves the connection to lwIP: it tells of nothing more, and frees its end when it likes. */
static void stream_detach(struct net_socket *s)
{
	tcp_arg(s->tcp, NULL);
	tcp_recv(s->tcp, NULL);
	tcp_sent(s->tcp, NULL);
	tcp_err(s->tcp, NULL);
	s->tcp = NULL;
}

/* What can't be kept now is offered again, unless lwIP may forget it: it does when it has no more
 * to send. */
static err_t stream_refuse(struct net_socket *s, struct pbuf *p)
{
	struct tcp_pcb *pcb = s->tcp;

	if (!s->finished)
		return ERR_MEM;
	pbuf_free(p);
	stream_detach(s);
	s->error = NET_NO_MEMORY;
	tcp_abort(pcb);
	net_socket_tell(s);
	return ERR_ABRT;
}

static err_t stream_came(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
	struct net_socket *s = argument;

	(void)pcb;
	(void)error;
	if (p == NULL) {
		s->peer_finished = true;
		if (s->finished)
			stream_detach(s);
	} else {
		if (!ring_grow(s, p->tot_len))
			return stream_refuse(s, p);
		ring_put(s, p);
		pbuf_free(p);
	}
	net_socket_tell(s);
	return ERR_OK;
}

static err_t stream_sent(void *argument, struct tcp_pcb *pcb, u16_t length)
{
	(void)pcb;
	(void)length;
	net_socket_tell(argument);
	return ERR_OK;
}

static err_t stream_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
	struct net_socket *s = argument;

	(void)pcb;
	(void)error;
	s->connected = true;
	net_socket_tell(s);
	return ERR_OK;
}

/* Nobody has accepted it, and it is broken: gone, or such would fill the memory. */
static void waiting_remove(struct net_socket *s)
{
	struct net_socket **at = &s->listener->waiting;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	net_pool_give(s->bytes);
	net_socket_free(s);
}

/* lwIP has freed its end by the time that it calls this. */
static void stream_failed(void *argument, err_t error)
{
	struct net_socket *s = argument;

	s->tcp = NULL;
	if (s->listener != NULL) {
		waiting_remove(s);
		return;
	}
	s->error = net_error_of(error);
	if (s->error == NET_RESET && !s->connected)
		s->error = NET_REFUSED;
	net_socket_tell(s);
}

static void stream_attach(struct net_socket *s, struct tcp_pcb *pcb)
{
	s->tcp = pcb;
	tcp_arg(pcb, s);
	tcp_recv(pcb, stream_came);
	tcp_sent(pcb, stream_sent);
	tcp_err(pcb, stream_failed);
}

/* A connection that is complete; lwIP breaks it if this fails. */
static err_t stream_accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
	struct net_socket *listener = argument, **last = &listener->waiting;

	if (error != ERR_OK || pcb == NULL)
		return ERR_MEM;
	struct net_socket *s = net_socket_new(listener->net, SOCKET_STREAM);
	if (s == NULL)
		return ERR_MEM;
	stream_attach(s, pcb);
	tcp_backlog_delayed(pcb);
	s->connected = true;
	s->listener = listener;
	while (*last != NULL)
		last = &(*last)->next;
	*last = s;
	net_socket_tell(listener);
	return ERR_OK;
}

static err_t bind_tcp(void *pcb, const ip_addr_t *address, uint16_t port)
{
	return tcp_bind(pcb, address, port);
}

/* A bound end of lwIP's. */
static enum net_error stream_bind(const struct net_endpoint *local, struct tcp_pcb **out)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

	if (pcb == NULL)
		return NET_NO_MEMORY;
	ip_set_option(pcb, SOF_REUSEADDR);
	enum net_error error = net_bind(pcb, local, bind_tcp);
	if (error != NET_OK) {
		tcp_abort(pcb);
		return error;
	}
	*out = pcb;
	return NET_OK;
}

enum net_error net_tcp_listen(struct net *net, const struct net_endpoint *local, unsigned backlog,
			      struct net_socket **out)
{
	struct tcp_pcb *pcb;
	err_t refused;

	if (backlog == 0 || backlog > NET_BACKLOG_MAX)
		return NET_BAD;
	net_enter(net);
	enum net_error error = NET_NO_MEMORY;
	struct net_socket *s = net_socket_new(net, SOCKET_LISTENER);
	if (s == NULL)
		goto leave;
	error = stream_bind(local, &pcb);
	if (error != NET_OK)
		goto free_socket;
	s->tcp = tcp_listen_with_backlog_and_err(pcb, (u8_t)backlog, &refused);
	if (s->tcp == NULL) {
		error = net_error_of(refused);
		goto abort;
	}
	tcp_arg(s->tcp, s);
	tcp_accept(s->tcp, stream_accepted);
	*out = s;
	goto leave;
abort:
	tcp_abort(pcb);
free_socket:
	net_socket_free(s);
leave:
	net_leave(net);
	return error;
}

enum net_error net_tcp_accept(struct net_socket *listener, struct net_socket **out)
{
	if (listener->kind != SOCKET_LISTENER)
		return NET_BAD;
	net_enter(listener->net);
	struct net_socket *s = listener->waiting;
	if (s != NULL) {
		listener->waiting = s->next;
		s->next = s->listener = NULL;
		if (s->tcp != NULL)
			tcp_backlog_accepted(s->tcp);
		*out = s;
	}
	net_leave(listener->net);
	return s != NULL ? NET_OK : NET_AGAIN;
}

enum net_error net_tcp_connect(struct net *net, const struct net_endpoint *local,
			       const struct net_endpoint *remote, struct net_socket **out)
{
	static const struct net_endpoint any;
	ip_addr_t address;
	struct tcp_pcb *pcb;

	if (remote->address.family == 0 || remote->port == 0 ||
	    !net_address_to(&remote->address, &address))
		return NET_BAD;
	net_enter(net);
	enum net_error error = NET_NO_MEMORY;
	struct net_socket *s = net_socket_new(net, SOCKET_STREAM);
	if (s == NULL)
		goto leave;
	error = stream_bind(local != NULL ? local : &any, &pcb);
	if (error != NET_OK)
		goto free_socket;
	stream_attach(s, pcb);
	error = net_error_of(tcp_connect(pcb, &address, remote->port, stream_connected));
	if (error != NET_OK)
		goto abort;
	*out = s;
	goto leave;
abort:
	stream_detach(s);
	tcp_abort(pcb);
free_socket:
	net_socket_free(s);
leave:
	net_leave(net);
	return error;
}

/* Hands lwIP as much as it takes. */
static size_t stream_write(struct tcp_pcb *pcb, const uint8_t *bytes, size_t length)
{
	size_t done = 0, step = TCP_SND_BUF;

	while (done < length) {
		step = least(least(step, length - done), least(tcp_sndbuf(pcb), UINT16_MAX));
		if (step == 0)
			break;
		u8_t flags = TCP_WRITE_FLAG_COPY | (done + step < length ? TCP_WRITE_FLAG_MORE : 0);
		if (tcp_write(pcb, bytes + done, (u16_t)step, flags) == ERR_OK)
			done += step;
		else
			step /= 2; /* no room for so many segments */
	}
	return done;
}

enum net_error net_tcp_send(struct net_socket *s, const void *bytes, size_t *length)
{
	enum net_error error = NET_BAD;
	size_t wanted = *length;

	*length = 0;
	if (s->kind != SOCKET_STREAM)
		return NET_BAD;
	net_enter(s->net);
	if (s->error != NET_OK) {
		error = s->error;
	} else if (!s->connected) {
		error = NET_AGAIN;
	} else if (!s->finished) {
		*length = stream_write(s->tcp, bytes, wanted);
		tcp_output(s->tcp);
		error = *length > 0 || wanted == 0 ? NET_OK : NET_AGAIN;
		if (error == NET_AGAIN && tcp_sndqueuelen(s->tcp) == 0)
			error = NET_NO_MEMORY; /* nothing is under way that would make room */
	}
	net_leave(s->net);
	return error;
}

enum net_error net_tcp_receive(struct net_socket *s, void *bytes, size_t *length)
{
	size_t wanted = *length;

	*length = 0;
	if (s->kind != SOCKET_STREAM)
		return NET_BAD;
	net_enter(s->net);
	*length = ring_take(s, bytes, wanted);
	for (size_t told = 0, step; told < *length && s->tcp != NULL; told += step) {
		step = least(*length - told, UINT16_MAX);
		tcp_recved(s->tcp, (u16_t)step);
	}
	net_leave(s->net);
	if (*length > 0 || (wanted == 0 && s->used > 0))
		return NET_OK;
	if (s->error != NET_OK)
		return s->error;
	return s->peer_finished ? NET_CLOSED : NET_AGAIN;
}

enum net_error net_tcp_finish(struct net_socket *s)
{
	if (s->kind != SOCKET_STREAM || !s->connected || s->finished || s->tcp == NULL)
		return NET_BAD;
	net_enter(s->net);
	enum net_error error = s->tcp == NULL ? s->error : net_error_of(tcp_shutdown(s->tcp, 0, 1));
	s->finished = error == NET_OK;
	if (s->finished && s->peer_finished)
		stream_detach(s);
	net_leave(s->net);
	return error;
}

enum net_error net_tcp_no_delay(struct net_socket *s, bool at_once)
{
	if (s->kind != SOCKET_STREAM || s->tcp == NULL)
		return NET_BAD;
	if (at_once)
		tcp_nagle_disable(s->tcp);
	else
		tcp_nagle_enable(s->tcp);
	return NET_OK;
}

unsigned net_stream_ready(const struct net_socket *s)
{
	unsigned bits = 0;

	if (s->error != NET_OK)
		return NET_READABLE | NET_FAILED;
	if (s->used > 0 || s->peer_finished)
		bits |= NET_READABLE;
	if (s->connected && !s->finished && tcp_sndbuf(s->tcp) > TCP_SNDLOWAT &&
	    tcp_sndqueuelen(s->tcp) < TCP_SNDQUEUELOWAT)
		bits |= NET_WRITABLE;
	return bits;
}

static void connection_close(struct net_socket *s, bool in_order)
{
	struct tcp_pcb *pcb = s->tcp;

	if (pcb != NULL) {
		stream_detach(s);
		if (!in_order || tcp_close(pcb) != ERR_OK)
			tcp_abort(pcb);
	}
	net_pool_give(s->bytes);
}

void net_stream_close(struct net_socket *s)
{
	if (s->kind == SOCKET_STREAM) {
		connection_close(s, true);
		return;
	}
	while (s->waiting != NULL) {
		struct net_socket *one = s->waiting;
		s->waiting = one->next;
		connection_close(one, false);
		net_socket_free(one);
	}
	tcp_close(s->tcp);
}
