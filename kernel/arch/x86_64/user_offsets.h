/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/user_offsets.h - what user.S must know of C structures and numbers; user.c
 * checks each. */
#pragma once

/* struct cpu, and struct arch_cpu in it */
#define CPU_KERNEL_EXITS 16
#define CPU_USER_RSP     32
#define CPU_STACK_TOP    40
#define CPU_CURRENT      504

/* struct arch_registers, in order: USER_rax and so on are their places in a state page, and in
 * struct arch_thread, where they come first. That is in struct thread. */
#define THREAD_USER 152

#define USER_REGISTERS(R)                                                                          \
	R(rax)                                                                                     \
	R(rsi)                                                                                     \
	R(rdi)                                                                                     \
	R(rdx)                                                                                     \
	R(rip)                                                                                     \
	R(rflags) R(rsp) R(rbx) R(rbp) R(r12) R(r13) R(r14) R(r15) R(r8) R(r9) R(r10) R(r11) R(rcx)

/* The rest of struct arch_thread. */
#define USER_GUEST  160
#define USER_FS     168
#define USER_GS     176
#define USER_LEAVE  196
#define USER_INSIDE 200

#define LEAVE_FULL  1
#define LEAVE_GUEST 2

/* Selectors, see cpu.h */
#define USER_SS 0x1b
#define USER_CS 0x23

/* System calls, see abi/syscall.def */
#define SYS_THREAD_YIELD           29
#define SYS_GUEST_ENTER            34
#define SYS_ENDPOINT_CALL          36
#define SYS_ENDPOINT_REPLY_RECEIVE 39
#define SYS_NOTIFICATION_SIGNAL    44
#define SYS_NOTIFICATION_WAIT      45
