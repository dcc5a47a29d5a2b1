/* SPDX-License-Identifier: MIT */
/* Where another CPU begins: in real mode, at the start of a page below 1 MiB to
 * which smp.c copied ap_trampoline. It goes to long mode in one step, with page
 * tables that hold the kernel and, at its own address, this page, and on at
 * ap_entry in the kernel's text with the kernel's own tables.
 */
#define CR0_AP      0x80010031 /* PG, WP, NE, ET, PE; caches on */
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_AP     0x900 /* LME, NXE */

	.section .rodata
	.balign 16
	.globl ap_trampoline
	.code16
ap_trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl ap_root - ap_trampoline, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	movl $EFER_AP, %eax
	xorl %edx, %edx
	wrmsr
	lgdtl ap_gdt_pointer - ap_trampoline
	/* Protection and paging at once, with LME set: the processor allows that, and
	 * it saves a stage in 32-bit mode with descriptors of its own. */
	movl $CR0_AP, %eax
	movl %eax, %cr0
	ljmpl *(ap_jump - ap_trampoline)

	.code64
ap_long_mode:
	movabsq $ap_entry, %rax
	jmp *%rax

	/* struct ap_parameters of smp.c, which adds the page's address to the two
	 * offsets. */
	.balign 8
	.globl ap_parameters
ap_parameters:
ap_root:
	.long 0
ap_jump:
	.long ap_long_mode - ap_trampoline
	.word 8, 0
ap_gdt_pointer:
	.word 15
	.long ap_gdt - ap_trampoline
	.word 0
	.balign 8
ap_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 64-bit code */
	.globl ap_trampoline_end
ap_trampoline_end:

	.text
	.code64
	/* The stack is taken, not read: a CPU that comes late finds none and rests. */
ap_entry:
	/* First of all off the tables that map the page below 1 MiB: they are freed
	 * when the last CPU has come this far. */
	movq ap_kernel_root(%rip), %rax
	movq %rax, %cr3
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	xchgq %rax, ap_stack(%rip)
	testq %rax, %rax
	jz 1f
	movq %rax, %rsp
	xorl %ebp, %ebp
	movq ap_cpu(%rip), %rdi
	call ap_main
1:	cli
	hlt
	jmp 1b
