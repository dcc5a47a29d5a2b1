/* SPDX-License-Identifier: MIT */
/* Instructions that are allowed to fault, see probe.h. */

/* User addresses end here; the last page of the lower half is never mapped, so
 * that no access runs over the edge. */
#define USER_END 0x00007ffffffff000
#define ANYWHERE 0xffffffffffffffff

	.macro MAY_FAULT resume, end
	.pushsection .fixup, "a"
	.quad 9f, \resume, \end
	.popsection
9:
	.endm

	/* Between these two the kernel may touch user pages. */
	.macro USER_OPEN
	testb $1, cpu_has_smap(%rip)
	jz 8f
	stac
8:
	.endm

	.macro USER_CLOSE
	testb $1, cpu_has_smap(%rip)
	jz 8f
	clac
8:
	.endm

	.text

	/* bool arch_probe_read(const void *va, uint64_t *out) */
	.globl arch_probe_read
	.type arch_probe_read, @function
arch_probe_read:
	MAY_FAULT probe_failed, ANYWHERE
	movq (%rdi), %rax
	movq %rax, (%rsi)
	movl $1, %eax
	ret
	.size arch_probe_read, . - arch_probe_read

	/* bool arch_probe_write(void *va, uint64_t value) */
	.globl arch_probe_write
	.type arch_probe_write, @function
arch_probe_write:
	MAY_FAULT probe_failed, ANYWHERE
	movq %rsi, (%rdi)
	movl $1, %eax
	ret
	.size arch_probe_write, . - arch_probe_write

	.type probe_failed, @function
probe_failed:
	xorl %eax, %eax
	ret
	.size probe_failed, . - probe_failed

	/* bool arch_copy_from_user(void *to, const void *from, size_t size) */
	.globl arch_copy_from_user
	.type arch_copy_from_user, @function
arch_copy_from_user:
	movq %rsi, %rax
	jmp copy
	.size arch_copy_from_user, . - arch_copy_from_user

	/* bool arch_copy_to_user(void *to, const void *from, size_t size) */
	.globl arch_copy_to_user
	.type arch_copy_to_user, @function
arch_copy_to_user:
	movq %rdi, %rax
	jmp copy
	.size arch_copy_to_user, . - arch_copy_to_user

	/* RDI to, RSI from, RDX size, RAX the one of them that is the user's. */
	.type copy, @function
copy:
	movabsq $USER_END, %rcx
	subq %rdx, %rcx
	jb probe_failed
	cmpq %rcx, %rax
	ja probe_failed
	USER_OPEN
	movq %rdx, %rcx
	MAY_FAULT copy_failed, USER_END
	rep movsb
	USER_CLOSE
	movl $1, %eax
	ret
copy_failed:
	USER_CLOSE
	xorl %eax, %eax
	ret
	.size copy, . - copy
