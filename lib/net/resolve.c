/* SPDX-License-Identifier: MIT */
/* Names: lwIP asks the servers and keeps the answers; here is who waits for them. */
#include "instance.h"
#include "pool.h"
#include <lwip/dns.h>
#include <string.h>

struct lookup {
	struct net *net;
	net_resolved *done;
	void *argument;
};

static void tell(const ip_addr_t *address, net_resolved *done, void *argument)
{
	struct net_address found;

	if (address == NULL) {
		done(argument, NET_NOT_FOUND, NULL);
		return;
	}
	net_address_from(address, &found);
	done(argument, NET_OK, &found);
}

static void lookup_done(const char *name, const ip_addr_t *address, void *argument)
{
	struct lookup lookup = *(struct lookup *)argument;

	(void)name;
	net_pool_give(argument);
	lookup.net->lookups--;
	tell(address, lookup.done, lookup.argument);
}

enum net_error net_resolve(struct net *net, const char *name, net_resolved *done, void *argument)
{
	ip_addr_t address;
	size_t length = strnlen(name, NET_NAME_MAX + 1);

	if (length == 0 || length > NET_NAME_MAX)
		return NET_BAD;
	struct lookup *lookup = net_pool_take(sizeof(*lookup));
	if (lookup == NULL)
		return NET_NO_MEMORY;
	net_enter(net);
	*lookup = (struct lookup){ net, done, argument };
	net->lookups++;
	err_t error = dns_gethostbyname_addrtype(name, &address, lookup_done, lookup,
						 LWIP_DNS_ADDRTYPE_IPV4_IPV6);
	if (error != ERR_INPROGRESS) {
		net->lookups--;
		net_pool_give(lookup);
	}
	if (error == ERR_OK)
		tell(&address, done, argument);
	net_leave(net);
	if (error == ERR_OK || error == ERR_INPROGRESS)
		return NET_OK;
	return error == ERR_MEM ? NET_NO_MEMORY : NET_BAD;
}

enum net_error net_name_server(struct net *net, unsigned index, const struct net_address *server)
{
	ip_addr_t address;

	if (index >= DNS_MAX_SERVERS || server->family == 0 || !net_address_to(server, &address))
		return NET_BAD;
	net_enter(net);
	dns_setserver((u8_t)index, &address);
	net_leave(net);
	return NET_OK;
}
