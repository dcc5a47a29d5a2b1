/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/user.h - the C half of user.S. */
#pragma once
#include <core/types.h>

struct thread;

/* Where a processor goes at SYSCALL; on each CPU. */
void user_cpu_init(void);

/* From user.S. `t` came from user mode; on return cpu.current goes there. */
void user_trap(struct thread *t, uint64_t vector, uint64_t error);

/* user.S */
void user_syscall_entry(void);
