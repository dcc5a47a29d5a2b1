/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/user.h - the C half of user.S. */
#pragma once
#include <core/types.h>

struct arch_thread;

/* Where a processor goes at SYSCALL; on each CPU. */
void user_cpu_init(void);

/* From user.S. `t` came from user mode; on return somebody can go there, see user_leave. */
void user_trap(struct arch_thread *t, uint64_t vector, uint64_t error);

/* The end of every entry: this CPU's `user` is whoever goes to user mode. */
void user_leave(void);

/* user.S */
void user_syscall_entry(void);
