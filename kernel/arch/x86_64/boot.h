/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/boot.h - the C side of boot.S and the image's symbols. */
#pragma once
#include <core/types.h>

extern char kernel_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern char data_start[], data_end[], kernel_end[];
extern char boot_stack[], boot_stack_top[];
extern uint64_t boot_start_tsc;
extern uint64_t boot_kernel_base; /* physical address of kernel_start */

/* From boot.S, with the physical address of what the loader left. */
NORETURN void pvh_main(uint32_t start_info);
NORETURN void uefi_main(uint64_t from);
