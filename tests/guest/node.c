/* SPDX-License-Identifier: MIT */
/* Calls on the node: log, counters, entropy, power. */
#include "job.h"
#include "refuse.h"
#include <abi/node.h>
#include <lib/sys/calls.h>

/* ---- log ---- */

static bool contains(const char *text, uint64_t size, const char *what)
{
	for (uint64_t i = 0; i < size; i++) {
		uint64_t n = 0;
		while (what[n] != '\0' && i + n < size && text[i + n] == what[n])
			n++;
		if (what[n] == '\0')
			return true;
	}
	return false;
}

TEST(node_log_has_what_the_kernel_said)
{
	char *text = new_pages(1);
	struct log_part p;

	CHECK(sys_node_log(start->node, 0, text, NODE_LOG_MAX, &p) == ST_OK);
	CHECK(p.bytes > 100 && p.bytes <= NODE_LOG_MAX && p.next >= p.bytes);
	CHECK(contains(text, p.bytes, "cpu0 info") && contains(text, p.bytes, "\n"));
}

/* In small parts it is the same, to the end, where there is nothing more. */
TEST(node_log_in_parts)
{
	char *all = new_pages(1), *parts = new_pages(1);
	struct log_part whole, p = { 0, 0 };
	uint64_t got = 0;

	CHECK(sys_node_log(start->node, 0, all, NODE_LOG_MAX, &whole) == ST_OK);
	while (got < whole.bytes) {
		uint64_t size = whole.bytes - got < 37 ? whole.bytes - got : 37;
		CHECK(sys_node_log(start->node, p.next, parts + got, size, &p) == ST_OK);
		CHECK(p.bytes > 0 && p.bytes <= size);
		got += p.bytes;
	}
	CHECK(p.next == whole.next && memcmp(all, parts, got) == 0);
	CHECK(sys_node_log(start->node, p.next, parts, 0, &p) == ST_OK && p.bytes == 0);
}

TEST(node_log_beyond_its_end)
{
	char *text = new_pages(1);
	struct log_part p;

	text[0] = 'x';
	CHECK(sys_node_log(start->node, UINT64_MAX, text, 64, &p) == ST_OK && p.bytes == 0);
	CHECK(sys_node_log(start->node, 1ull << 62, text, 64, &p) == ST_OK && p.bytes == 0);
	CHECK(text[0] == 'x');
	CHECK(REFUSES(ST_TOO_BIG, node_log, start->node, 0, text, NODE_LOG_MAX + 1));
	CHECK(REFUSES(ST_TOO_BIG, node_log, start->node, 0, text, UINT64_MAX));
}

static bool log_to(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, node_log, start->node, 0, va, 64);
}

TEST(node_log_to_bad_addresses)
{
	CHECK(each_bad_address(64, true, log_to));
}

/* ---- counters ---- */

TEST(node_counters_count)
{
	uint64_t calls = COUNT(calls[SYS_thread_unpark]), refused = COUNT(refused);
	uint64_t exits = COUNT(exits), switches = COUNT(switches), fast = COUNT(fast);

	for (unsigned i = 0; i < 10; i++)
		CHECK(sys_thread_unpark(start->thread) == ST_OK);
	CHECK(COUNT(calls[SYS_thread_unpark]) == calls + 10);
	CHECK(COUNT(refused) == refused);
	CHECK(sys_thread_unpark(CAP_NONE) == ST_BAD_CAP);
	CHECK(COUNT(refused) == refused + 1 && COUNT(calls[SYS_thread_unpark]) == calls + 11);
	CHECK(COUNT(exits) >= exits + 10 && COUNT(switches) >= switches && COUNT(fast) >= fast);
}

static void fault(struct actor *a)
{
	*(volatile uint64_t *)a->arg[0] = 1;
}

