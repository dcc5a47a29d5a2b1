/* SPDX-License-Identifier: MIT */
/* The short way from thread to thread: it is gone whatever a message carries, it is counted, and
 * the boot option test.slow turns it off (tests/e2e/fast_path.py compares the results). */
#include "registers.h"
#include "world.h"
#include <abi/node.h>

#define ROUNDS   8
#define PATIENCE 100000 /* turns given away, until what is awaited can't come any more */
#define NOWHERE  0x10000000ull

/* Messages, signals and turns that went the short way, on all CPUs. */
static uint64_t hits(void)
{
	struct node_counters n;
	uint64_t sum = 0;

	for (uint64_t cpu = 0; cpu < start->cpus; cpu++) {
		if (STATUS(node_counters, start->node, cpu, &n, sizeof(n)) == ST_OK)
			sum += n.fast;
	}
	return sum;
}

static void serve(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);

	while (r.status == ST_OK) {
		a->seen = r.out[1] + a->block->word[0];
		a->block->word[0]++;
		r = SYS(endpoint_reply_receive, a->arg[0], a->arg[1], NEVER);
	}
}

/* On one CPU, where who waits is always there: `info` goes out and `answer` comes back. */
static void exchange(uint64_t info, uint64_t answer, struct msg_cap cap)
{
	struct actor *server = process_new(serve);
	cap_t ep = new_endpoint();
	cap_t entrance = copy_of(ep, RIGHT_CALL, 77);

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	server->arg[1] = answer;
	actor_start(server);
	yield();
	uint64_t before = hits();
	for (uint64_t i = 0; i < ROUNDS; i++) {
		own_block()->word[0] = 1000 + i;
		own_block()->cap[0] = cap;
		struct sys_result r = SYS(endpoint_call, entrance, info, NEVER);
		CHECK(r.status == ST_OK && r.out[0] == answer);
		CHECK(MSG_LEN(info) == 0 || server->seen == 77 + 1000 + i);
		CHECK(MSG_LEN(answer) == 0 || MSG_LEN(info) == 0 ||
		      own_block()->word[0] == 1001 + i);
	}
	uint64_t by = hits() - before;
	/* An answer goes the other way if somebody else had the CPU since the call. */
	CHECK(option("test.slow") != NULL ? by == 0 : start->cpus > 1 || by >= ROUNDS);
}

TEST(fast_path_takes_messages_of_every_length)
{
	static const uint16_t length[] = { 0, 1, 8, 64, 65, 72, 511, 512 };

	for (unsigned i = 0; i < ARRAY_LEN(length); i++)
		exchange(MSG_INFO(3, length[i], 0), MSG_INFO(4, length[i], 0),
			 (struct msg_cap){ 0 });
}

TEST(fast_path_takes_capabilities)
{
	cap_t gift = copy_of(new_endpoint(), 0xffff, 0);

	exchange(MSG_INFO(3, 8, 1), MSG_INFO(4, 8, 0),
		 (struct msg_cap){ .handle = gift, .rights = 0xffff });
}

/* ---- what is refused, and that nothing has happened then ---- */

TEST(fast_path_refuses_as_the_other_does)
{
	struct actor *server = process_new(serve);
	cap_t ep = new_endpoint();
	cap_t entrance = copy_of(ep, RIGHT_CALL, 77);

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	server->arg[1] = MSG_INFO(4, 8, 0);
	actor_start(server);
	yield();
	CHECK(STATUS(endpoint_call, entrance, MSG_INFO(3, 513, 0), NEVER) == ST_BAD_ARG);
	CHECK(STATUS(endpoint_call, entrance, MSG_INFO(3, 8, 5), NEVER) == ST_BAD_ARG);
	CHECK(STATUS(endpoint_call, entrance, 1ull << 20, NEVER) == ST_BAD_ARG);
	CHECK(STATUS(endpoint_call, ep ^ 1ull << 32, 0, NEVER) == ST_BAD_CAP);
	CHECK(STATUS(endpoint_call, server->arg[0] | 1ull << 31, 0, NEVER) == ST_BAD_CAP);
	CHECK(STATUS(endpoint_reply_receive, entrance, 0, NEVER) == ST_NO_RIGHT);
	CHECK(STATUS(endpoint_call, copy_of(ep, RIGHT_RECEIVE, 0), 0, NEVER) == ST_NO_RIGHT);
	CHECK(STATUS(endpoint_call, start->thread, 0, NEVER) == ST_BAD_TYPE);
	CHECK(STATUS(notification_signal, entrance, 1) == ST_BAD_TYPE);
	CHECK(STATUS(thread_yield, server->thread) == ST_BAD_ARG);
	CHECK(server->seen == 0);
	/* Flags are the kernel's. */
	own_block()->word[0] = 5;
	struct sys_result r = SYS(endpoint_call, entrance, MSG_INFO(3, 8, 0) | MSG_FAULT, NEVER);
	CHECK(r.status == ST_OK && server->seen == 82);
}

