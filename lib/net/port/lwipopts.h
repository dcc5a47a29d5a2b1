/* SPDX-License-Identifier: MIT */
/* lib/net/port/lwipopts.h - which parts of lwIP there are, and their bounds. */
#pragma once

/* One thread; its timers are run by lib/net/timer.c, which knows when none is needed. */
#define NO_SYS               1
#define LWIP_TIMERS          0
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_STATS           0

/* All memory comes from lib/net/pool.c, which has one bound for the instance. */
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC    net_pool_take
#define MEM_CUSTOM_CALLOC    net_pool_take_zeroed
#define MEM_CUSTOM_FREE      net_pool_give
#define MEMP_MEM_MALLOC      1
#define MEM_ALIGNMENT        8

#define ETH_PAD_SIZE 2 /* so what is behind the Ethernet header is aligned */

#define LWIP_IPV4                     1
#define IP_FORWARD                    0
#define IP_OPTIONS_ALLOWED            0 /* source routes and the like: dropped */
#define IP_REASS_MAXAGE               15
#define IP_REASS_MAX_PBUFS            64
#define LWIP_BROADCAST_PING           0
#define LWIP_MULTICAST_PING           0
#define LWIP_RAW                      0
#define LWIP_ACD                      0
#define LWIP_DHCP                     1
#define LWIP_DHCP_DOES_ACD_CHECK      0
#define LWIP_DHCP_MAX_DNS_SERVERS     DNS_MAX_SERVERS
#define ARP_TABLE_SIZE                32
#define ETHARP_SUPPORT_STATIC_ENTRIES 0

#define LWIP_IPV6                 1
#define IPV6_FRAG_COPYHEADER      1 /* pointers do not fit in the header that it would overwrite */
#define LWIP_IPV6_MLD             0 /* the switch floods multicast */
#define LWIP_IPV6_DHCP6           0
#define LWIP_IPV6_FORWARD         0
#define LWIP_ND6_NUM_NEIGHBORS    16
#define LWIP_ND6_NUM_DESTINATIONS 16
#define MEMP_NUM_ND6_QUEUE        32
#define LWIP_ND6_ALLOW_RA_UPDATES 1

#define LWIP_DNS        1
#define DNS_TABLE_SIZE  8
#define DNS_MAX_TTL     3600
#define DNS_MAX_SERVERS 2
#define LWIP_DNS_SECURE 7 /* random numbers, random ports, one question for a name at a time */

#define LWIP_UDP            1
#define LWIP_TCP            1
#define TCP_TMR_INTERVAL    100 /* ms; the shortest retransmission is 6 of them */
#define LWIP_TCP_RTO_TIME   1000
#define TCP_MSL             15000
#define TCP_MSS             1460
#define LWIP_WND_SCALE      1
#define TCP_RCV_SCALE       4
#define TCP_WND             (256 * 1024)
#define TCP_SND_BUF         (256 * 1024)
#define TCP_SND_QUEUELEN    (4 * TCP_SND_BUF / TCP_MSS)
#define TCP_SNDLOWAT        (16 * 1024)
#define LWIP_TCP_SACK_OUT   1
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define TCP_OOSEQ_MAX_PBUFS 384
#define TCP_LISTEN_BACKLOG  1
#define SO_REUSE            1
#define PBUF_POOL_SIZE      1024 /* looked at only by its check of these options */
#define MEMP_NUM_TCP_SEG    TCP_SND_QUEUELEN

#define LWIP_NETIF_LOOPBACK          1
#define LWIP_HAVE_LOOPIF             1
#define LWIP_LOOPBACK_MAX_PBUFS      256
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM        3

#define LWIP_HOOK_FILENAME "arch/hooks.h"
#define LWIP_HOOK_TCP_ISN  net_tcp_first_number
