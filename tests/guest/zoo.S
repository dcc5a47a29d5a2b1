/* SPDX-License-Identifier: MIT */
/* What a program may try, and must only hurt itself with. Each beast is a function; where its
 * exception is told to have happened is at NAME_at. RDI is a page that can be read, RSI one
 * that can be written. */
	.macro BEAST name
	ud2 /* behind the one before */
	.globl beast_\name, beast_\name\()_at
	.type beast_\name, @function
beast_\name:
	.endm

	.macro HERE name
beast_\name\()_at:
	.endm

	.macro AT_ONCE name, code:vararg
	BEAST \name
	HERE \name
	\code
	.endm

	.text

	BEAST divide
	xorl %ecx, %ecx
	xorl %edx, %edx
	HERE divide
	divl %ecx

	BEAST divide_overflow
	movl $2, %edx
	movl $1, %ecx
	HERE divide_overflow
	divl %ecx

	BEAST breakpoint
	int3
	HERE breakpoint
	nop

	BEAST single_step
	pushfq
	orl $0x100, (%rsp)
	popfq
	nop
	HERE single_step
	nop

	/* The step ends behind the call that it began before. */
	BEAST single_step_call
	movl $-1, %eax
	pushfq
	orl $0x100, (%rsp)
	popfq
	syscall
	HERE single_step_call
	nop

	AT_ONCE undefined, ud2
	AT_ONCE into, .byte 0xce
	AT_ONCE halt, hlt
	AT_ONCE cli, cli
	AT_ONCE sti, sti
	AT_ONCE in, inb $0x64, %al
	AT_ONCE out, outb %al, $0x64
	AT_ONCE read_cr0, movq %cr0, %rax
	AT_ONCE write_cr3, movq %rax, %cr3
	AT_ONCE write_cr4, movq %rax, %cr4
	AT_ONCE read_dr7, movq %dr7, %rax
	AT_ONCE clts, clts
	AT_ONCE rdmsr, rdmsr
	AT_ONCE wrmsr, wrmsr
	AT_ONCE swapgs, swapgs
	AT_ONCE sysret, sysretq
	AT_ONCE lgdt, lgdt (%rdi)
	AT_ONCE lidt, lidt (%rdi)
	AT_ONCE invlpg, invlpg (%rdi)
	AT_ONCE wbinvd, wbinvd
	AT_ONCE rdpmc, rdpmc
	AT_ONCE sysenter, sysenter
	AT_ONCE sysexit, sysexitl
	AT_ONCE interrupt_nmi, int $2
	AT_ONCE interrupt_machine, int $18
	AT_ONCE interrupt_80, int $0x80
	AT_ONCE interrupt_timer, int $242
	AT_ONCE interrupt_page, int $14
	AT_ONCE interrupt_double, int $8

	BEAST xsetbv
	xorl %ecx, %ecx
	HERE xsetbv
	xsetbv

	BEAST ltr
	movl $0x28, %eax
	HERE ltr
	ltr %ax

	BEAST kernel_segment
	movl $0x10, %eax
	HERE kernel_segment
	movl %eax, %ds

	BEAST far_to_kernel
	pushq $0x08
	leaq 1f(%rip), %rax
	pushq %rax
	HERE far_to_kernel
	lretq
1:	ud2

	BEAST iret_to_kernel
	movq %rsp, %rax
	pushq $0x10
	pushq %rax
	pushfq
	pushq $0x08
	leaq 1f(%rip), %rax
	pushq %rax
	HERE iret_to_kernel
	iretq
1:	ud2

	BEAST read_null
	xorl %eax, %eax
	HERE read_null
	movq (%rax), %rax

	BEAST write_null
	xorl %eax, %eax
	HERE write_null
	movq %rax, 8(%rax)

	BEAST read_kernel
	movabsq $0xffffffff80000000, %rax
	HERE read_kernel
	movq (%rax), %rax

	BEAST write_kernel
	movabsq $0xffff800000001000, %rax
	HERE write_kernel
	movq %rax, (%rax)

	AT_ONCE write_constant, movq %rax, (%rdi)

	/* These fault at the place that they jump to. */
	BEAST jump_null
	xorl %eax, %eax
	jmp *%rax
	HERE jump_null
	nop

	BEAST jump_kernel
	movabsq $0xffffffff80000000, %rax
	jmp *%rax
	HERE jump_kernel
	nop

	BEAST jump_data
	jmp *%rsi
	HERE jump_data
	nop

	BEAST jump_end
	movabsq $0x00007ffffffff000, %rax
	jmp *%rax
	HERE jump_end
	nop

	BEAST read_nowhere
	movabsq $0x0000800000000000, %rax
	HERE read_nowhere
	movq (%rax), %rax

	BEAST stack_nowhere
	movabsq $0x8000000000000000, %rsp
	HERE stack_nowhere
	pushq %rax

	BEAST stack_gone
	xorl %esp, %esp
	HERE stack_gone
	pushq %rax

	AT_ONCE misaligned_vector, movaps 8(%rdi), %xmm0

	/* Whoever takes this on leaves the flag set. */
	BEAST misaligned
	pushfq
	orl $0x40000, (%rsp)
	popfq
	HERE misaligned
	movl 1(%rdi), %eax

	BEAST simd
	pushq $0x1d80 /* division by zero is not masked */
	ldmxcsr (%rsp)
	xorps %xmm1, %xmm1
	movl $0x3f800000, %eax
	movd %eax, %xmm0
	HERE simd
	divss %xmm1, %xmm0

	BEAST x87
	fninit
	pushq $0x360 /* no exception is masked but those that don't matter here */
	fldcw (%rsp)
	fldz
	fld1
	fdiv %st(1), %st
	HERE x87
	fwait
	ud2

	.section .note.GNU-stack, "", @progbits
