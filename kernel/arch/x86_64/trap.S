/* SPDX-License-Identifier: MIT */
/* Entry and exit of every vector.
 *
 * A stub of 16 bytes for each vector makes the stack look the same (error code
 * or 0, vector) and jumps to one of two entries:
 *
 *   trap_common    Runs on the stack that was current, with the kernel's GS. An entry
 *                  from user mode, told by the two low bits of the saved CS, goes on
 *                  in user.S.
 *   trap_paranoid  NMI, machine check and double fault, each on a stack of its
 *                  own. They may strike where GS and the saved CS do not agree,
 *                  so they believe neither: the CPU's address lies in the two
 *                  words at the top of each of these stacks (cpu.c), and the GS
 *                  base is put back as it was found.
 */
#define MSR_GS_BASE     0xc0000101
#define TRAP_FRAME_SIZE 176
#define FRAME_VECTOR    120
#define STUB_CS         24 /* above the vector and the error code */
#define FRAME_RIP       136

	.text

	/* The processor pushes an error code for 8 #DF, 10 #TS, 11 #NP, 12 #SS, 13 #GP,
	 * 14 #PF, 17 #AC, 21 #CP, 29 #VC and 30 #SX. */
	.balign 16
	.globl trap_stubs
	.type trap_stubs, @function
trap_stubs:
	.set .Lvector, 0
	.rept 256
	.balign 16
	.if (.Lvector == 8) || (.Lvector >= 10 && .Lvector <= 14) || (.Lvector == 17) || (.Lvector == 21) || (.Lvector == 29) || (.Lvector == 30)
	.else
	pushq $0
	.endif
	pushq $.Lvector
	.if (.Lvector == 2) || (.Lvector == 8) || (.Lvector == 18)
	jmp trap_paranoid
	.else
	jmp trap_common
	.endif
	.set .Lvector, .Lvector + 1
	.endr
	.balign 16
	.size trap_stubs, . - trap_stubs

	.macro SAVE_REGISTERS
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	pushq %\r
	.endr
	cld
	.endm

	/* With vector and error code taken off, ready for IRETQ. */
	.macro RESTORE_REGISTERS
	.irp r, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	popq %\r
	.endr
	addq $16, %rsp
	.endm

	/* A call frame for the code that was interrupted, so that a walk along the
	 * frame pointers goes on in it. The frame's address is the argument. */
	.macro CALL_DISPATCH
	movq %rsp, %rdi
	pushq FRAME_RIP(%rdi)
	pushq %rbp
	movq %rsp, %rbp
	call trap_dispatch
	addq $16, %rsp
	.endm

	/* An access to user memory may have been interrupted, with SMAP lifted for
	 * it; the saved flags bring that back. */
	.macro CLOSE_USER_ACCESS
	testb $1, cpu_has_smap(%rip)
	jz 1f
	clac
1:
	.endm

	.globl trap_common
	.type trap_common, @function
trap_common:
	testb $3, STUB_CS(%rsp)
	jnz user_trap_entry
	lfence /* nothing is read through GS before it is known to be ours */
	SAVE_REGISTERS
	CLOSE_USER_ACCESS
	CALL_DISPATCH
	RESTORE_REGISTERS
	iretq
	.size trap_common, . - trap_common

	.globl trap_paranoid
	.type trap_paranoid, @function
trap_paranoid:
	SAVE_REGISTERS
	CLOSE_USER_ACCESS
	movl $MSR_GS_BASE, %ecx
	rdmsr
	movl %eax, %r12d
	movl %edx, %r13d
	movl TRAP_FRAME_SIZE(%rsp), %eax
	movl TRAP_FRAME_SIZE + 4(%rsp), %edx
	wrmsr
	CALL_DISPATCH
	movl $MSR_GS_BASE, %ecx
	movl %r12d, %eax
	movl %r13d, %edx
	wrmsr
	RESTORE_REGISTERS
	iretq
	.size trap_paranoid, . - trap_paranoid
