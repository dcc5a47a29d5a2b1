/* SPDX-License-Identifier: MIT */
/* When lwIP's periodic functions run. It has one for each protocol and means them to run for
 * ever; here each runs while it has something to do. What it would have counted in between is
 * made good before anything else looks at it. */
#include "instance.h"
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#define MS         UINT64_C(1000000)
#define SECOND     (1000 * MS)
#define TCP_TICK   (TCP_TMR_INTERVAL * MS)
#define TCP_SLOW   (2 * TCP_TICK)
#define DHCP_TICK  (DHCP_FINE_TIMER_MSECS * MS)
#define LEASE_TICK (DHCP_COARSE_TIMER_SECS * SECOND)

/* Reassembly gives up after 15 s, and says so, for which it may ask for a neighbour: ARP gives up
 * after 5 s, IPv6 after 8. Duplicate addresses and routers (3 questions, 4 s apart) take less. */
#define BUSY ((IP_REASS_MAXAGE + 12) * SECOND)
#define CATCH_UP                                                                                   \
	UINT64_C(65536) /* seconds: longer than what lives in lwIP's tables, but for               \
			 * lifetimes of IPv6 prefixes, which routers repeat */

#define ENDING_MAX 256u /* connections without a socket: in TIME-WAIT, and not yet there */

/* lwIP's clock in milliseconds. */
u32_t sys_now(void);
u32_t sys_now(void)
{
	return (u32_t)(net_clock(net_instance) / MS);
}

/* lwIP tells of a connection; net_timer_run finds it by itself. */
void tcp_timer_needed(void);
void tcp_timer_needed(void)
{
}

/* An established connection on which nothing is under way needs no clock. */
static bool is_quiet(const struct tcp_pcb *pcb)
{
	bool stands = pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT ||
		      (pcb->state == FIN_WAIT_2 && (pcb->flags & TF_RXCLOSED) == 0);

	return stands && pcb->unsent == NULL && pcb->unacked == NULL && pcb->ooseq == NULL &&
	       pcb->refused_data == NULL && pcb->persist_backoff == 0 &&
	       (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) == 0 &&
	       !ip_get_option(pcb, SOF_KEEPALIVE);
}

static bool tcp_is_busy(void)
{
	for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
		if (!is_quiet(pcb))
			return true;
	}
	return false;
}

/* Slow ticks until the first connection leaves TIME-WAIT. */
static uint64_t ticks_of_time_wait(void)
{
	uint32_t least = UINT32_MAX, whole = 2 * TCP_MSL / TCP_SLOW_INTERVAL + 1;

	for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
		uint32_t age = tcp_ticks - pcb->tmr;
		uint32_t left = age >= whole ? 1 : whole - age;
		if (left < least)
			least = left;
	}
	return least;
}

static uint64_t tcp_due(const struct net *net)
{
	if (tcp_is_busy())
		return net->tcp_tick + TCP_TICK;
	if (tcp_tw_pcbs != NULL)
		return net->tcp_tick + ticks_of_time_wait() * TCP_SLOW;
	return NET_NEVER;
}

static void run_tcp(struct net *net, uint64_t now)
{
	while (now - net->tcp_tick >= TCP_TICK) {
		if (!tcp_is_busy()) {
			uint64_t missed = (now - net->tcp_tick) / TCP_SLOW;
			tcp_ticks += (u32_t)missed;
			net->tcp_tick += missed * TCP_SLOW;
			if (missed > 0 && tcp_tw_pcbs != NULL) {
				tcp_ticks--; /* which the next one counts, whichever half it is */
				tcp_slowtmr();
			}
			return;
		}
		net->tcp_tick += TCP_TICK;
		tcp_tmr();
	}
}

/* Connections that nobody holds any more are not to fill the memory. */
static void bound_ending(void)
{
	unsigned count = 0;

	for (struct tcp_pcb *next, *pcb = tcp_tw_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		if (++count > ENDING_MAX) /* the oldest are last */
			tcp_abort(pcb);
	}
	count = 0;
	for (struct tcp_pcb *next, *pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
		next = pcb->next;
		if (pcb->callback_arg == NULL && pcb->state != SYN_RCVD && ++count > ENDING_MAX)
			tcp_abort(pcb);
	}
}

static void run_seconds(struct net *net, uint64_t now)
{
	uint64_t missed = (now - net->second_tick) / SECOND;

	net->second_tick += missed * SECOND;
	net->in_second = true;
	for (uint64_t i = 0; i < missed && i < CATCH_UP; i++) {
		etharp_tmr();
		ip_reass_tmr();
		ip6_reass_tmr();
		nd6_tmr();
		dns_tmr();
	}
	net->in_second = false;
	bound_ending();
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t dhcp_due(const struct net *net)
{
	const struct dhcp *dhcp = netif_dhcp_data(&net->netif);
	uint64_t due = NET_NEVER;

	if (dhcp == NULL)
		return due;
	if (dhcp->request_timeout > 0)
		due = net->dhcp_tick + dhcp->request_timeout * DHCP_TICK;
	if (dhcp->t1_renew_time > 0)
		due = least(due, net->lease_tick + dhcp->t1_renew_time * LEASE_TICK);
	if (dhcp->t2_rebind_time > 0)
		due = least(due, net->lease_tick + dhcp->t2_rebind_time * LEASE_TICK);
	if (dhcp->t0_timeout > dhcp->lease_used)
		due = least(due, net->lease_tick + (uint64_t)(dhcp->t0_timeout - dhcp->lease_used) *
							   LEASE_TICK);
	return due;
}

static void run_dhcp(struct net *net, uint64_t now)
{
	const struct dhcp *dhcp = netif_dhcp_data(&net->netif);

	if (dhcp == NULL)
		return;
	while (now - net->dhcp_tick >= DHCP_TICK) {
		if (dhcp->request_timeout == 0) {
			net->dhcp_tick += (now - net->dhcp_tick) / DHCP_TICK * DHCP_TICK;
			break;
		}
		net->dhcp_tick += DHCP_TICK;
		dhcp_fine_tmr();
	}
	for (; now - net->lease_tick >= LEASE_TICK; net->lease_tick += LEASE_TICK)
		dhcp_coarse_tmr();
}

void net_timer_init(struct net *net)
{
	uint64_t now = net_clock(net);

	net->tcp_tick = net->second_tick = net->dhcp_tick = net->lease_tick = now;
	net_busy(net);
}

void net_timer_dhcp(struct net *net)
{
	net->dhcp_tick = net->lease_tick = net_clock(net);
}

void net_busy(struct net *net)
{
	if (!net->in_second)
		net->busy_until = net_clock(net) + BUSY;
}

void net_timer_run(struct net *net)
{
	uint64_t now = net_clock(net);

	run_tcp(net, now);
	run_seconds(net, now);
	run_dhcp(net, now);
}

uint64_t net_next_due(const struct net *net)
{
	uint64_t due = least(tcp_due(net), dhcp_due(net));

	if (net->lookups > 0 || net->second_tick + SECOND <= net->busy_until)
		due = least(due, net->second_tick + SECOND);
	return due;
}
