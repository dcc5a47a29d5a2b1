/* SPDX-License-Identifier: MIT */
/* abi/boot.h - what every boot path hands to the kernel.
 *
 * The PVH entry fills one from the hypervisor's start-info structure, the UEFI
 * stub fills one before it leaves the firmware. All addresses are physical and,
 * but for the memory map's, below 4 GiB. The kernel copies the structure before
 * it uses it and believes nothing in it unchecked (boot_take in core/boot.h).
 */
#pragma once
#include <stdint.h>

#define BOOT_INFO_MAGIC   0x544f4f42454d4854ull /* "THMEBOOT" read as little-endian text */
#define BOOT_INFO_VERSION 1u
#define BOOT_RANGES       256
#define BOOT_CMDLINE      1024
#define BOOT_SEED         64

/* Where the memory kinds come from: the e820 types of the PVH memory map and
 * the UEFI memory types (UEFI 2.10, section 7.2). */
enum boot_range_kind {
	BOOT_RAM = 1,      /* free for the kernel */
	BOOT_LOADER = 2,   /* holds what the boot path left; RAM once it is copied */
	BOOT_ACPI = 3,     /* ACPI tables */
	BOOT_RESERVED = 4, /* never touched */
};

enum boot_path { BOOT_PATH_PVH = 1, BOOT_PATH_UEFI = 2, BOOT_PATH_HOST = 3 };

struct boot_range {
	uint64_t base;     /* bytes; not always on a page boundary */
	uint64_t size;     /* bytes, not zero: a boot path drops empty entries */
	uint32_t kind;     /* enum boot_range_kind */
	uint32_t reserved; /* zero */
};

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t path;         /* enum boot_path */
	uint64_t kernel_base;  /* where the image's first byte lies */
	uint64_t kernel_size;  /* bytes, .bss included */
	uint64_t archive_base; /* cpio newc archive; size 0: none was given */
	uint64_t archive_size;
	uint64_t acpi_rsdp; /* 0: none */
	uint64_t start_tsc; /* time-stamp counter at the first instruction of ours */
	uint32_t seed_size; /* bytes of seed[] that hold firmware randomness */
	uint32_t range_count;
	uint8_t seed[BOOT_SEED];
	char cmdline[BOOT_CMDLINE]; /* ends with a zero byte */
	struct boot_range range[BOOT_RANGES];
};

_Static_assert(sizeof(struct boot_range) == 24, "boot_range is ABI");
_Static_assert(sizeof(struct boot_info) == 72 + BOOT_SEED + BOOT_CMDLINE + 24 * BOOT_RANGES,
	       "boot_info is ABI");