TEST(node_counters_count_faults)
{
	uint64_t faults = COUNT(faults);
	struct actor *a = actor_new(fault);
	struct arch_registers r;

	actor_start(a);
	while (sys_thread_read_registers(a->thread, &r) == ST_BAD_STATE)
		yield();
	CHECK(COUNT(faults) == faults + 1);
}

/* Only as much as is asked for is written. */
TEST(node_counters_in_part)
{
	uint64_t *words = new_pages(1), all = 0;

	words[2] = words[3] = 1;
	CHECK(sys_node_counters(start->node, 0, words, 16, &all) == ST_OK);
	CHECK(all == sizeof(struct node_counters) && words[2] == 1 && words[3] == 1);
	CHECK(sys_node_counters(start->node, 0, words, 0, &all) == ST_OK && all > 0);
	uint8_t *page = new_pages(1);
	memset(page, 0x77, MEMORY_PAGE);
	CHECK(sys_node_counters(start->node, 0, page, UINT64_MAX, &all) == ST_OK);
	CHECK(page[all] == 0x77);
}

TEST(node_counters_of_no_cpu)
{
	uint64_t word;

	CHECK(REFUSES(ST_BAD_ARG, node_counters, start->node, start->cpus, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, node_counters, start->node, 63, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, node_counters, start->node, 64, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, node_counters, start->node, 1ull << 32, &word, 8));
	CHECK(REFUSES(ST_BAD_ARG, node_counters, start->node, UINT64_MAX, &word, 8));
}

static bool counters_to(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, node_counters, start->node, 0, va, 64);
}

TEST(node_counters_to_bad_addresses)
{
	CHECK(each_bad_address(64, true, counters_to));
}

/* ---- entropy ---- */

TEST(node_entropy_gives_what_is_asked)
{
	uint8_t bytes[NODE_ENTROPY_MAX + 1] = { 0 }, more[NODE_ENTROPY_MAX];
	unsigned ones = 0;

	bytes[NODE_ENTROPY_MAX] = 0x77;
	CHECK(sys_node_entropy(start->node, bytes, NODE_ENTROPY_MAX) == ST_OK);
	CHECK(sys_node_entropy(start->node, more, NODE_ENTROPY_MAX) == ST_OK);
	CHECK(bytes[NODE_ENTROPY_MAX] == 0x77);
	CHECK(memcmp(bytes, more, NODE_ENTROPY_MAX) != 0);
	for (unsigned i = 0; i < NODE_ENTROPY_MAX; i++) {
		for (unsigned b = bytes[i]; b != 0; b &= b - 1)
			ones++;
	}
	CHECK(ones > 800 && ones < 1250); /* of 2048; 10 standard deviations */
	bytes[1] = 0x77;
	CHECK(sys_node_entropy(start->node, bytes, 1) == ST_OK && bytes[1] == 0x77);
	CHECK(sys_node_entropy(start->node, bytes, 0) == ST_OK);
}

TEST(node_entropy_refuses)
{
	uint8_t *bytes = new_pages(1);

	CHECK(REFUSES(ST_TOO_BIG, node_entropy, start->node, bytes, NODE_ENTROPY_MAX + 1));
	CHECK(REFUSES(ST_TOO_BIG, node_entropy, start->node, bytes, UINT64_MAX));
	CHECK(bytes[0] == 0);
}

static bool entropy_to(uint64_t va)
{
	return REFUSES(ST_BAD_ADDRESS, node_entropy, start->node, va, 16);
}

TEST(node_entropy_to_bad_addresses)
{
	CHECK(each_bad_address(16, true, entropy_to));
}

/* ---- power ---- */

/* What it does with the ways that there are, the end of every run of tests shows. */
TEST(node_power_refuses)
{
	CHECK(REFUSES(ST_BAD_ARG, node_power, start->node, NODE_REBOOT + 1));
	CHECK(REFUSES(ST_BAD_ARG, node_power, start->node, 1ull << 32));
	CHECK(REFUSES(ST_BAD_ARG, node_power, start->node, UINT64_MAX));
}
