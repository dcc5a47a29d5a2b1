/* SPDX-License-Identifier: MIT */
#include "instance.h"
#include <string.h>

bool net_address_to(const struct net_address *from, ip_addr_t *to)
{
	ip_addr_t made;

	memset(&made, 0, sizeof(made));
	if (from->family == 4) {
		memcpy(&ip_2_ip4(&made)->addr, from->bytes, 4);
		IP_SET_TYPE_VAL(made, IPADDR_TYPE_V4);
	} else if (from->family == 6) {
		memcpy(ip_2_ip6(&made)->addr, from->bytes, 16);
		IP_SET_TYPE_VAL(made, IPADDR_TYPE_V6);
		/* There is one link: what is local to a link is on that one. */
		ip6_addr_assign_zone(ip_2_ip6(&made), IP6_UNKNOWN, &net_instance->netif);
	} else if (from->family == 0) {
		IP_SET_TYPE_VAL(made, IPADDR_TYPE_ANY);
	} else {
		return false;
	}
	*to = made;
	return true;
}

void net_address_from(const ip_addr_t *from, struct net_address *to)
{
	memset(to, 0, sizeof(*to));
	if (IP_IS_V4_VAL(*from)) {
		to->family = 4;
		memcpy(to->bytes, &ip_2_ip4(from)->addr, 4);
	} else if (IP_IS_V6_VAL(*from)) {
		to->family = 6;
		memcpy(to->bytes, ip_2_ip6(from)->addr, 16);
	}
}

enum net_error net_error_of(err_t error)
{
	switch (error) {
	case ERR_OK:
		return NET_OK;
	case ERR_MEM:
	case ERR_BUF:
		return NET_NO_MEMORY;
	case ERR_RTE:
		return NET_NO_ROUTE;
	case ERR_USE:
	case ERR_ISCONN:
		return NET_IN_USE;
	case ERR_RST:
	case ERR_CLSD:
		return NET_RESET;
	case ERR_ABRT:
	case ERR_TIMEOUT:
		return NET_TIMEOUT;
	default:
		return NET_BAD;
	}
}
