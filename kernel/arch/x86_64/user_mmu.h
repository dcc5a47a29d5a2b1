/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/user_mmu.h - translations of user addresses. */
#pragma once
#include <core/types.h>

/* arch_tlb_flush_range and arch_tlb_flush_tag for the tag of a user root. */
void user_flush_range(uint32_t tag, vaddr_t base, size_t size);
void user_flush_tag(uint32_t tag);
