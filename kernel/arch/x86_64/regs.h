/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/regs.h - register bits and the instructions to reach them.
 * Names and bits: Intel SDM volume 3, chapters 2 and 4; AMD64 APM volume 2. */
#pragma once
#include <core/types.h>

#define CR0_PE (1ul << 0)  /* protected mode */
#define CR0_MP (1ul << 1)  /* WAIT obeys TS */
#define CR0_EM (1ul << 2)  /* no x87 */
#define CR0_TS (1ul << 3)  /* x87 and SSE instructions trap */
#define CR0_ET (1ul << 4)  /* always one */
#define CR0_NE (1ul << 5)  /* x87 errors are #MF */
#define CR0_WP (1ul << 16) /* read-only pages hold for the kernel too */
#define CR0_AM (1ul << 18) /* alignment checks where RFLAGS.AC asks */
#define CR0_PG (1ul << 31) /* paging */

#define CR4_PAE        (1ul << 5)
#define CR4_MCE        (1ul << 6)  /* machine checks are exceptions */
#define CR4_PGE        (1ul << 7)  /* global pages */
#define CR4_OSFXSR     (1ul << 9)  /* SSE on */
#define CR4_OSXMMEXCPT (1ul << 10) /* SSE errors are #XM */
#define CR4_UMIP       (1ul << 11) /* SGDT and its like are for the kernel */
#define CR4_LA57       (1ul << 12) /* five-level paging */
#define CR4_FSGSBASE   (1ul << 16)
#define CR4_PCIDE      (1ul << 17)
#define CR4_OSXSAVE    (1ul << 18)
#define CR4_SMEP       (1ul << 20) /* no fetch from user pages */
#define CR4_SMAP       (1ul << 21) /* no access to user pages outside STAC..CLAC */

#define XCR0_X87    (1ul << 0)
#define XCR0_SSE    (1ul << 1)
#define XCR0_AVX    (1ul << 2)
#define XCR0_AVX512 (7ul << 5) /* opmask, upper halves, upper registers: all or none */

#define MSR_APIC_BASE         0x1bu
#define MSR_PREDICTOR_COMMAND 0x49u
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_PAT               0x277u
#define MSR_SYSENTER_CS       0x174u
#define MSR_EFER              0xc0000080u
#define MSR_STAR              0xc0000081u /* segments of SYSCALL and SYSRET */
#define MSR_LSTAR             0xc0000082u /* where SYSCALL goes, */
#define MSR_CSTAR             0xc0000083u /* and from 32-bit code */
#define MSR_FMASK             0xc0000084u /* flags that it clears */
#define MSR_FS_BASE           0xc0000100u
#define MSR_GS_BASE           0xc0000101u
#define MSR_KERNEL_GS_BASE    0xc0000102u

#define EFER_SCE (1ul << 0) /* SYSCALL */
#define EFER_LME (1ul << 8)
#define EFER_LMA (1ul << 10)
#define EFER_NXE (1ul << 11)

#define PREDICTOR_BARRIER (1ul << 0) /* IBPB: indirect branches go by nothing from before */

#define ARCH_CAPABILITIES_RDCL_NO (1ul << 0) /* not open to rogue data cache loads */

#define RFLAGS_FIXED (1ul << 1) /* always one */
#define RFLAGS_TF    (1ul << 8)
#define RFLAGS_IF    (1ul << 9)
#define RFLAGS_AC    (1ul << 18)

/* What a page fault was, in its error code. */
#define PF_PRESENT  (1u << 0) /* the page was there, its rights forbade the access */
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3) /* a reserved bit was set in a table */
#define PF_FETCH    (1u << 4)
#define PF_KEY      (1u << 5)

/* INVPCID, type 2: everything in every PCID, global translations included. */
#define INVPCID_ALL 2ul

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* The operand of LGDT and LIDT. */
struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* in8, out8 and so on. */
#define PORT_ACCESS(bits, suffix)                                                                  \
	static inline uint##bits##_t in##bits(uint16_t port)                                       \
	{                                                                                          \
		uint##bits##_t value;                                                              \
		__asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port));                \
		return value;                                                                      \
	}                                                                                          \
	static inline void out##bits(uint16_t port, uint##bits##_t value)                          \
	{                                                                                          \
		__asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port));               \
	}
PORT_ACCESS(8, "b")
PORT_ACCESS(16, "w")
PORT_ACCESS(32, "l")
#undef PORT_ACCESS

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CONTROL_REGISTER(reg)                                                                      \
	static inline uint64_t read_##reg(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
		__asm__ volatile("movq %%" #reg ", %0" : "=r"(value) : : "memory");                \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_##reg(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("movq %0, %%" #reg : : "r"(value) : "memory");                    \
	}
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
#undef CONTROL_REGISTER

static inline uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static inline void write_xcr0(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline uint64_t read_rflags(void)
{
	uint64_t value;

	__asm__ volatile("pushfq; popq %0" : "=r"(value));
	return value;
}

static inline void invlpg(vaddr_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void invpcid(uint64_t type, uint64_t pcid, vaddr_t va)
{
	const uint64_t descriptor[2] = { pcid, va };

	__asm__ volatile("invpcid %0, %1" : : "m"(descriptor), "r"(type) : "memory");
}
