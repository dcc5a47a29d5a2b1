/* SPDX-License-Identifier: MIT */
/* Fetches that are allowed to fault. The fix-up is found by the address that
 * could not be executed, so the targets are the three addresses named here (test/probe.h). */
#define KERNEL_VIRT 0xffffffff80000000
#define KERNEL_PHYS 0x200000
#define DIRECT_MAP  0xffff800000000000
#define ANYWHERE    0xffffffffffffffff
#define USER_PAGE   0x400000

	.section .fixup, "a"
	.quad probe_data_code, probe_exec_failed, ANYWHERE
	.quad probe_text_code - KERNEL_VIRT + KERNEL_PHYS + DIRECT_MAP, probe_exec_failed, ANYWHERE
	.quad USER_PAGE, probe_exec_failed, ANYWHERE

	.text
	/* bool probe_exec(const void *code): jumps there; true when the code there,
	 * the one below, could run. */
	.globl probe_exec
	.type probe_exec, @function
probe_exec:
	jmp *%rdi
	.size probe_exec, . - probe_exec

	.type probe_exec_failed, @function
probe_exec_failed:
	xorl %eax, %eax
	ret
	.size probe_exec_failed, . - probe_exec_failed

	.globl probe_text_code, probe_text_code_end
	.type probe_text_code, @function
probe_text_code:
	movl $1, %eax
	ret
probe_text_code_end:
	.size probe_text_code, . - probe_text_code

	.data
	.globl probe_data_code
probe_data_code:
	movl $1, %eax
	ret
