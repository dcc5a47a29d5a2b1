/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/boot.h - the C side of boot.S and the image's symbols. */
#pragma once
#include <core/types.h>

extern char kernel_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern char data_start[], data_end[], kernel_end[];
extern uint64_t boot_start_tsc;
extern uint64_t boot_kernel_base; /* physical address of kernel_start */
extern uint64_t boot_pml4[];

/* Data that is written before arch_mmu_init and read-only from then on. */
#define LATE_CONST __attribute__((section(".late_const")))

/* From boot.S, with the physical address of what the loader left. */
NORETURN void pvh_main(uint32_t start_info);
NORETURN void uefi_main(uint64_t from);
