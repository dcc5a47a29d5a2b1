/* SPDX-License-Identifier: MIT */
/* lib/net/port/arch/hooks.h - functions of ours that lwIP calls by name. */
#pragma once
#include <stdint.h>
#include <lwip/ip_addr.h>

/* The sequence number that a connection begins with (../../random.c). */
uint32_t net_tcp_first_number(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
			      uint16_t remote_port);
