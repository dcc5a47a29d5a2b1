/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/feature.h - what this processor can do.
 *
 * The decisions here are functions of the CPUID leaves and of one capability
 * register alone, so that tests ask them about processors that are not there.
 */
#pragma once
#include "regs.h"
#include <core/types.h>

/* F(identifier, name in messages, leaf, register, bit, required). Leaves: see
 * struct feature_leaves. Bits: Intel SDM volume 2, CPUID; AMD64 APM volume 3,
 * appendix E. A CPU without a required feature is refused. */
#define FEATURE_LIST(F)                                                                            \
	F(FPU, "fpu", basic, edx, 0, true)                                                         \
	F(TSC, "tsc", basic, edx, 4, true)                                                         \
	F(MSR, "msr", basic, edx, 5, true)                                                         \
	F(PAE, "pae", basic, edx, 6, true)                                                         \
	F(MCE, "mce", basic, edx, 7, true)                                                         \
	F(CX8, "cx8", basic, edx, 8, true)                                                         \
	F(APIC, "apic", basic, edx, 9, true)                                                       \
	F(PGE, "pge", basic, edx, 13, true)                                                        \
	F(CMOV, "cmov", basic, edx, 15, true)                                                      \
	F(PAT, "pat", basic, edx, 16, true)                                                        \
	F(FXSR, "fxsr", basic, edx, 24, true)                                                      \
	F(SSE2, "sse2", basic, edx, 26, true)                                                      \
	F(SYSCALL, "syscall", extended, edx, 11, true)                                             \
	F(NX, "nx", extended, edx, 20, true)                                                       \
	F(LONG_MODE, "long-mode", extended, edx, 29, true)                                         \
	F(SMEP, "smep", structured, ebx, 7, false)                                                 \
	F(SMAP, "smap", structured, ebx, 20, false)                                                \
	F(UMIP, "umip", structured, ecx, 2, false)                                                 \
	F(FSGSBASE, "fsgsbase", structured, ebx, 0, false)                                         \
	F(PCID, "pcid", basic, ecx, 17, false)                                                     \
	F(INVPCID, "invpcid", structured, ebx, 10, false)                                          \
	F(HUGE_PAGES, "1gib-pages", extended, edx, 26, false)                                      \
	F(XSAVE, "xsave", basic, ecx, 26, false)                                                   \
	F(XSAVEOPT, "xsaveopt", xsave1, eax, 0, false)                                             \
	F(XSAVEC, "xsavec", xsave1, eax, 1, false)                                                 \
	F(XSAVES, "xsaves", xsave1, eax, 3, false)                                                 \
	F(X2APIC, "x2apic", basic, ecx, 21, false)                                                 \
	F(TSC_DEADLINE, "tsc-deadline", basic, ecx, 24, false)                                     \
	F(INVARIANT_TSC, "invariant-tsc", power, edx, 8, false)                                    \
	F(RDTSCP, "rdtscp", extended, edx, 27, false)                                              \
	F(RDRAND, "rdrand", basic, ecx, 30, false)                                                 \
	F(RDSEED, "rdseed", structured, ebx, 18, false)                                            \
	F(HYPERVISOR, "hypervisor", basic, ecx, 31, false)                                         \
	F(IBPB, "ibpb", structured, edx, 26, false)                                                \
	F(AMD_IBPB, "amd-ibpb", sizes, ebx, 12, false)                                             \
	F(ARCH_CAPABILITIES, "arch-capabilities", structured, edx, 29, false)

#define FEATURE_ENUM(id, name, leaf, reg, bit, required) FEATURE_##id,
enum feature { FEATURE_LIST(FEATURE_ENUM) FEATURE_COUNT };
#undef FEATURE_ENUM

/* What the processor says about itself; a leaf that it does not have is zero. */
struct feature_leaves {
	struct cpuid vendor;         /* 0 */
	struct cpuid basic;          /* 1 */
	struct cpuid structured;     /* 7 */
	struct cpuid xsave0, xsave1; /* 0xd, subleaves 0 and 1 */
	struct cpuid extended;       /* 0x80000001 */
	struct cpuid power;          /* 0x80000007 */
	struct cpuid sizes;          /* 0x80000008 */
	uint64_t arch_capabilities;  /* the register, 0 without one */
};

struct feature_set {
	uint64_t bits; /* 1 << enum feature */
	char vendor[13];
	uint32_t family, model, stepping;
	uint32_t physical_bits; /* of an address */
	uint64_t xcr0;          /* vector state that the kernel turns on, 0 without XSAVE */
	uint64_t arch_capabilities;
};

/* The features that the kernel relies on: those of the boot CPU. Every other
 * CPU must have them too. */
extern struct feature_set cpu_features;

static inline bool feature_has(const struct feature_set *s, enum feature f)
{
	return (s->bits >> f & 1) != 0;
}

static inline bool cpu_has(enum feature f)
{
	return feature_has(&cpu_features, f);
}

/* Fills *to with what the leaves say. */
void feature_decode(const struct feature_leaves *from, struct feature_set *to);

/* Writes the names of the features of `bits` to `out`, apart by blanks. */
void feature_names(uint64_t bits, char *out, size_t size);

/* The required features that `s` lacks, as bits; 0: fit. */
uint64_t feature_missing(const struct feature_set *s);

/* True if user code on this CPU may read kernel memory through a speculative
 * load that its page rights forbid (CVE-2017-5754), so that the kernel would
 * have to keep page tables of its own. A CPU that we know nothing good about
 * counts as one. */
bool feature_needs_isolation(const struct feature_set *s);
