/* SPDX-License-Identifier: MIT */
#include <dev/ioapic.h>
#include <arch/arch.h>
#include <core/spinlock.h>
#include <dev/acpi.h>

/* The window: write a register's number to SELECT, then use DATA. */
#define WINDOW_SIZE   0x20
#define WINDOW_SELECT 0x00
#define WINDOW_DATA   0x10

#define REG_VERSION  0x01
#define REG_ENTRY(n) (0x10 + 2 * (n)) /* low word; the high one follows */

#define VERSION_LAST(v) (((v) >> 16) & 0xff) /* number of the last line */

/* Redirection entry. Delivery mode fixed and physical destination are zeros. */
#define ENTRY_LOW         (1ull << 13)
#define ENTRY_LEVEL       (1ull << 15)
#define ENTRY_DESTINATION 56
#define APIC_ID_MAX       254 /* 255 means every CPU */

struct ioapic {
	struct spinlock lock;
	volatile uint8_t *window;
	uint32_t gsi_base;
	uint32_t lines;
};

static struct ioapic ioapics[ACPI_IOAPICS];
static uint32_t count;

/* Two accesses that belong together, hence the lock: another CPU that selects in
 * between would make us read its register. */
static uint32_t reg_read(struct ioapic *a, uint32_t reg) REQUIRES(a->lock)
{
	*(volatile uint32_t *)(a->window + WINDOW_SELECT) = reg;
	return *(volatile uint32_t *)(a->window + WINDOW_DATA);
}

static void reg_write(struct ioapic *a, uint32_t reg, uint32_t value) REQUIRES(a->lock)
{
	*(volatile uint32_t *)(a->window + WINDOW_SELECT) = reg;
	*(volatile uint32_t *)(a->window + WINDOW_DATA) = value;
}

/* Masks before the target changes, and lets the mask go after. */
static void entry_write(struct ioapic *a, uint32_t line, uint64_t entry) REQUIRES(a->lock)
{
	reg_write(a, REG_ENTRY(line), (uint32_t)IOAPIC_ENTRY_MASKED);
	reg_write(a, REG_ENTRY(line) + 1, (uint32_t)(entry >> 32));
	reg_write(a, REG_ENTRY(line), (uint32_t)entry);
}

bool ioapic_add(paddr_t base, uint32_t gsi_base)
{
	if (count == ARRAY_LEN(ioapics))
		return false;

	struct ioapic *a = &ioapics[count];
	volatile uint8_t *window = arch_device_map(base, WINDOW_SIZE);
	spin_init(&a->lock, LOCK_IRQ);
	a->window = window;
	a->gsi_base = gsi_base;
	spin_lock(&a->lock);
	uint32_t lines = VERSION_LAST(reg_read(a, REG_VERSION)) + 1;
	bool fits = lines <= IOAPIC_LINES_MAX && gsi_base <= UINT32_MAX - lines;
	for (uint32_t i = 0; fits && i < count; i++)
		fits = gsi_base >= ioapics[i].gsi_base + ioapics[i].lines ||
		       gsi_base + lines <= ioapics[i].gsi_base;
	for (uint32_t line = 0; fits && line < lines; line++)
		entry_write(a, line, IOAPIC_ENTRY_MASKED);
	spin_unlock(&a->lock);
	if (!fits)
		return false;
	/* Counted last: until then nobody finds it. */
	a->lines = lines;
	count++;
	return true;
}

static struct ioapic *find(uint32_t gsi)
{
	for (uint32_t i = 0; i < count; i++) {
		struct ioapic *a = &ioapics[i];
		if (gsi >= a->gsi_base && gsi - a->gsi_base < a->lines)
			return a;
	}
	return NULL;
}

status_t ioapic_route(uint32_t gsi, const struct ioapic_route *route)
{
	struct ioapic *a = find(gsi);

	if (a == NULL)
		return ST_BAD_ARG;
	if (route->apic_id > APIC_ID_MAX)
		return ST_UNSUPPORTED;
	uint64_t entry = (uint64_t)route->apic_id << ENTRY_DESTINATION | IOAPIC_ENTRY_MASKED |
			 (route->level ? ENTRY_LEVEL : 0) | (route->low ? ENTRY_LOW : 0) |
			 route->vector;
	spin_lock(&a->lock);
	entry_write(a, gsi - a->gsi_base, entry);
	spin_unlock(&a->lock);
	return ST_OK;
}

static void set_mask(uint32_t gsi, uint32_t mask)
{
	struct ioapic *a = find(gsi);

	if (a == NULL)
		return;
	uint32_t reg = REG_ENTRY(gsi - a->gsi_base);
	spin_lock(&a->lock);
	reg_write(a, reg, (reg_read(a, reg) & ~(uint32_t)IOAPIC_ENTRY_MASKED) | mask);
	spin_unlock(&a->lock);
}

void ioapic_mask(uint32_t gsi)
{
	set_mask(gsi, (uint32_t)IOAPIC_ENTRY_MASKED);
}

void ioapic_unmask(uint32_t gsi)
{
	set_mask(gsi, 0);
}

bool ioapic_read(uint32_t gsi, uint64_t *entry)
{
	struct ioapic *a = find(gsi);

	if (a == NULL)
		return false;
	uint32_t reg = REG_ENTRY(gsi - a->gsi_base);
	spin_lock(&a->lock);
	*entry = reg_read(a, reg) | (uint64_t)reg_read(a, reg + 1) << 32;
	spin_unlock(&a->lock);
	return true;
}

uint32_t ioapic_line_count(void)
{
	uint32_t lines = 0;

	for (uint32_t i = 0; i < count; i++)
		lines += ioapics[i].lines;
	return lines;
}
