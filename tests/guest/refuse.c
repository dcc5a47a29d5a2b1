/* SPDX-License-Identifier: MIT */
#include "refuse.h"
#include "console.h"
#include <abi/node.h>
#include <lib/sys/calls.h>
#include <lib/sys/program.h>

void count_calls(struct counts *out, unsigned number)
{
	struct node_counters n;

	*out = (struct counts){ 0 };
	for (uint64_t cpu = 0; cpu < start->cpus; cpu++) {
		SYS(node_counters, start->node, cpu, &n, sizeof(n));
		out->refused += n.refused;
		out->one += number < NODE_CALLS ? n.calls[number] : 0;
		for (unsigned i = 0; i < NODE_CALLS; i++)
			out->all += i == SYS_node_counters ? 0 : n.calls[i];
	}
}

uint64_t used_of(cap_t q)
{
	return SYS(quota_read, q).out[0];
}

bool refuses(status_t status, unsigned number, const uint64_t arg[])
{
	struct counts before, after;
	uint64_t used[2];

	for (unsigned i = 0; i < ARRAY_LEN(used); i++) {
		count_calls(&before, NODE_CALLS);
		struct sys_result r =
			sys_call6(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
		count_calls(&after, NODE_CALLS);
		used[i] = used_of(quota);
		if (r.status != status || r.out[0] != 0 || r.out[1] != 0 || r.out[2] != 0 ||
		    after.refused != before.refused + 1) {
			say("# call %u: status %d, results %lx %lx %lx, %lu refused", number,
			    r.status, r.out[0], r.out[1], r.out[2], after.refused - before.refused);
			return false;
		}
	}
	if (used[1] > used[0])
		say("# call %u: costs %lu bytes", number, used[1] - used[0]);
	return used[1] <= used[0];
}

bool can_read(const void *va)
{
	static cap_t memory, of;

	if (of != quota)
		memory = new_memory(1);
	of = quota;
	return STATUS(memory_write, memory, 0, va, 1) == ST_OK;
}

bool can_write(void *va)
{
	return STATUS(node_entropy, start->node, va, 1) == ST_OK;
}

bool each_bad_address(uint64_t size, bool write, bool (*try)(uint64_t va))
{
	static const uint64_t bad[] = {
		0,
		1,
		0xfff0,
		USER_ADDRESS_END,
		USER_ADDRESS_END - 1,
		0x0000800000000000,
		0x0123456789abcdef,
		0xffff7fffffffffff,
		0xffff800000000000,
		0xffff800000100000,
		0xffffffff80000000,
		0xffffffff80010000,
		UINT64_MAX - 7,
		UINT64_MAX,
	};
	uint64_t gap = (uint64_t)new_pages(1) + MEMORY_PAGE; /* nothing is mapped there */
	uint64_t constant = (uint64_t)map(new_memory(1), 1, MAP_READ);

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		if (!try(bad[i])) {
			say("# address %lx passes", bad[i]);
			return false;
		}
	}
	if (!try(gap) || (size > 1 && !try(gap - 1)) || (size > 1 && !try(gap - size + 1))) {
		say("# what reaches beyond a mapping passes");
		return false;
	}
	if (write && (!try(constant) || !try((uint64_t)program_text))) {
		say("# what can only be read passes");
		return false;
	}
	return true;
}

/* ---- calls that write ---- */

#define NOWHERE 0x7000000000

status_t write_by_call(unsigned which, const struct sources *from, void *va)
{
	struct log_part part;
	uint64_t all;

	switch (which) {
	case 0:
		return sys_memory_read(from->memory, 0, va, 64);
	case 1:
		return sys_aspace_scan(start->aspace, NOWHERE, 64, va);
	case 2:
		return sys_thread_read_registers(from->thread, va);
	case 3:
		return sys_node_log(start->node, 0, va, 64, &part);
	case 4:
		return sys_node_counters(start->node, 0, va, 64, &all);
	default:
		return sys_node_entropy(start->node, va, 64);
	}
}
