/* SPDX-License-Identifier: MIT */
/* boot/uefi/memory_map.h - from the firmware's memory map to ours. */
#pragma once
#include <abi/boot.h>
#include <stddef.h>

/* Fills info->range from `size` bytes of the firmware's map, whose entries are
 * `stride` bytes apart: sorted, without empty entries, neighbours of one kind
 * made one. Memory of the boot services is RAM, as they are gone when the kernel
 * reads the map; what the loader allocated is BOOT_LOADER, and so is the kernel.
 * Overlaps are left for the kernel to refuse.
 * NULL, or the reason why it can't be done; `info` is then spoilt. */
const char *memory_map_convert(const void *map, size_t size, size_t stride, struct boot_info *info);
