/* SPDX-License-Identifier: MIT */
/* Entry from a PVH loader (QEMU -kernel, Firecracker, Cloud Hypervisor) and from
 * our UEFI stub. Both meet in 32-bit protected mode with paging off, build
 * tables that map the first 4 GiB at 0 and at the direct map and the image at
 * KERNEL_VIRT, and go on in long mode.
 *
 * pvh_entry: 32-bit protected mode, paging off, EBX = physical address of the
 * start-info structure (Xen's "x86/HVM direct boot ABI"). The image lies where
 * it was linked for.
 *
 * uefi_entry: the ELF entry point, 64-bit mode on the firmware's tables, at its
 * physical address; RDI = physical address of struct boot_info. The image lies
 * at any 2 MiB boundary below 4 GiB. Long mode is left once because that is the
 * one way to get rid of everything that the firmware may have turned on, such
 * as 5-level paging.
 *
 * Until paging is on, EBP = the image's distance from where it was linked for,
 * EBX = what the loader left, ESI = 0 for PVH, 1 for UEFI.
 */
#define CR0_PE      0x00000001
#define CR0_WP      0x00010000
#define CR0_PG      0x80000000
#define CR4_PAE     0x20
#define MSR_EFER    0xc0000080
#define EFER_LME    0x100
#define EFER_NXE    0x800

#define CPUID_EXTENDED_MAX 0x80000000
#define CPUID_EXTENDED     0x80000001
#define CPUID_NX           0x00100000
#define CPUID_LONG_MODE    0x20000000

/* As in console.c and power.c. */
#define UART_DATA        0x3f8
#define UART_LSR         0x3fd
#define UART_SPIN_MAX    100000
#define LSR_THR_EMPTY    0x20
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 1
#define PVPANIC_SPIN     100000
#define PM1A_CNT_PORT    0x604
#define PM1A_S5          0x2000

#define PTE_PRESENT 1
#define PTE_WRITE   2
#define PTE_LARGE   0x80
#define LARGE_PAGE  0x200000

#define SELECTOR_CODE64 0x08
#define SELECTOR_CODE32 0x10
#define SELECTOR_DATA   0x18

#define KERNEL_PHYS 0x200000
#define PHYS(sym)   ((sym) - (0xffffffff80000000 - KERNEL_PHYS))
#define HERE(sym)   PHYS(sym)(%ebp)

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
	xorl %ebp, %ebp
	xorl %esi, %esi
	rdtsc
	movl %eax, HERE(boot_start_tsc)
	movl %edx, HERE(boot_start_tsc + 4)
	leal HERE(boot_stack_top), %esp
	leal HERE(boot_gdt), %eax
	pushl %eax
	pushw $(boot_gdt_end - boot_gdt - 1)
	lgdt (%esp)
	jmp paging_on

	.code64
	.globl uefi_entry
uefi_entry:
	cli
	cld
	movl %edi, %ebx
	movl $1, %esi
	leaq uefi_entry(%rip), %rbp
	subq $PHYS(uefi_entry), %rbp
	leaq PHYS(boot_stack_top)(%rbp), %rsp
	leaq PHYS(boot_gdt)(%rbp), %rax
	pushq %rax
	pushw $(boot_gdt_end - boot_gdt - 1)
	lgdt (%rsp)
	/* Into 32-bit code of compatibility mode: from 64-bit code paging can't go off. */
	leaq PHYS(paging_off)(%rbp), %rax
	pushq $SELECTOR_CODE32
	pushq %rax
	lretq

	.code32
paging_off:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0

paging_on:
	/* CPUID overwrites EBX. A processor without long mode is told so here, because
	 * nothing behind this could run on it. */
	pushl %ebx
	movl $CPUID_EXTENDED_MAX, %eax
	cpuid
	cmpl $CPUID_EXTENDED, %eax
	jb refuse
	movl $CPUID_EXTENDED, %eax
	cpuid
	testl $CPUID_LONG_MODE, %edx
	jz refuse
	popl %ebx
	pushl %edx

	leal KERNEL_PHYS(%ebp), %eax
	movl %eax, HERE(boot_kernel_base)

	/* Four page directories map 4 GiB in 2 MiB pages. */
	leal HERE(boot_pd), %edi
	movl $(PTE_PRESENT | PTE_WRITE | PTE_LARGE), %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	movl $0, 4(%edi)
	addl $LARGE_PAGE, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b

	leal HERE(boot_pdpt), %edi
	leal HERE(boot_pd + PTE_PRESENT + PTE_WRITE), %eax
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	decl %ecx
	jnz 2b

	/* The image: 32 MiB from its first byte (kernel.ld has the same limit). */
	leal HERE(boot_kernel_pd), %edi
	leal KERNEL_PHYS + PTE_PRESENT + PTE_WRITE + PTE_LARGE(%ebp), %eax
	movl $16, %ecx
