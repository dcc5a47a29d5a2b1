/* SPDX-License-Identifier: MIT */
/* Foreign programs, and the pieces of a personality that C has no words for. None of it knows
 * where it lies. */
	.macro FUNCTION name
	.globl \name
	.type \name, @function
\name:
	.endm

	.text

	/* ---- the personality: fix-up range ---- */

	/* uint64_t reach_load(const uint64_t *from, uint64_t *value): 0, or if it can't be loaded the
	 * address that was told, with its lowest bit set. */
	.balign 16
	.globl reach_begin, reach_end
reach_begin:
	FUNCTION reach_load
	movq (%rdi), %rax
	movq %rax, (%rsi)
	xorl %eax, %eax
	ret

	/* uint64_t reach_store(uint64_t *to, uint64_t *value), likewise. */
	FUNCTION reach_store
	movq (%rsi), %rax
	movq %rax, (%rdi)
	xorl %eax, %eax
	ret
reach_end:
	movq %rsi, %rax
	orq $1, %rax
	ret

	/* ---- foreign programs ---- */

	.set write, 1
	.set getpid, 39
	.set exit, 60

	/* Writes a line and ends with the number of its process. */
	FUNCTION foreign_hello
	movl $write, %eax
	movl $1, %edi
	leaq hello(%rip), %rsi
	movl $hello_end - hello, %edx
	syscall
	cmpq $hello_end - hello, %rax
	jne foreign_failed
	movl $getpid, %eax
	syscall
	movl %eax, %edi
	movl $exit, %eax
	syscall
	ud2
hello:	.ascii "Hello from a foreign program\n"
hello_end:

foreign_failed:
	movl $exit, %eax
	movq $-1, %rdi
	syscall
	ud2

	/* Every register keeps its value over a system call; but for RAX, RCX and R11. Ends
	 * with 1. RDI: a page, RSI: rounds. */
	.globl foreign_registers_call
	FUNCTION foreign_registers
	movq %rdi, %rsp
	addq $2048, %rsp
	pushq %rsi
1:	movabsq $0x1111111111111111, %rbx
	leaq 1(%rbx), %rdx
	leaq 2(%rbx), %rsi
	leaq 3(%rbx), %rdi
	leaq 4(%rbx), %rbp
	leaq 5(%rbx), %r8
	leaq 6(%rbx), %r9
	leaq 7(%rbx), %r10
	leaq 8(%rbx), %r12
	leaq 9(%rbx), %r13
	leaq 10(%rbx), %r14
	leaq 11(%rbx), %r15
	movq %rbx, %xmm3
	movq %r15, %xmm15
	movl $getpid, %eax
	stc
	syscall
foreign_registers_call:
	jnc foreign_failed
	leaq foreign_registers_call(%rip), %rax
	cmpq %rax, %rcx
	jne foreign_failed
	movabsq $0x1111111111111111, %rax
	cmpq %rax, %rbx
	jne foreign_failed
	.irp r, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15
	incq %rax
	cmpq %rax, %\r
	jne foreign_failed
	.endr
	movq %xmm15, %rcx
	cmpq %rax, %rcx
	jne foreign_failed
	movq %xmm3, %rcx
	cmpq %rbx, %rcx
	jne foreign_failed
	decq (%rsp)
	jnz 1b
	movl $exit, %eax
	movl $1, %edi
	syscall
	ud2

	/* Translates: writes a function to the page at RDI, changes it, and calls it each time.
	 * Ends with the sum of what it gave. */
	FUNCTION foreign_compiler
	movl $1000, %ecx
	xorl %edx, %edx
	movb $0xb8, (%rdi) /* movl $n, %eax */
	movb $0xc3, 5(%rdi) /* ret */
1:	movl %ecx, 1(%rdi)
	call *%rdi
	addq %rax, %rdx
	loop 1b
	movq %rdx, %rdi
	movl $exit, %eax
	syscall
	ud2

	/* Counts for ever in the word at RDI. All other registers stay what they are, and are
	 * looked at. */
	FUNCTION foreign_spin
	xorl %eax, %eax
	movq $-1, %rbx
	movq %rdi, %r15
1:	incq %rax
	movq %rax, (%rdi)
	movq %rax, %xmm5
	cmpq %rdi, %r15
	jne foreign_failed
	movq %xmm5, %rcx
	cmpq %rax, %rcx
	jne foreign_failed
	testq %rbx, %rbx
	js 1b
	jmp foreign_failed

	/* Loads the word at RDI, stores it there if RSI, and ends with it. */
	FUNCTION foreign_touch
	movq (%rdi), %rax
	testq %rsi, %rsi
	jz 1f
	movq %rax, (%rdi)
1:	movq %rax, %rdi
	movl $exit, %eax
	syscall
	ud2

	FUNCTION foreign_jump
	jmp *%rdi

	/* Ends with its flags. */
	FUNCTION foreign_flags
	pushfq
	popq %rdi
	movl $exit, %eax
	syscall
	ud2

	/* Ends with the words behind its segment bases, as a number. */
	FUNCTION foreign_bases
	movq %fs:8, %rdi
	shlq $32, %rdi
	addq %gs:8, %rdi
	movl $exit, %eax
	syscall
	ud2

	/* Calls for ever. */
	FUNCTION foreign_null
1:	movl $getpid, %eax
	syscall
	jmp 1b

	.globl foreign_end
foreign_end:

	.section .note.GNU-stack, "", @progbits
