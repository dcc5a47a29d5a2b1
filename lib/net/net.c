/* SPDX-License-Identifier: MIT */
/* The instance: its interface, frames, addresses; and what is the same for all sockets. */
#include "instance.h"
#include "pool.h"
#include "random.h"
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <netif/ethernet.h>
#include <string.h>

#define HEADER      14u   /* of Ethernet */
#define MTU_LEAST   1280u /* IPv6 asks for it */
#define BYTES_LEAST (64u * 1024)
#define PORT_FIRST  49152u /* of those that nobody is assigned (RFC 6335) */
#define PORT_TRIES  128u

struct net *net_instance;

uint64_t net_clock(const struct net *net)
{
	return net->config.clock(net->config.context);
}

void net_enter(struct net *net)
{
	if (net->depth++ == 0)
		net_timer_run(net);
}

void net_leave(struct net *net)
{
	if (net->depth == 1)
		netif_poll_all();
	net->depth--;
}

/* lwIP sends a frame. */
static err_t frame_out(struct netif *netif, struct pbuf *p)
{
	struct net *net = netif->state;
	static uint8_t whole[NET_FRAME_MAX]; /* too large for a stack; one stack a process */
	const uint8_t *frame = (const uint8_t *)p->payload + ETH_PAD_SIZE;
	u16_t length = (u16_t)(p->tot_len - ETH_PAD_SIZE);

	if (length > net->config.mtu + HEADER)
		return ERR_BUF;
	if (p->next != NULL) {
		pbuf_copy_partial(p, whole, length, ETH_PAD_SIZE);
		frame = whole;
	}
	net->frames_out++;
	net_busy(net);
	net->config.send(net->config.context, frame, length);
	return ERR_OK;
}

static err_t frame_init(struct netif *netif)
{
	const struct net *net = netif->state;

	netif->name[0] = 'e';
	netif->name[1] = 'n';
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = frame_out;
	netif->mtu = netif->mtu6 = net->config.mtu;
	netif->hwaddr_len = sizeof(net->config.mac);
	memcpy(netif->hwaddr, net->config.mac, sizeof(net->config.mac));
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	if (net->config.checked_below)
		NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_DISABLE_ALL);
	return ERR_OK;
}

static bool config_ok(const struct net_config *config)
{
	return (config->mac[0] & 1) == 0 && config->mtu >= MTU_LEAST &&
	       config->mtu <= NET_FRAME_MAX - HEADER && config->bytes_max >= BYTES_LEAST &&
	       config->clock != NULL && config->send != NULL;
}

enum net_error net_open(const struct net_config *config, struct net **out)
{
	static struct net instance;
	struct net *net = &instance;

	if (net_instance != NULL)
		return NET_IN_USE;
	if (!config_ok(config))
		return NET_BAD;
	net->config = *config;
	net_instance = net;
	net->depth = 1;
	net_pool_bound(config->bytes_max);
	net_random_seed(config->seed);
	memset(net->config.seed, 0, sizeof(net->config.seed));
	net_timer_init(net);
	lwip_init();
	netif_add(&net->netif, NULL, NULL, NULL, net, frame_init, ethernet_input);
	netif_set_default(&net->netif);
	netif_create_ip6_linklocal_address(&net->netif, 1);
	netif_set_ip6_autoconfig_enabled(&net->netif, 1);
	netif_set_up(&net->netif);
	netif_set_link_up(&net->netif);
	net_leave(net);
	*out = net;
	return NET_OK;
}

/* Whether an IPv4 packet says that it comes from where no packet on a wire can come from. */
static bool forged4(const struct net *net, const uint8_t *packet)
{
	const uint8_t *from = packet + 12, *to = packet + 16;
	const ip4_addr_t *own = netif_ip4_addr(&net->netif);

	return from[0] == 127 || to[0] == 127 ||
	       (!ip4_addr_isany(own) && memcmp(from, &own->addr, 4) == 0);
}

static bool forged6(const struct net *net, const uint8_t *packet)
{
	static const uint8_t loopback[16] = { [15] = 1 }, mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *from = packet + 8, *to = packet + 24;

	if (memcmp(from, loopback, 16) == 0 || memcmp(to, loopback, 16) == 0 ||
	    memcmp(from, mapped, 12) == 0 || memcmp(to, mapped, 12) == 0)
		return true;
	for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isvalid(netif_ip6_addr_state(&net->netif, i)) &&
		    memcmp(from, netif_ip6_addr(&net->netif, i)->addr, 16) == 0)
			return true;
	}
	return false;
}

