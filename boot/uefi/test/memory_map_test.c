/* SPDX-License-Identifier: MIT */
#include "../memory_map.h"
#include "../uefi.h"
#include <test/test.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Firmware's entries are longer than what the specification names. */
struct entry {
	struct efi_memory_descriptor d;
	uint64_t more;
};

struct map {
	struct entry entry[2 * BOOT_RANGES];
	uint32_t count;
};

static void add(struct map *m, uint32_t type, uint64_t start, uint64_t pages)
{
	m->entry[m->count++] =
		(struct entry){ .d = { .type = type, .physical_start = start, .pages = pages },
				.more = UINT64_MAX };
}

static const char *convert(const struct map *m, struct boot_info *info)
{
	return memory_map_convert(m->entry, m->count * sizeof(m->entry[0]), sizeof(m->entry[0]),
				  info);
}

static bool range_is(const struct boot_info *info, uint32_t i, uint64_t base, uint64_t size,
		     uint32_t kind)
{
	const struct boot_range *r = &info->range[i];

	return r->base == base && r->size == size && r->kind == kind && r->reserved == 0;
}

TEST(uefi_map_kinds)
{
	static const uint32_t want[] = {
		[EFI_RESERVED] = BOOT_RESERVED,     [EFI_LOADER_CODE] = BOOT_LOADER,
		[EFI_LOADER_DATA] = BOOT_LOADER,    [EFI_BOOT_CODE] = BOOT_RAM,
		[EFI_BOOT_DATA] = BOOT_RAM,         [EFI_RUNTIME_CODE] = BOOT_RESERVED,
		[EFI_RUNTIME_DATA] = BOOT_RESERVED, [EFI_CONVENTIONAL] = BOOT_RAM,
		[EFI_UNUSABLE] = BOOT_RESERVED,     [EFI_ACPI_RECLAIM] = BOOT_ACPI,
		[EFI_ACPI_NVS] = BOOT_ACPI,         [EFI_MMIO] = BOOT_RESERVED,
		[EFI_MMIO_PORTS] = BOOT_RESERVED,   [EFI_PAL] = BOOT_RESERVED,
		[EFI_PERSISTENT] = BOOT_RESERVED,   [EFI_PERSISTENT + 1] = BOOT_RESERVED,
	};

	for (uint32_t type = 0; type < sizeof(want) / sizeof(want[0]); type++) {
		struct map m = { .count = 0 };
		struct boot_info info = { .magic = 0 };

		add(&m, type, 0x5000, 3);
		CHECK(convert(&m, &info) == NULL && info.range_count == 1);
		CHECK(range_is(&info, 0, 0x5000, 0x3000, want[type]));
	}
	struct map m = { .count = 0 };
	struct boot_info info = { .magic = 0 };
	add(&m, 0x80000001, 0x5000, 3); /* a loader's own */
	CHECK(convert(&m, &info) == NULL);
	CHECK(range_is(&info, 0, 0x5000, 0x3000, BOOT_RESERVED));
}

TEST(uefi_map_neighbours_become_one)
{
	struct map m = { .count = 0 };
	struct boot_info info = { .range_count = 99 };

	add(&m, EFI_CONVENTIONAL, 0x8000, 2);
	add(&m, EFI_BOOT_DATA, 0x1000, 1);
	add(&m, EFI_CONVENTIONAL, 0x3000, 1);
	add(&m, EFI_BOOT_CODE, 0x2000, 1); /* closes the gap */
	add(&m, EFI_LOADER_DATA, 0x4000, 4);
	add(&m, EFI_CONVENTIONAL, 0x7000, 0); /* empty: does not count */
	add(&m, EFI_CONVENTIONAL, 0x20000, 1);
	add(&m, EFI_CONVENTIONAL, 0x1f000, 1); /* joins downwards */
	CHECK(convert(&m, &info) == NULL);
	CHECK(info.range_count == 4);
	CHECK(range_is(&info, 0, 0x1000, 0x3000, BOOT_RAM));
	CHECK(range_is(&info, 1, 0x4000, 0x4000, BOOT_LOADER));
	CHECK(range_is(&info, 2, 0x8000, 0x2000, BOOT_RAM));
	CHECK(range_is(&info, 3, 0x1f000, 0x2000, BOOT_RAM));
}

/* A lie of the firmware reaches the kernel, which refuses it, unchanged. */
TEST(uefi_map_keeps_overlaps)
{
	struct map m = { .count = 0 };
	struct boot_info info;

	add(&m, EFI_CONVENTIONAL, 0x1000, 4);
	add(&m, EFI_CONVENTIONAL, 0x4000, 4);
	CHECK(convert(&m, &info) == NULL && info.range_count == 2);
	CHECK(range_is(&info, 0, 0x1000, 0x4000, BOOT_RAM));
	CHECK(range_is(&info, 1, 0x4000, 0x4000, BOOT_RAM));
}

TEST(uefi_map_holds_as_many_as_fit)
{
	struct map *m = calloc(1, sizeof(*m));
	struct boot_info *info = calloc(1, sizeof(*info));

	for (uint32_t i = 0; i < BOOT_RANGES; i++)
		add(m, EFI_CONVENTIONAL, 0x2000 * (uint64_t)i, 1);
	const char *fits = convert(m, info);
	uint32_t count = info->range_count;
	add(m, EFI_RESERVED, 0x1000, 1);
	const char *too_many = convert(m, info);
	m->entry[m->count - 1].d.type = EFI_CONVENTIONAL; /* joins two: fits again */
	const char *joined = convert(m, info);
	uint32_t joined_count = info->range_count;
	free(m);
	free(info);
	CHECK(fits == NULL && count == BOOT_RANGES);
	CHECK(too_many != NULL && strstr(too_many, "too many entries") != NULL);
	CHECK(joined == NULL && joined_count == BOOT_RANGES - 1);
}

TEST(uefi_map_form_is_checked)
{
	struct map m = { .count = 0 };
	struct boot_info info;

	add(&m, EFI_CONVENTIONAL, 0x1000, 1);
	CHECK(memory_map_convert(m.entry, 48, 48, &info) == NULL);
	CHECK(memory_map_convert(m.entry, 40, 40, &info) == NULL);
	CHECK(memory_map_convert(m.entry, 39, 39, &info) != NULL);
	CHECK(memory_map_convert(m.entry, 48, 0, &info) != NULL);
	CHECK(memory_map_convert(m.entry, 47, 48, &info) != NULL);
	m.entry[0].d.pages = UINT64_MAX >> EFI_PAGE_SHIFT;
	CHECK(convert(&m, &info) == NULL);
	m.entry[0].d.pages++;
	CHECK(convert(&m, &info) != NULL);
}
