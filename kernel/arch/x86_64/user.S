/* SPDX-License-Identifier: MIT */
/* The way between user mode and the kernel.
 *
 * A CPU has one kernel stack and begins at its top on every entry. The user's registers go
 * straight into the running thread's struct arch_thread, whose address is in GS:CPU_USER, and
 * come back from that of whoever runs next. Interrupts are off all the time.
 *
 * abi/x86_64.h says what a system call keeps. So its entry saves nine registers, and its exit
 * loads thirteen. A thread that was interrupted, has faulted, or has a call to repeat, is
 * marked ARCH_LEAVE_FULL: all of its registers count and it leaves by IRETQ.
 *
 * What both exits rely on: RIP is below ARCH_USER_END or, where a trap left it, canonical; SYSRET
 * to another address would fault in the kernel, on the user's stack. SYSCALL can't leave such
 * a RIP, as the last page of the lower half is never mapped. RFLAGS has interrupts on and I/O
 * privilege 0: user mode can change neither.
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
	movq %gs:CPU_STACK_TOP, %rsp
	/* ipc_fast.h */
	cmpl $SYS_ENDPOINT_CALL, %eax
	je 1f
	cmpl $SYS_ENDPOINT_REPLY_RECEIVE, %eax
	je 2f
	cmpl $SYS_NOTIFICATION_SIGNAL, %eax
	je 3f
	cmpl $SYS_THREAD_YIELD, %eax
	je 4f
	xorl %ebp, %ebp
	/* The arguments become an array. */
	pushq %r9
	pushq %r8
	pushq %r10
	pushq %rdx
	pushq %rsi
	pushq %rdi
	movq %rcx, %rdi
	movq %rax, %rsi
	movq %rsp, %rdx
	call arch_syscall
	jmp user_exit
1:	call ipc_call
	jmp user_exit
2:	call ipc_reply_receive
	jmp user_exit
3:	call ipc_signal
	jmp user_exit
4:	call ipc_yield
	jmp user_exit
	.size user_syscall_entry, . - user_syscall_entry

	/* NORETURN void arch_run_threads(void). Nothing runs yet, so somebody has to be chosen. */
	.globl arch_run_threads
	.type arch_run_threads, @function
arch_run_threads:
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call thread_exit_slow
	jmp user_exit
	.size arch_run_threads, . - arch_run_threads

	.type user_exit, @function
	.balign 64
user_exit:
	movq %gs:CPU_USER, %rcx
	incq %gs:CPU_KERNEL_EXITS
	cmpb $0, USER_LEAVE(%rcx)
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

	/* RCX: the thread, which made a system call that keeps what its entry saved; RSI, RDI and
	 * RDX: the results. */
	.globl user_exit_results
user_exit_results:
	incq %gs:CPU_KERNEL_EXITS
	movq USER_RBX(%rcx), %rbx
	movq USER_RBP(%rcx), %rbp
	movq USER_R12(%rcx), %r12
	movq USER_R13(%rcx), %r13
	movq USER_R14(%rcx), %r14
	movq USER_R15(%rcx), %r15
	xorl %eax, %eax
	movq USER_RFLAGS(%rcx), %r11
	movq USER_RSP(%rcx), %rsp
	movq USER_RIP(%rcx), %rcx
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	swapgs
	sysretq

user_exit_full:
	movb $0, USER_LEAVE(%rcx)
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
	.size user_exit, . - user_exit

	/* From trap_common, for a vector that struck in user mode. The stack holds the vector, the
	 * error code and the processor's five words. */
	.globl user_trap_entry
	.type user_trap_entry, @function
user_trap_entry:
	swapgs
	lfence /* nothing is read through GS before it is known to be ours */
	cld
	testb $1, cpu_has_smap(%rip)
	jz 1f
	clac
1:	pushq %rcx
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
	popq USER_RCX(%rcx)
	popq %rsi /* vector */
	popq %rdx /* error code */
	popq USER_RIP(%rcx)
	popq %rax /* code segment: user mode has one */
	popq USER_RFLAGS(%rcx)
	popq USER_RSP(%rcx)
	orb $1, USER_LEAVE(%rcx) /* ARCH_LEAVE_FULL */
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	movq %rcx, %rdi
	call user_trap
	jmp user_exit
	.size user_trap_entry, . - user_trap_entry
