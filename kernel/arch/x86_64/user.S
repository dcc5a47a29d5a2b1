/* SPDX-License-Identifier: MIT */
/* The way between user mode and the kernel.
 *
 * A CPU has one kernel stack and begins at its top on every entry. The user's
 * registers go straight into the running thread's struct arch_thread (GS:CPU_USER
 * holds its address) and come back from that of whoever runs next.
 *
 * SYSCALL: the number is in RAX, arguments in RDI, RSI, RDX, R10, R8, R9; results in
 * RAX (status), RSI, RDI, RDX. RCX, R8 to R11 come back as zero (RCX and R11 as SYSRET
 * leaves them); RBX, RBP, RSP and R12 to R15 are kept. So an entry saves nine registers
 * and an exit loads thirteen. A thread that was interrupted, faulted, or has a call to
 * repeat is `full`: all its registers count and it leaves by IRETQ.
 */
#include "user_offsets.h"

	.text

	.globl user_syscall_entry
	.type user_syscall_entry, @function
	.balign 64
user_syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_USER, %rsp
	movq %rcx, USER_RIP(%rsp)
	movq %r11, USER_RFLAGS(%rsp)
	movq %rbx, USER_RBX(%rsp)
	movq %rbp, USER_RBP(%rsp)
	movq %r12, USER_R12(%rsp)
	movq %r13, USER_R13(%rsp)
	movq %r14, USER_R14(%rsp)
	movq %r15, USER_R15(%rsp)
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, USER_RSP(%rsp)
	movq %rsp, %rcx
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	cmpl $SYS_ENDPOINT_CALL, %eax
	je 1f
	cmpl $SYS_ENDPOINT_REPLY_RECEIVE, %eax
	je 2f
user_syscall_other:
	/* The arguments are kept in case that the call is repeated. */
	movq %rax, USER_RAX(%rcx)
	movq %rdi, USER_RDI(%rcx)
	movq %rsi, USER_RSI(%rcx)
	movq %rdx, USER_RDX(%rcx)
	movq %r10, USER_R10(%rcx)
	movq %r8, USER_R8(%rcx)
	movq %r9, USER_R9(%rcx)
	movq %rcx, %rdi
	call user_syscall
	jmp user_exit
1:	call ipc_call
	jmp user_exit
2:	call ipc_reply_receive

	/* Goes to user mode as the running thread. */
	.globl user_exit
user_exit:
	movq %gs:CPU_USER, %rcx
	cmpb $0, USER_FULL(%rcx)
	jne user_exit_full
	movq USER_RBX(%rcx), %rbx
	movq USER_RBP(%rcx), %rbp
	movq USER_R12(%rcx), %r12
	movq USER_R13(%rcx), %r13
	movq USER_R14(%rcx), %r14
	movq USER_R15(%rcx), %r15
	movq USER_RAX(%rcx), %rax
	movq USER_RSI(%rcx), %rsi
	movq USER_RDI(%rcx), %rdi
	movq USER_RDX(%rcx), %rdx
	movq USER_RFLAGS(%rcx), %r11
	movq USER_RSP(%rcx), %rsp
	movq USER_RIP(%rcx), %rcx
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	swapgs
	sysretq

user_exit_full:
	movb $0, USER_FULL(%rcx)
	pushq $USER_SS
	pushq USER_RSP(%rcx)
	pushq USER_RFLAGS(%rcx)
	pushq $USER_CS
	pushq USER_RIP(%rcx)
	movq USER_RAX(%rcx), %rax
	movq USER_RBX(%rcx), %rbx
	movq USER_RDX(%rcx), %rdx
	movq USER_RSI(%rcx), %rsi
	movq USER_RDI(%rcx), %rdi
	movq USER_RBP(%rcx), %rbp
	movq USER_R8(%rcx), %r8
	movq USER_R9(%rcx), %r9
	movq USER_R10(%rcx), %r10
	movq USER_R11(%rcx), %r11
	movq USER_R12(%rcx), %r12
	movq USER_R13(%rcx), %r13
	movq USER_R14(%rcx), %r14
	movq USER_R15(%rcx), %r15
	movq USER_RCX(%rcx), %rcx
	swapgs
	iretq
	.size user_syscall_entry, . - user_syscall_entry

	/* From trap_common, for a vector that struck in user mode. The stack holds the
	 * vector, the error code and the processor's five words; its top is where the
	 * processor began. */
	.globl user_trap_entry
	.type user_trap_entry, @function
user_trap_entry:
	swapgs
	pushq %rcx
	movq %gs:CPU_USER, %rcx
	movq %rax, USER_RAX(%rcx)
	movq %rbx, USER_RBX(%rcx)
	movq %rdx, USER_RDX(%rcx)
	movq %rsi, USER_RSI(%rcx)
	movq %rdi, USER_RDI(%rcx)
	movq %rbp, USER_RBP(%rcx)
	movq %r8, USER_R8(%rcx)
	movq %r9, USER_R9(%rcx)
	movq %r10, USER_R10(%rcx)
	movq %r11, USER_R11(%rcx)
	movq %r12, USER_R12(%rcx)
	movq %r13, USER_R13(%rcx)
	movq %r14, USER_R14(%rcx)
	movq %r15, USER_R15(%rcx)
	popq %rax
	movq %rax, USER_RCX(%rcx)
	popq %rsi /* vector */
	popq %rdx /* error code */
	popq %rax
	movq %rax, USER_RIP(%rcx)
	popq %rax /* code segment: a constant */
	popq %rax
	movq %rax, USER_RFLAGS(%rcx)
	popq %rax
	movq %rax, USER_RSP(%rcx)
	movb $1, USER_FULL(%rcx)
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	cld
	movq %rcx, %rdi
	call user_trap
	jmp user_exit
	.size user_trap_entry, . - user_trap_entry
