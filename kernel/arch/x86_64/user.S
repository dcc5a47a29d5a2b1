/* SPDX-License-Identifier: MIT */
/* The way between user mode and the kernel.
 *
 * A CPU has one kernel stack and begins at its top on every entry. The user's registers go
 * straight into the running thread, whose address is in GS:CPU_CURRENT, and come back from
 * whoever runs next. Interrupts are off all the time.
 *
 * abi/x86_64.h says what a system call keeps. So its entry saves nine registers, and its exit
 * loads thirteen. A thread that was interrupted, has faulted, or has a call to repeat, is
 * marked ARCH_LEAVE_FULL: all of its registers count and it leaves by IRETQ.
 *
 * For a thread in guest mode (ARCH_LEAVE_GUEST) these are the guest's: at a system call they go
 * straight into the state page, else into struct arch_thread beside the thread's own.
 *
 * What both exits rely on: RIP is below ARCH_USER_END or, where a trap left it, canonical; SYSRET
 * to another address would fault in the kernel, on the user's stack. SYSCALL can't leave such
 * a RIP, as the last page of the lower half is never mapped. RFLAGS has interrupts on and I/O
 * privilege 0: user mode can change neither.
 */
#include "user_offsets.h"

#define PLACE(r) .set USER_##r, place; .set place, place + 8;
	.set place, 0
	USER_REGISTERS(PLACE)

#define KEPT      rbx, rbp, r12, r13, r14, r15
#define ARGUMENTS rax, rdx, rsi, rdi, r8, r9, r10

	/* Registers to their places from base + at on, and back. */
	.macro SAVE base, at, list:vararg
	.irp r, \list
	movq %\r, \at + USER_\r(%\base)
	.endr
	.endm

	.macro LOAD base, at, list:vararg
	.irp r, \list
	movq \at + USER_\r(%\base), %\r
	.endr
	.endm


	/* RCX is the thread; RAX, RSI, RDI and RDX are loaded. */
	.macro LEAVE_BY_SYSRET
	LOAD rcx, THREAD_USER, rsp
	movq THREAD_USER + USER_rflags(%rcx), %r11
	movq THREAD_USER + USER_rip(%rcx), %rcx
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	swapgs
	sysretq
	.endm

	.text

	.globl user_syscall_entry
	.type user_syscall_entry, @function
	.balign 64
user_syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_CURRENT, %rsp
	testb $LEAVE_GUEST, THREAD_USER + USER_LEAVE(%rsp)
	jnz user_guest_call
	movq %rcx, THREAD_USER + USER_rip(%rsp)
	movq %r11, THREAD_USER + USER_rflags(%rsp)
	SAVE rsp, THREAD_USER, KEPT
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, THREAD_USER + USER_rsp(%rsp)
	movq %gs:CPU_STACK_TOP, %rsp
	/* ipc_fast.h */
	cmpq $SYS_ENDPOINT_CALL, %rax
	je 1f
	cmpq $SYS_ENDPOINT_REPLY_RECEIVE, %rax
	je 2f
	cmpq $SYS_NOTIFICATION_SIGNAL, %rax
	je 3f
	cmpq $SYS_THREAD_YIELD, %rax
	je 4f
	cmpq $SYS_GUEST_ENTER, %rax /* guest.h */
	je 5f
	cmpq $SYS_NOTIFICATION_WAIT, %rax
	je 6f
	xorl %ebp, %ebp
	/* The arguments become an array. */
	.irp r, r9, r8, r10, rdx, rsi, rdi
	pushq %\r
	.endr
	movq %gs:CPU_CURRENT, %rdi
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
5:	call guest_enter
	jmp user_exit
6:	call ipc_wait
	jmp user_exit
	.size user_syscall_entry, . - user_syscall_entry

	.type user_guest_call, @function
