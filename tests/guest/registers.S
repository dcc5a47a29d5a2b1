/* SPDX-License-Identifier: MIT */
	.altmacro
	.macro LOAD_AS n
	movdqu 16 * \n(%rdi), %xmm\n
	.endm
	.macro LOAD n
	LOAD_AS %n
	.endm
	.macro STORE_AS n
	movdqu %xmm\n, 16 * \n(%rdi)
	.endm
	.macro STORE n
	STORE_AS %n
	.endm

	.text
	/* void system_call_with(const struct all_registers *before, struct all_registers *after) */
	.globl system_call_with, system_call_return
	.type system_call_with, @function
system_call_with:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rsi
	movq %rdi, %rax
	movq 8(%rax), %rbx
	movq 16(%rax), %rcx
	movq 24(%rax), %rdx
	movq 32(%rax), %rsi
	movq 40(%rax), %rdi
	movq 48(%rax), %rbp
	movq 56(%rax), %r8
	movq 64(%rax), %r9
	movq 72(%rax), %r10
	movq 80(%rax), %r11
	movq 88(%rax), %r12
	movq 96(%rax), %r13
	movq 104(%rax), %r14
	movq 112(%rax), %r15
	movq (%rax), %rax
	syscall
system_call_return:
	pushfq
	pushq %rax
	movq 16(%rsp), %rax
	movq %rbx, 8(%rax)
	movq %rcx, 16(%rax)
	movq %rdx, 24(%rax)
	movq %rsi, 32(%rax)
	movq %rdi, 40(%rax)
	movq %rbp, 48(%rax)
	movq %r8, 56(%rax)
	movq %r9, 64(%rax)
	movq %r10, 72(%rax)
	movq %r11, 80(%rax)
	movq %r12, 88(%rax)
	movq %r13, 96(%rax)
	movq %r14, 104(%rax)
	movq %r15, 112(%rax)
	popq (%rax)
	popq 120(%rax)
	popq %rsi
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret
	.size system_call_with, . - system_call_with

	/* void vector_load(const struct vector_registers *from) */
	.globl vector_load
	.type vector_load, @function
vector_load:
	.set n, 0
	.rept 16
	LOAD n
	.set n, n + 1
	.endr
	ldmxcsr 256(%rdi)
	fldcw 260(%rdi)
	ret
	.size vector_load, . - vector_load

	/* void vector_store(struct vector_registers *to) */
	.globl vector_store
	.type vector_store, @function
vector_store:
	.set n, 0
	.rept 16
	STORE n
	.set n, n + 1
	.endr
	stmxcsr 256(%rdi)
	fnstcw 260(%rdi)
	ret
	.size vector_store, . - vector_store

	/* The upper halves of YMM0 and YMM15. */
	.globl upper_load, upper_store
	.type upper_load, @function
upper_load:
	vinsertf128 $1, (%rdi), %ymm0, %ymm0
	vinsertf128 $1, 16(%rdi), %ymm15, %ymm15
	ret
	.size upper_load, . - upper_load

	.type upper_store, @function
upper_store:
	vextractf128 $1, %ymm0, (%rdi)
	vextractf128 $1, %ymm15, 16(%rdi)
	ret
	.size upper_store, . - upper_store

	.section .note.GNU-stack, "", @progbits
