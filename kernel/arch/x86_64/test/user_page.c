/* SPDX-License-Identifier: MIT */
#include "probe.h"
#include "../mmu.h"
#include "../regs.h"
#include <arch/arch.h>
#include <core/frame.h>

#define USER_RIGHTS (MMU_PRESENT | MMU_WRITE | MMU_USER)

/* The three tables on the way, then the page. */
static paddr_t taken[MMU_LEVELS];
static unsigned count;

void user_page_unmap(void)
{
	uint64_t *root = arch_phys_to_virt(mmu_kernel_root());

	root[mmu_index(USER_PAGE, MMU_LEVELS)] = 0;
	write_cr3(read_cr3());
	while (count > 0)
		frame_free(taken[--count], 0);
}

void *user_page_map(void)
{
	uint64_t *table = arch_phys_to_virt(mmu_kernel_root());
	uint8_t *page = NULL;

	for (unsigned level = MMU_LEVELS; level > 0; level--) {
		if (!frame_alloc(0, FRAME_BELOW_4G, &taken[count])) {
			user_page_unmap();
			return NULL;
		}
		frame_zero(taken[count], 0);
		table[mmu_index(USER_PAGE, level)] = taken[count] | USER_RIGHTS;
		table = arch_phys_to_virt(taken[count++]);
		page = (uint8_t *)table;
	}
	for (const uint8_t *c = probe_text_code; c < probe_text_code_end; c++)
		*page++ = *c;
	return table;
}
