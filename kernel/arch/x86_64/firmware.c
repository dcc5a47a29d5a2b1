/* SPDX-License-Identifier: MIT */
#include "firmware.h"
#include "mmu.h"
#include <arch/arch.h>
#include <core/boot.h>
#include <core/log.h>
#include <core/panic.h>

struct acpi_info firmware;

/* Tables outside the direct map are seen through windows. These are never taken
 * back, so a table that was mapped once is found again. */
#define WINDOWS_MAX 64

static struct window {
	paddr_t pa;
	size_t size;
	const uint8_t *at;
} windows[WINDOWS_MAX];
static unsigned window_count;

static bool is_within(paddr_t pa, size_t size, paddr_t base, uint64_t length)
{
	return pa >= base && pa - base < length && size <= length - (pa - base);
}

/* For acpi_parse: where the bytes can be read. */
static const uint8_t *table_bytes(void *context, paddr_t pa, size_t size)
{
	(void)context;
	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		if (r->kind != BOOT_RESERVED && is_within(pa, size, r->base, r->size))
			return arch_phys_to_virt(pa);
	}
	for (unsigned i = 0; i < window_count; i++) {
		const struct window *w = &windows[i];
		if (is_within(pa, size, w->pa, w->size))
			return w->at + (pa - w->pa);
	}
	if (window_count == WINDOWS_MAX)
		return NULL;

	const uint8_t *at = mmu_map_firmware(pa, size);
	if (at != NULL)
		windows[window_count++] = (struct window){ pa, size, at };
	return at;
}

/* Without tables, as in the smallest virtual machines, nobody tells of an I/O APIC:
 * the lines have the numbers that a PC gave them, and lead nowhere. */
static void assume_plain_pc(void)
{
	firmware = (struct acpi_info){ .has_8259 = true };
	for (uint32_t irq = 0; irq < ACPI_ISA_IRQS; irq++)
		firmware.isa[irq] = (struct acpi_line){ .gsi = irq };
}

void firmware_init(void)
{
	const struct acpi_memory memory = { table_bytes, NULL };
	const char *why;

	if (boot_info.acpi_rsdp == 0) {
		log_warn("acpi", "no tables: one CPU, no interrupt lines, no power-off");
		assume_plain_pc();
		return;
	}
	if (acpi_parse(&memory, boot_info.acpi_rsdp, &firmware, &why) != ST_OK)
		boot_refuse("the ACPI tables are malformed: %s", why);
	log_info("acpi", "%u CPUs, %u I/O APICs", firmware.cpu_count + firmware.cpus_left_out,
		 firmware.ioapic_count);
}
