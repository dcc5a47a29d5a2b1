/* SPDX-License-Identifier: MIT */
#include "boot.h"
#include "cpu.h"
#include <abi/boot.h>
#include <core/boot.h>
#include <core/panic.h>

/* Xen's public start_info structure and its memory map (xen/include/public/
 * arch-x86/hvm/start_info.h describes the layout). */
#define PVH_MAGIC 0x336ec578u

struct pvh_start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, cmdline, rsdp;
	uint64_t memory_map;
	uint32_t memory_map_count, reserved;
};

struct pvh_module {
	uint64_t base, size, cmdline, reserved;
};

struct pvh_range {
	uint64_t base, size;
	uint32_t type, reserved;
};

/* Types of the memory map, as in e820 (ACPI 6.5, table 15.4). */
#define E820_RAM  1u
#define E820_ACPI 3u
#define E820_NVS  4u

static struct boot_info info;

static void early_init(void)
{
	cpu_init_early();
	arch_console_init();
}

static uint32_t range_kind(uint32_t e820)
{
	switch (e820) {
	case E820_RAM:
		return BOOT_RAM;
	case E820_ACPI:
	case E820_NVS:
		return BOOT_ACPI;
	default:
		return BOOT_RESERVED;
	}
}

/* Only addresses below 4 GiB are mapped yet; a loader that puts its structures
 * higher is refused rather than followed. */
static void *low_phys(uint64_t pa, size_t size, const char *what)
{
	if (pa == 0 || size > GIB(4) || pa > GIB(4) - size)
		boot_refuse("%s at 0x%llx is not below 4 GiB", what, (unsigned long long)pa);
	return arch_phys_to_virt(pa);
}

/* The count is checked before it is multiplied. Kinds of e820 that we do not know
 * become reserved: not touching memory is always safe. */
static void take_map(const struct pvh_start_info *si)
{
	if (si->version < 1 || si->memory_map_count == 0)
		boot_refuse("PVH start info has no memory map");
	if (si->memory_map_count > BOOT_RANGES)
		boot_refuse("PVH memory map has %u entries, at most %u are supported",
			    si->memory_map_count, BOOT_RANGES);

	const struct pvh_range *map =
		low_phys(si->memory_map, si->memory_map_count * sizeof(*map), "PVH memory map");
	for (uint32_t i = 0; i < si->memory_map_count; i++) {
		struct boot_range *r = &info.range[info.range_count];

		if (map[i].size == 0)
			continue;
		r->base = map[i].base;
		r->size = map[i].size;
		r->kind = range_kind(map[i].type);
		info.range_count++;
	}
}

/* A line that does not fit is refused: an option that is lost in silence may be
 * the one that matters. */
static void take_cmdline(const struct pvh_start_info *si)
{
	const char *from = low_phys(si->cmdline, BOOT_CMDLINE, "command line");
	size_t i = 0;

	for (; from[i] != '\0'; i++) {
		if (i == BOOT_CMDLINE - 1)
			boot_refuse("the command line is longer than %u characters",
				    BOOT_CMDLINE - 1);
		info.cmdline[i] = from[i];
	}
}

void pvh_main(uint32_t start_info)
{
	early_init();

	const struct pvh_start_info *si = low_phys(start_info, sizeof(*si), "PVH start info");
	if (si->magic != PVH_MAGIC)
		boot_refuse("PVH start info has the wrong magic number 0x%x", si->magic);
	take_map(si);
	if (si->module_count > 0) {
		const struct pvh_module *m = low_phys(si->modules, sizeof(*m), "PVH module list");
		info.archive_base = m->base;
		info.archive_size = m->size;
	}
	if (si->cmdline != 0)
		take_cmdline(si);
	info.magic = BOOT_INFO_MAGIC;
	info.version = BOOT_INFO_VERSION;
	info.path = BOOT_PATH_PVH;
	info.kernel_base = boot_kernel_base;
	info.kernel_size = (uint64_t)(kernel_end - kernel_start);
	info.acpi_rsdp = si->rsdp;
	info.start_tsc = boot_start_tsc;
	kernel_main(&info);
}

/* The stub placed the image and boot.S found out where it runs. If the two don't
 * agree, what the stub says about memory can't be believed either. */
void uefi_main(uint64_t from)
{
	early_init();

	struct boot_info *stub = low_phys(from, sizeof(*stub), "boot information");
	if (stub->kernel_base != boot_kernel_base ||
	    stub->kernel_size != (uint64_t)(kernel_end - kernel_start))
		boot_refuse("the kernel runs at 0x%llx, the UEFI stub says 0x%llx",
			    (unsigned long long)boot_kernel_base,
			    (unsigned long long)stub->kernel_base);
	kernel_main(stub);
}
