/* SPDX-License-Identifier: MIT */
/* kernel/core/node.c - what there is one of: the kernel's log, counters, entropy, power.
 *
 * Life    made once for the first program, with a right for each of the four; it dies when
 *         nobody has a capability to it any more.
 * Owns    nothing.
 * Locks   none of its own.
 * Blocks  never.
 *
 * abi/node.h says what its calls carry.
 */
#include <abi/node.h>
#include <core/log.h>
#include <core/random.h>
#include <core/syscall.h>
#include <core/user.h>
#include <core/wipe.h>

#define PIECE 256 /* bytes of the log that are copied at a time */

_Static_assert(NODE_CALLS == CPU_SYSCALLS, "every call is counted");

const struct object_ops node_ops = OBJECT_OPS("node", struct object, LOCK_IPC, NULL);

/* Bytes of the log from a position on: out 0, how many; out 1, the position behind them. What has
 * fallen out of the log is skipped, so the first may be a later one than was asked for. */
status_t sys_node_log(struct syscall *c)
{
	uint64_t at = c->arg[1], size = c->arg[3], done = 0;
	char piece[PIECE];

	if (size > NODE_LOG_MAX)
		return ST_TOO_BIG;
	while (done < size) {
		uint64_t next = at;
		size_t n = log_read(&next, piece, size - done < PIECE ? size - done : PIECE);
		/* What follows a gap is left for the next call. */
		if (n == 0 || (done > 0 && next != at + n))
			break;
		status_t st = user_copy_out(c->self, c->arg[2] + done, piece, n);
		if (st != ST_OK)
			return st;
		done += n;
		at = next;
	}
	c->out[0] = done;
	c->out[1] = at;
	return ST_OK;
}

static uint64_t count_of(const cpu_counter_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void read_counters(const struct cpu *cpu, struct node_counters *out)
{
	const struct cpu_counters *n = &cpu->counters;

	for (unsigned i = 0; i < NODE_CALLS; i++)
		out->calls[i] = count_of(&n->calls[i]);
	out->refused = count_of(&n->refused);
	out->exits = count_of(&cpu->kernel_exits);
	out->lock_waits = count_of(&cpu->lock_waits);
	out->switches = count_of(&n->switches);
	out->direct = count_of(&n->direct);
	for (unsigned i = 0; i < CPU_FAST; i++)
		out->fast += count_of(&n->fast[i]);
	out->calls[SYS_endpoint_call] += count_of(&n->fast[FAST_CALL]);
	out->calls[SYS_endpoint_reply_receive] += count_of(&n->fast[FAST_REPLY]);
	out->calls[SYS_notification_signal] += count_of(&n->fast[FAST_SIGNAL]);
	out->calls[SYS_notification_wait] += count_of(&n->fast[FAST_WAIT]);
	out->calls[SYS_thread_yield] += count_of(&n->fast[FAST_YIELD]);
	out->switches += out->fast;
	out->direct += out->fast;
	out->kicks = count_of(&n->kicks);
	out->faults = count_of(&n->faults);
	out->interrupts = arch_interrupt_count(cpu->id);
	out->longest_run = count_of(&cpu->run.longest);
	out->longest_what = count_of(&cpu->run.longest_what);
}

/* As many bytes of the counters as are wanted; out 0: how many there are. */
status_t sys_node_counters(struct syscall *c)
{
	struct node_counters counters;
	uint64_t cpu = c->arg[1], size = least(c->arg[3], sizeof(counters));

	if (cpu >= CPU_MAX || !(cpu_online_mask() >> cpu & 1))
		return ST_BAD_ARG;
	read_counters(cpu_by_id[cpu], &counters);
	c->out[0] = sizeof(counters);
	return user_copy_out(c->self, c->arg[2], &counters, size);
}

status_t sys_node_entropy(struct syscall *c)
{
	uint8_t bytes[NODE_ENTROPY_MAX];

	if (c->arg[2] > sizeof(bytes))
		return ST_TOO_BIG;
	random_bytes(bytes, c->arg[2]);
	status_t st = user_copy_out(c->self, c->arg[1], bytes, c->arg[2]);
	wipe(bytes, sizeof(bytes));
	return st;
}

status_t sys_node_power(struct syscall *c)
{
	static const char *const what[] = {
		[NODE_OFF] = "off",
		[NODE_OFF_FAILED] = "off, with a failure",
		[NODE_REBOOT] = "reboot",
	};

	if (c->arg[1] >= ARRAY_LEN(what))
		return ST_BAD_ARG;
	log_info("power", "%s: a program with the right to it asked for that", what[c->arg[1]]);
	if (c->arg[1] == NODE_REBOOT)
		arch_reboot();
	arch_power_off(c->arg[1] == NODE_OFF_FAILED);
}