user_guest_call:
	movq THREAD_USER + USER_GUEST(%rsp), %rsp
	movq %rcx, USER_rip(%rsp)
	movq %r11, USER_rflags(%rsp)
	SAVE rsp, 0, ARGUMENTS, KEPT
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, USER_rsp(%rsp)
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call guest_called
	jmp user_exit
	.size user_guest_call, . - user_guest_call

	/* RBX: the state page; RCX and R11: as SYSRET takes them, and nothing is the page's word
	 * for that. */
	.globl user_guest_run
	.type user_guest_run, @function
	.balign 64
user_guest_run:
	incq %gs:CPU_KERNEL_EXITS
	LOAD rbx, 0, ARGUMENTS, rbp, r12, r13, r14, r15, rsp, rbx
	swapgs
	sysretq
	.size user_guest_run, . - user_guest_run

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
	movq %gs:CPU_CURRENT, %rcx
	incq %gs:CPU_KERNEL_EXITS
	cmpb $0, THREAD_USER + USER_LEAVE(%rcx)
	jne user_exit_full
	LOAD rcx, THREAD_USER, KEPT, rax, rsi, rdi, rdx
	LEAVE_BY_SYSRET

	/* RCX: the running thread, which made a system call that keeps what its entry saved; RSI,
	 * RDI and RDX: the results. */
	.globl user_exit_results
user_exit_results:
	incq %gs:CPU_KERNEL_EXITS
	LOAD rcx, THREAD_USER, KEPT
	xorl %eax, %eax
	LEAVE_BY_SYSRET

	/* The same for RBX, which runs from here on in place of R10; R9: the CPU. The bases of both
	 * are in their registers or go there, GS's between the exit's own swap and the way out.
	 * `current` is written last: another CPU may load R10's registers then. */
	.globl user_exit_switch
user_exit_switch:
	rdfsbase %rax
	movq %rax, THREAD_USER + USER_FS(%r10)
	movq THREAD_USER + USER_FS(%rbx), %rax
	wrfsbase %rax
	movq THREAD_USER + USER_GS(%rbx), %r8
	incq %gs:CPU_KERNEL_EXITS
	LOAD rbx, THREAD_USER, rbp, r12, r13, r14, r15, rsp
	movq THREAD_USER + USER_rip(%rbx), %rcx
	movq THREAD_USER + USER_rflags(%rbx), %r11
	swapgs
	rdgsbase %rax
	wrgsbase %r8
	movq %rax, THREAD_USER + USER_GS(%r10)
	movq %rbx, CPU_CURRENT(%r9)
	LOAD rbx, THREAD_USER, rbx
	xorl %eax, %eax
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	sysretq

user_exit_full:
	andb $LEAVE_GUEST, THREAD_USER + USER_LEAVE(%rcx)
	jz 1f
	addq $USER_INSIDE, %rcx
1:	pushq $USER_SS
	pushq THREAD_USER + USER_rsp(%rcx)
	pushq THREAD_USER + USER_rflags(%rcx)
	pushq $USER_CS
	pushq THREAD_USER + USER_rip(%rcx)
	LOAD rcx, THREAD_USER, ARGUMENTS, r11, KEPT, rcx
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
	movq %gs:CPU_CURRENT, %rcx
	orb $LEAVE_FULL, THREAD_USER + USER_LEAVE(%rcx)
	testb $LEAVE_GUEST, THREAD_USER + USER_LEAVE(%rcx)
	jz 2f
	addq $USER_INSIDE, %rcx
2:	SAVE rcx, THREAD_USER, ARGUMENTS, r11, KEPT
	popq THREAD_USER + USER_rcx(%rcx)
	popq %rsi /* vector */
	popq %rdx /* error code */
	popq THREAD_USER + USER_rip(%rcx)
	popq %rax /* code segment: user mode has one */
	popq THREAD_USER + USER_rflags(%rcx)
	popq THREAD_USER + USER_rsp(%rcx)
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	movq %gs:CPU_CURRENT, %rdi
	call user_trap
	jmp user_exit
	.size user_trap_entry, . - user_trap_entry
