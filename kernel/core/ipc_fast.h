/* SPDX-License-Identifier: MIT */
/* kernel/core/ipc_fast.h - short messages between threads of one CPU.
 *
 * Two system calls begin here: a call to a server that waits, and an answer after which the
 * server waits again. They do what syscall.c and endpoint.c do, for the case that nothing else
 * has to be thought of: up to MSG_FAST bytes, no capability, no deadline, nobody queued, nothing
 * pending, both threads of this CPU. Everything is checked before anything is changed, and
 * with the first doubt the ordinary way is gone from the beginning; the results are the same.
 *
 * The machine's entry jumps here. The registers that a function must keep are saved already and
 * will be loaded from a thread, so these functions are compiled to keep none of them, and no
 * C function may call them (mk/kernel.mk).
 */
#pragma once
#include <abi/rights.h>
#include <core/types.h>

struct arch_thread;
struct cpu;

/* The running thread, whose registers are `user`, calls, or answers and receives. On return
 * cpu.current goes to user mode. */
void ipc_call(cap_t endpoint, uint64_t info, uint64_t deadline, struct arch_thread *user);
void ipc_reply_receive(cap_t endpoint, uint64_t info, uint64_t deadline, struct arch_thread *user);

/* Lets `c` use the fast path, or not (boot option test.slow). */
void ipc_fast_allow(struct cpu *c, bool allow);
