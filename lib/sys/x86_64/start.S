/* SPDX-License-Identifier: MIT */
/* The first instructions of a program: its argument, in RDI, goes on to program_relocate and
 * then to program_main, which does not return. */
	.text
	.globl program_start
	.type program_start, @function
program_start:
	xorl %ebp, %ebp
	andq $-16, %rsp
	movq %rdi, %rbx
	call program_relocate
	movq %rbx, %rdi
	call program_main
	ud2
	.size program_start, . - program_start

	.section .note.GNU-stack, "", @progbits