/* ---- what is switched in passing ---- */

static void serve_with_bases(struct actor *a)
{
	set_bases(0x1111000, 0x2222000);
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);
	while (r.status == ST_OK) {
		a->seen += fs_base() == 0x1111000 && gs_base() == 0x2222000;
		r = SYS(endpoint_reply_receive, a->arg[0], 0, NEVER);
	}
}

TEST(fast_path_switches_bases)
{
	if (!bases_can_be_set())
		SKIP("no FSGSBASE");
	struct actor *server = process_new(serve_with_bases);
	uint64_t fs = fs_base(), gs = gs_base();
	cap_t ep = new_endpoint();

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	actor_start(server);
	yield();
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		set_bases(fs, i << 12);
		CHECK(STATUS(endpoint_call, ep, 0, NEVER) == ST_OK);
		CHECK(fs_base() == fs && gs_base() == i << 12 && server->seen == i);
	}
	set_bases(fs, gs);
}

/* ---- an answer is given once ---- */

static void answer_twice(struct actor *a)
{
	(void)SYS(endpoint_receive, a->arg[0], NEVER);
	/* Its caller, and nobody: both wait for the next call. */
	(void)SYS(endpoint_reply_receive, a->arg[0], 0, NEVER);
	a->seen = 1 + (uint64_t)(STATUS(endpoint_reply, a->self, 0) == ST_OK);
	a->seen += 2 * (uint64_t)(STATUS(endpoint_reply, a->self, 0) == ST_PEER_GONE);
	(void)SYS(endpoint_reply_receive, a->arg[0], 0, 0);
}

TEST(fast_path_answers_once)
{
	struct actor *server = process_new(answer_twice);
	cap_t ep = new_endpoint();

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	actor_start(server);
	yield();
	CHECK(STATUS(endpoint_call, ep, 0, NEVER) == ST_OK);
	CHECK(STATUS(endpoint_call, ep, 0, NEVER) == ST_OK);
	actor_await(server);
	CHECK(server->seen == 4);
}

/* ---- signals to a server that also waits for calls ---- */

static void serve_both(struct actor *a)
{
	struct sys_result r = SYS(endpoint_receive, a->arg[0], NEVER);

	while (r.status == ST_OK) {
		if (r.out[0] != MSG_NOTIFICATION)
			a->seen++;
		else if (STATUS(endpoint_reply, a->self, 0) == ST_PEER_GONE)
			a->seen += r.out[1] << 32;
		/* It finds this when it waits again. */
		if (r.out[0] != MSG_NOTIFICATION)
			SYS(notification_signal, a->arg[1], 2);
		r = SYS(endpoint_reply_receive, a->arg[0], 0, NEVER);
	}
}

TEST(fast_path_leaves_no_bits_behind)
{
	struct actor *server = process_new(serve_both);
	cap_t ep = new_endpoint(), bits = new_notification();

	server->arg[0] = actor_give(server, ep, RIGHT_RECEIVE, 0);
	server->arg[1] = actor_give(server, bits, RIGHT_SIGNAL, 0);
	actor_configure(server, CAP_NONE, CAP_NONE, bits);
	actor_start(server);
	yield();
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		CHECK(STATUS(endpoint_call, ep, 0, NEVER) == ST_OK);
		for (unsigned n = 0; n < PATIENCE && server->seen >> 32 < 3 * i - 1; n++)
			yield();
		CHECK(STATUS(notification_signal, bits, 1) == ST_OK);
		for (unsigned n = 0; n < PATIENCE && server->seen >> 32 < 3 * i; n++)
			yield();
		CHECK((uint32_t)server->seen == i && server->seen >> 32 == 3 * i);
	}
}

/* ---- faults ---- */

static void fault(struct actor *a)
{
	a->block->word[0] = 4711;
	a->seen = *(volatile uint64_t *)NOWHERE;
}

TEST(fast_path_leaves_the_faulting_thread_alone)
{
	struct actor *a = process_new(fault);
	const struct msg_fault *f = (const struct msg_fault *)own_block();
	cap_t ep = new_endpoint();

	actor_configure(a, CAP_NONE, ep, CAP_NONE);
	actor_start(a);
	struct sys_result r = SYS(endpoint_receive, ep, NEVER);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK(r.status == ST_OK && (r.out[0] & MSG_FAULT));
		CHECK(f->kind == FAULT_MEMORY && f->address == NOWHERE);
		/* What is said besides is not for it: nothing goes into its block. */
		r = SYS(endpoint_reply_receive, ep, MSG_INFO(FAULT_RETRY, i % 2 * 8, 0), NEVER);
	}
	CHECK(a->block->word[0] == 4711);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
	CHECK(a->seen == 0 && !a->done);
}