/* What lwIP does not look at, because it trusts the wire: loopback addresses and our own, and
 * whether an ARP packet is whole. */
static bool frame_ok(struct net *net, const uint8_t *frame, size_t length)
{
	if (length < HEADER || length > net->config.mtu + HEADER)
		return false;
	const uint8_t *packet = frame + HEADER;
	unsigned type = (unsigned)frame[12] << 8 | frame[13];
	if (type == ETHTYPE_IP && length >= HEADER + 20 && !forged4(net, packet)) {
		net_busy(net); /* it may be a fragment */
		return true;
	}
	if (type == ETHTYPE_IPV6 && length >= HEADER + 40 && !forged6(net, packet)) {
		net_busy(net);
		return true;
	}
	return type == ETHTYPE_ARP && length >= HEADER + SIZEOF_ETHARP_HDR;
}

void net_input(struct net *net, const void *frame, size_t length)
{
	struct pbuf *p = NULL;

	net_enter(net);
	net->frames_in++;
	if (netif_is_link_up(&net->netif) && frame_ok(net, frame, length))
		p = pbuf_alloc(PBUF_RAW, (u16_t)(length + ETH_PAD_SIZE), PBUF_RAM);
	if (p == NULL) {
		net->frames_refused++;
	} else {
		pbuf_take_at(p, frame, (u16_t)length, ETH_PAD_SIZE);
		if (net->netif.input(p, &net->netif) != ERR_OK)
			pbuf_free(p);
	}
	net_leave(net);
}

void net_run(struct net *net)
{
	net_enter(net);
	net_leave(net);
}

void net_link(struct net *net, bool up)
{
	net_enter(net);
	net_busy(net);
	if (up)
		netif_set_link_up(&net->netif);
	else
		netif_set_link_down(&net->netif);
	net_leave(net);
}

static enum net_error address_set4(struct net *net, const struct net_address *address,
				   unsigned prefix, const struct net_address *gateway)
{
	ip_addr_t own, way = *IP4_ADDR_ANY;
	ip4_addr_t mask = { prefix == 0 ? 0 : lwip_htonl(UINT32_MAX << (32 - prefix)) };

	if (gateway != NULL && (gateway->family != 4 || !net_address_to(gateway, &way)))
		return NET_BAD;
	net_address_to(address, &own);
	if (ip_addr_isany(&own) || ip_addr_ismulticast(&own) || ip_addr_isloopback(&own))
		return NET_BAD;
	if (netif_dhcp_data(&net->netif) != NULL)
		dhcp_release_and_stop(&net->netif);
	netif_set_addr(&net->netif, ip_2_ip4(&own), &mask, ip_2_ip4(&way));
	return NET_OK;
}

static enum net_error address_add6(struct net *net, const struct net_address *address)
{
	ip_addr_t own;
	s8_t index;

	net_address_to(address, &own);
	if (ip_addr_isany(&own) || ip_addr_ismulticast(&own) || ip_addr_isloopback(&own))
		return NET_BAD;
	if (netif_add_ip6_address(&net->netif, ip_2_ip6(&own), &index) != ERR_OK)
		return NET_NO_MEMORY;
	netif_ip6_addr_set_state(&net->netif, index, IP6_ADDR_TENTATIVE);
	return NET_OK;
}

enum net_error net_address_set(struct net *net, const struct net_address *address, unsigned prefix,
			       const struct net_address *gateway)
{
	enum net_error error = NET_BAD;

	net_enter(net);
	net_busy(net);
	if (address->family == 4 && prefix <= 32)
		error = address_set4(net, address, prefix, gateway);
	else if (address->family == 6 && prefix == 64 && gateway == NULL) /* lwIP knows no other */
		error = address_add6(net, address);
	net_leave(net);
	return error;
}

enum net_error net_dhcp(struct net *net)
{
	net_enter(net);
	net_timer_dhcp(net);
	enum net_error error = net_error_of(dhcp_start(&net->netif));
	net_leave(net);
	return error;
}

