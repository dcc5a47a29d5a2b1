/* SPDX-License-Identifier: MIT */
/* The four functions of the C library that compilers call on their own, with
 * the meaning and the arguments that the C standard gives them. */
	.text

	/* void *memset(void *to, int byte, size_t size) */
	.globl memset
	.type memset, @function
memset:
	movq %rdi, %r8
	movzbl %sil, %eax
	movabsq $0x0101010101010101, %rcx
	imulq %rcx, %rax
	movq %rdx, %rcx
	shrq $3, %rcx
	rep stosq
	movl %edx, %ecx
	andl $7, %ecx
	rep stosb
	movq %r8, %rax
	ret

	/* void *memmove(void *to, const void *from, size_t size). Only where the
	 * destination begins inside the source is the order of copying of interest:
	 * from the end then, without the direction flag, which an exception here
	 * would hand to its handler. */
	.globl memmove
	.type memmove, @function
memmove:
	movq %rdi, %rax
	subq %rsi, %rax
	cmpq %rdx, %rax
	jae memcpy
	movq %rdi, %rax
1:	subq $1, %rdx
	jb 2f
	movb (%rsi,%rdx), %cl
	movb %cl, (%rdi,%rdx)
	jmp 1b
2:	ret

	/* void *memcpy(void *to, const void *from, size_t size) */
	.globl memcpy
	.type memcpy, @function
memcpy:
	movq %rdi, %rax
	movq %rdx, %rcx
	shrq $3, %rcx
	rep movsq
	movl %edx, %ecx
	andl $7, %ecx
	rep movsb
	ret

	/* int memcmp(const void *a, const void *b, size_t size) */
	.globl memcmp
	.type memcmp, @function
memcmp:
	xorl %eax, %eax
	xorl %ecx, %ecx
1:	cmpq %rdx, %rcx
	je 2f
	movzbl (%rdi,%rcx), %eax
	movzbl (%rsi,%rcx), %r8d
	incq %rcx
	subl %r8d, %eax
	je 1b
2:	ret
