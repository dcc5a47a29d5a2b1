/* SPDX-License-Identifier: MIT */
/* Entry from a PVH loader (QEMU -kernel, Firecracker, Cloud Hypervisor) and from
 * our UEFI stub.
 *
 * PVH: 32-bit protected mode, paging off, EBX = physical address of the
 * start-info structure (Xen's "x86/HVM direct boot ABI"). We build tables that
 * map the first 4 GiB at 0 and at the direct map, and the image at KERNEL_VIRT,
 * and go on in long mode.
 *
 * UEFI: the stub has built the same mappings and jumps to uefi_entry in long
 * mode with RDI = physical address of struct boot_info.
 */
#define CR0_PE      0x00000001
#define CR0_WP      0x00010000
#define CR0_PG      0x80000000
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_LME    0x100
#define EFER_NXE    0x800
#define PTE_PRESENT 1
#define PTE_WRITE   2
#define PTE_LARGE   0x80

#define KERNEL_PHYS 0x200000
#define PHYS(sym)   ((sym) - (0xffffffff80000000 - KERNEL_PHYS))

	/* Xen ELF note, type 18 (XEN_ELFNOTE_PHYS32_ENTRY). */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18
	.asciz "Xen"
	.quad PHYS(pvh_entry)

	.section .text.boot, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cli
	cld
	rdtsc
	movl %eax, PHYS(boot_start_tsc)
	movl %edx, PHYS(boot_start_tsc) + 4

	/* Four page directories map 4 GiB in 2 MiB pages. */
	movl $PHYS(boot_pd), %edi
	movl $(PTE_PRESENT | PTE_WRITE | PTE_LARGE), %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	movl $PHYS(boot_pdpt), %edi
	movl $(PHYS(boot_pd) + PTE_PRESENT + PTE_WRITE), %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	decl %ecx
	jnz 2b

	/* The image: 1 GiB from KERNEL_PHYS up, in 2 MiB pages. */
	movl $PHYS(boot_kernel_pd), %edi
	movl $(KERNEL_PHYS + PTE_PRESENT + PTE_WRITE + PTE_LARGE), %eax
	movl $16, %ecx
3:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 3b
	movl $(PHYS(boot_kernel_pd) + PTE_PRESENT + PTE_WRITE), PHYS(boot_kernel_pdpt) + 510 * 8
	movl $(PHYS(boot_pdpt) + PTE_PRESENT + PTE_WRITE), PHYS(boot_pml4)
	movl $(PHYS(boot_pdpt) + PTE_PRESENT + PTE_WRITE), PHYS(boot_pml4) + 256 * 8
	movl $(PHYS(boot_kernel_pdpt) + PTE_PRESENT + PTE_WRITE), PHYS(boot_pml4) + 511 * 8

	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP | CR0_PE), %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $8, $PHYS(long_mode)

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl %ebx, %edi
	movabsq $pvh_high, %rax
	jmp *%rax
pvh_high:
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	call pvh_main
	ud2

	.globl uefi_entry
uefi_entry:
	cli
	cld
	leaq boot_stack_top(%rip), %rsp
	xorl %ebp, %ebp
	call uefi_main
	ud2

	.section .rodata
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* 64-bit code */
boot_gdt_pointer:
	.word boot_gdt_pointer - boot_gdt - 1
	.long PHYS(boot_gdt)

	.data
	.balign 8
	.globl boot_start_tsc
boot_start_tsc:
	.quad 0

	.section .bss.page_aligned, "aw", @nobits
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_kernel_pdpt:
	.skip 4096
boot_kernel_pd:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	/* struct cpu_stacks: a guard page, the stack, then those of the exceptions. */
	.globl cpu_boot_stacks
cpu_boot_stacks:
	.skip 4096 + 16384
boot_stack_top:
	.skip 3 * (4096 + 8192) + 4096
