/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/user_offsets.h - what user.S must know of C structures and numbers; user.c
 * checks each. */
#pragma once

/* struct cpu, and struct arch_cpu in it */
#define CPU_KERNEL_EXITS 16
#define CPU_USER         32
#define CPU_USER_RSP     40
#define CPU_STACK_TOP    48

/* struct arch_thread; the registers come first and stand alike in a state page */
#define USER_RAX    0
#define USER_RSI    8
#define USER_RDI    16
#define USER_RDX    24
#define USER_RIP    32
#define USER_RFLAGS 40
#define USER_RSP    48
#define USER_RBX    56
#define USER_RBP    64
#define USER_R12    72
#define USER_R13    80
#define USER_R14    88
#define USER_R15    96
#define USER_R8     104
#define USER_R9     112
#define USER_R10    120
#define USER_R11    128
#define USER_RCX    136
#define USER_GUEST  160
#define USER_LEAVE  196

/* Selectors, see cpu.h */
#define USER_SS 0x1b
#define USER_CS 0x23

/* System calls, see abi/syscall.def */
#define SYS_THREAD_YIELD           29
#define SYS_ENDPOINT_CALL          36
#define SYS_ENDPOINT_REPLY_RECEIVE 39
#define SYS_NOTIFICATION_SIGNAL    44
