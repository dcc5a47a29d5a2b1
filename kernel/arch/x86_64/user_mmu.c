/* SPDX-License-Identifier: MIT */
/* Roots of user page tables. What is in them is core/pagetable.c's business.
 *
 * Tags and PCIDs: a CPU has ARCH_PCIDS of these, numbered from 1; PCID 0 is the
 * kernel's own root. The one that a tag may have is a function of the tag, and
 * pcid_tag says which tag has it now. Translations under a PCID that another tag
 * takes over go with the load that does so. Without PCIDs a load of CR3 makes the
 * CPU forget all translations that are not global. */
#include "user_mmu.h"
#include "feature.h"
#include "mmu.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/cpu.h>
#include <core/frame.h>
#include <core/pagetable.h>

/* More pages than this are flushed all at once. */
#define FLUSH_PAGES_MAX 64

#define INVPCID_ADDRESS 0ul /* one page in one PCID */

void arch_root_init(paddr_t root)
{
	const uint64_t *from = arch_phys_to_virt(mmu_kernel_root());
	uint64_t *to = arch_phys_to_virt(root);

	for (unsigned i = MMU_ENTRIES / 2; i < MMU_ENTRIES; i++)
		to[i] = from[i];
}

bool arch_root_is_tagged(void)
{
	return cpu_has_pcid;
}

void arch_root_load(paddr_t root, uint32_t tag)
{
	unsigned slot = arch_pcid_slot(tag);

	if (root == 0) {
		write_cr3(mmu_kernel_root());
	} else if (!arch_root_switch(root, &tag)) {
		arch_this_cpu()->arch.pcid_tag[slot] = tag;
		write_cr3(root | (slot + 1));
	}
}

bool arch_predictors_leak(void)
{
	return cpu_has(FEATURE_IBPB) || cpu_has(FEATURE_AMD_IBPB);
}

void arch_predictors_empty(void)
{
	wrmsr(MSR_PREDICTOR_COMMAND, PREDICTOR_BARRIER);
}

/* True if the tag is that of the root that is active, which the instructions that
 * flush without naming a PCID mean. */
static bool is_active(uint32_t tag)
{
	return pagetable_tag(&arch_this_cpu()->tables) == tag;
}

/* Pages under a tag whose root is not active. */
static void flush_others(uint32_t tag, vaddr_t base, size_t size)
{
	uint32_t *pcid_tag = arch_this_cpu()->arch.pcid_tag;
	unsigned slot = arch_pcid_slot(tag);

	if (!cpu_has_pcid || pcid_tag[slot] != tag)
		return;
	if (!cpu_has(FEATURE_INVPCID) || size > FLUSH_PAGES_MAX * FRAME_SIZE) {
		pcid_tag[slot] = 0; /* the next load finds the tag gone, and flushes */
		return;
	}
	for (vaddr_t va = base; va < base + size; va += FRAME_SIZE)
		invpcid(INVPCID_ADDRESS, slot + 1, va);
}

void user_flush_range(uint32_t tag, vaddr_t base, size_t size)
{
	if (!is_active(tag)) {
		flush_others(tag, base, size);
	} else if (size > FLUSH_PAGES_MAX * FRAME_SIZE) {
		write_cr3(read_cr3());
	} else {
		for (vaddr_t va = base; va < base + size; va += FRAME_SIZE)
			invlpg(va);
	}
}

void user_flush_tag(uint32_t tag)
{
	user_flush_range(tag, 0, SIZE_MAX);
}
