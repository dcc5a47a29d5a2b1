/* SPDX-License-Identifier: MIT */
#include "memory_map.h"
#include "uefi.h"
#include <stdbool.h>

#define PAGES_MAX (UINT64_MAX >> EFI_PAGE_SHIFT)

static uint32_t kind_of(uint32_t type)
{
	switch (type) {
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
		return BOOT_LOADER;
	case EFI_BOOT_CODE:
	case EFI_BOOT_DATA:
	case EFI_CONVENTIONAL:
		return BOOT_RAM;
	case EFI_ACPI_RECLAIM:
	case EFI_ACPI_NVS:
		return BOOT_ACPI;
	default:
		return BOOT_RESERVED;
	}
}

/* True if `b` begins where `a` ends and is of the same kind. */
static bool joins(const struct boot_range *a, const struct boot_range *b)
{
	return a->kind == b->kind && a->base + a->size == b->base;
}

static void remove_range(struct boot_info *info, uint32_t at)
{
	info->range_count--;
	for (uint32_t i = at; i < info->range_count; i++)
		info->range[i] = info->range[i + 1];
}

/* Puts `r` into its place, or makes it one with a neighbour. */
static bool add_range(struct boot_info *info, struct boot_range r)
{
	struct boot_range *range = info->range;
	uint32_t at = 0;

	while (at < info->range_count && range[at].base < r.base)
		at++;
	if (at > 0 && joins(&range[at - 1], &r)) {
		range[at - 1].size += r.size;
		if (at < info->range_count && joins(&range[at - 1], &range[at])) {
			range[at - 1].size += range[at].size;
			remove_range(info, at);
		}
		return true;
	}
	if (at < info->range_count && joins(&r, &range[at])) {
		range[at].base = r.base;
		range[at].size += r.size;
		return true;
	}
	if (info->range_count == BOOT_RANGES)
		return false;
	for (uint32_t i = info->range_count; i > at; i--)
		range[i] = range[i - 1];
	range[at] = r;
	info->range_count++;
	return true;
}

const char *memory_map_convert(const void *map, size_t size, size_t stride, struct boot_info *info)
{
	const char *at = map;

	if (stride < sizeof(struct efi_memory_descriptor) || size % stride != 0)
		return "the firmware's memory map has entries of a strange size";
	info->range_count = 0;
	for (; size > 0; size -= stride, at += stride) {
		const struct efi_memory_descriptor *d = (const void *)at;

		if (d->pages == 0)
			continue;
		if (d->pages > PAGES_MAX)
			return "the firmware's memory map has an entry of impossible size";
		struct boot_range r = {
			.base = d->physical_start,
			.size = d->pages << EFI_PAGE_SHIFT,
			.kind = kind_of(d->type),
		};
		if (!add_range(info, r))
			return "the firmware's memory map has too many entries";
	}
	return NULL;
}