static unsigned mask_bits(uint32_t mask)
{
	return (unsigned)__builtin_popcount(mask);
}

void net_state(const struct net *net, struct net_state *out)
{
	unsigned count = 0;

	memset(out, 0, sizeof(*out));
	out->link = netif_is_link_up(&net->netif);
	if (!ip4_addr_isany(netif_ip4_addr(&net->netif))) {
		net_address_from(netif_ip_addr4(&net->netif), &out->address);
		net_address_from(netif_ip_gw4(&net->netif), &out->gateway);
		out->prefix = mask_bits(netif_ip4_netmask(&net->netif)->addr);
	}
	for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
		if (ip6_addr_isvalid(netif_ip6_addr_state(&net->netif, i)))
			net_address_from(netif_ip_addr6(&net->netif, i), &out->address6[count++]);
	}
	for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
		if (!ip_addr_isany(dns_getserver(i)))
			net_address_from(dns_getserver(i), &out->server[i]);
	}
	out->frames_in = net->frames_in;
	out->frames_out = net->frames_out;
	out->frames_refused = net->frames_refused;
	out->sockets = net->sockets;
	out->bytes = net_pool_used();
}

/* --- What is the same for all sockets --- */

enum net_error net_bind(void *pcb, const struct net_endpoint *local,
			err_t (*bind)(void *pcb, const ip_addr_t *address, uint16_t port))
{
	ip_addr_t address;

	if (!net_address_to(&local->address, &address))
		return NET_BAD;
	if (local->port != 0)
		return net_error_of(bind(pcb, &address, local->port));
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		uint16_t port = (uint16_t)(PORT_FIRST + net_random() % (65536 - PORT_FIRST));
		err_t error = bind(pcb, &address, port);
		if (error != ERR_USE)
			return net_error_of(error);
	}
	return NET_IN_USE;
}

struct net_socket *net_socket_new(struct net *net, enum socket_kind kind)
{
	if (net->sockets >= net->config.sockets_max)
		return NULL;
	struct net_socket *socket = net_pool_take_zeroed(1, sizeof(*socket));
	if (socket == NULL)
		return NULL;
	net->sockets++;
	socket->net = net;
	socket->kind = kind;
	return socket;
}

void net_socket_free(struct net_socket *socket)
{
	socket->net->sockets--;
	net_pool_give(socket);
}

void net_socket_tell(struct net_socket *socket)
{
	const struct net_config *config = &socket->net->config;

	if (config->ready != NULL && socket->listener == NULL)
		config->ready(config->context, socket);
}

unsigned net_socket_ready(const struct net_socket *socket)
{
	switch (socket->kind) {
	case SOCKET_LISTENER:
		return socket->waiting != NULL ? NET_READABLE : 0;
	case SOCKET_STREAM:
		return net_stream_ready(socket);
	case SOCKET_DATAGRAM:
		return NET_WRITABLE | (socket->oldest != NULL ? NET_READABLE : 0);
	}
	return 0;
}

enum net_error net_socket_error(const struct net_socket *socket)
{
	return socket->error;
}

void net_socket_ends(const struct net_socket *socket, struct net_endpoint *local,
		     struct net_endpoint *remote)
{
	memset(local, 0, sizeof(*local));
	memset(remote, 0, sizeof(*remote));
	if (socket->kind == SOCKET_DATAGRAM) {
		net_address_from(&socket->udp->local_ip, &local->address);
		local->port = socket->udp->local_port;
	} else if (socket->tcp != NULL) {
		net_address_from(&socket->tcp->local_ip, &local->address);
		local->port = socket->tcp->local_port;
		if (socket->kind == SOCKET_STREAM) {
			net_address_from(&socket->tcp->remote_ip, &remote->address);
			remote->port = socket->tcp->remote_port;
		}
	}
}

void net_socket_set_tag(struct net_socket *socket, void *tag)
{
	socket->tag = tag;
}

void *net_socket_tag(const struct net_socket *socket)
{
	return socket->tag;
}

void net_socket_close(struct net_socket *socket)
{
	struct net *net = socket->net;

	net_enter(net);
	if (socket->kind == SOCKET_DATAGRAM)
		net_datagram_close(socket);
	else
		net_stream_close(socket);
	net_socket_free(socket);
	net_leave(net);
}