3:	movl %eax, (%edi)
	addl $LARGE_PAGE, %eax
	addl $8, %edi
	decl %ecx
	jnz 3b
	leal HERE(boot_kernel_pd + PTE_PRESENT + PTE_WRITE), %eax
	movl %eax, HERE(boot_kernel_pdpt + 510 * 8)
	leal HERE(boot_pdpt + PTE_PRESENT + PTE_WRITE), %eax
	movl %eax, HERE(boot_pml4)
	movl %eax, HERE(boot_pml4 + 256 * 8)
	leal HERE(boot_kernel_pdpt + PTE_PRESENT + PTE_WRITE), %eax
	movl %eax, HERE(boot_pml4 + 511 * 8)

	movl $CR4_PAE, %eax
	movl %eax, %cr4
	leal HERE(boot_pml4), %eax
	movl %eax, %cr3
	popl %edi
	/* NXE is reserved on a processor without NX, which arch_cpu_init_boot refuses
	 * with its name; until then it has to run. */
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	testl $CPUID_NX, %edi
	jz 4f
	orl $EFER_NXE, %eax
4:	wrmsr
	movl %cr0, %eax
	orl $(CR0_PG | CR0_WP | CR0_PE), %eax
	movl %eax, %cr0
	leal HERE(long_mode), %eax
	pushl $SELECTOR_CODE64
	pushl %eax
	lret

	.code64
long_mode:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	/* By the linked address: relative to here it would be the low one. */
	movabsq $image_high, %rax
	jmp *%rax
image_high:
	leaq boot_stack_top(%rip), %rsp
	/* Firmware may leave alignment checks, which lift SMAP, nested-task or
	 * breakpoints on; only the bits that are always one stay. */
	pushq $2
	popfq
	movl $0x400, %eax
	movq %rax, %dr7
	xorl %ebp, %ebp
	movl %ebx, %edi
	testl %esi, %esi
	jnz 5f
	call pvh_main
	ud2
5:	call uefi_main
	ud2

	/* The kernel is code for long mode, so what would be boot_refuse's work is
	 * done here: the line on the serial port, the failure, power-off. */
	.code32
refuse:
	leal HERE(refusal), %esi
6:	lodsb
	testb %al, %al
	jz 8f
	movb %al, %bl
	movl $UART_SPIN_MAX, %ecx
	movw $UART_LSR, %dx
7:	inb %dx, %al
	testb $LSR_THR_EMPTY, %al
	loopz 7b
	movw $UART_DATA, %dx
	movb %bl, %al
	outb %al, %dx
	jmp 6b
8:	movw $PVPANIC_PORT, %dx
	movb $PVPANIC_PANICKED, %al
	outb %al, %dx
	/* Time for the emulator to end with that status: power-off has another. */
	movl $PVPANIC_SPIN, %ecx
9:	inb %dx, %al
	loop 9b
	movw $PM1A_CNT_PORT, %dx
	movw $PM1A_S5, %ax
	outw %ax, %dx
10:	hlt
	jmp 10b

	.section .rodata
refusal:
	.ascii "Hello from ThemeliOS\r\n"
	.asciz "[    0.000000] cpu0 error boot: cannot start: the processor lacks long-mode\r\n"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* SELECTOR_CODE64 */
	.quad 0x00cf9b000000ffff /* SELECTOR_CODE32 */
	.quad 0x00cf93000000ffff /* SELECTOR_DATA */
boot_gdt_end:

	.data
	.balign 8
	.globl boot_start_tsc
boot_start_tsc:
	.quad 0
	.globl boot_kernel_base
boot_kernel_base:
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
