/* SPDX-License-Identifier: MIT */
#include <dev/acpi.h>

#define RSDP_SIZE      20u /* revision 0; the checksum covers as much */
#define RSDP_SIZE_2    36u
#define RSDP_SIZE_MAX  4096u
#define HEADER_SIZE    36u
#define TABLE_SIZE_MAX MIB(4)
#define TABLES_MAX     1024u
#define MADT_ENTRIES   44u
#define FADT_SIZE_MIN  116u

/* FADT flags. */
#define FADT_TIMER_32   (1u << 8)
#define FADT_RESET      (1u << 10)
#define FADT_HW_REDUCED (1u << 20)

/* MADT. */
#define MADT_8259        1u
#define MADT_CPU_ENABLED 1u
#define MADT_UID_ALL     0xffu
#define MADT_UID_ALL_X2  0xffffffffu

enum madt_type {
	MADT_CPU = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_CPU_NMI = 4,
	MADT_X2APIC_CPU = 9,
	MADT_X2APIC_NMI = 10,
};

/* Polarity and trigger of an override, two bits each; 0: as the bus has it. */
#define MADT_POLARITY     0x3u
#define MADT_POLARITY_LOW 0x3u
#define MADT_TRIGGER      0xcu
#define MADT_TRIGGER_LVL  0xcu

/* AML. */
#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_PACKAGE 0x12u
#define AML_ROOT    0x5cu

/* Checked bytes. */
struct table {
	const uint8_t *data;
	uint32_t size;
};

struct walk {
	const struct acpi_memory *memory;
	struct acpi_info *out;
	const char *why;
};

/* The little-endian number of `width` bytes at `at`; 0 behind the end, which
 * is how an older and shorter table says that it has no such field. */
static uint64_t get(const struct table *t, uint32_t at, uint32_t width)
{
	uint64_t value = 0;

	if (at > t->size || width > t->size - at)
		return 0;
	for (uint32_t i = 0; i < width; i++)
		value |= (uint64_t)t->data[at + i] << (8 * i);
	return value;
}

static uint8_t get8(const struct table *t, uint32_t at)
{
	return (uint8_t)get(t, at, 1);
}

static uint32_t get32(const struct table *t, uint32_t at)
{
	return (uint32_t)get(t, at, 4);
}

static bool has_signature(const uint8_t *data, const char *signature)
{
	for (; *signature != '\0'; signature++, data++) {
		if (*data != (uint8_t)*signature)
			return false;
	}
	return true;
}

static bool checksum_ok(const uint8_t *data, uint32_t size)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + data[i]);
	return sum == 0;
}

static const uint8_t *bytes_at(const struct walk *w, paddr_t pa, size_t size)
{
	if (pa == 0 || pa + size < pa)
		return NULL;
	return w->memory->at(w->memory->context, pa, size);
}

static status_t corrupt(struct walk *w, const char *why)
{
	w->why = why;
	return ST_CORRUPT;
}

/* Opens the table at `pa` if it is named `signature`: ST_OK, ST_BAD_TYPE if it
 * is named otherwise, ST_CORRUPT with a reason. */
static status_t table_open(struct walk *w, paddr_t pa, const char *signature, struct table *out)
{
	struct table t = { bytes_at(w, pa, HEADER_SIZE), HEADER_SIZE };

	if (t.data == NULL)
		return corrupt(w, "a table lies outside memory");
	if (!has_signature(t.data, signature))
		return ST_BAD_TYPE;
	t.size = get32(&t, 4);
	if (t.size < HEADER_SIZE || t.size > TABLE_SIZE_MAX)
		return corrupt(w, "a table has an impossible length");
	t.data = bytes_at(w, pa, t.size);
	if (t.data == NULL)
		return corrupt(w, "a table reaches outside memory");
	if (!checksum_ok(t.data, t.size))
		return corrupt(w, "a table has a wrong checksum");
	*out = t;
	return ST_OK;
}

/* Finds the root table; *width is the size of its entries. From revision 2 on there
 * are two root tables; the one with 64-bit entries is preferred where its address
 * is given, as ACPI asks. Some firmware leaves it zero and means the old one. */
static status_t root_open(struct walk *w, paddr_t rsdp, struct table *root, uint32_t *width)
{
	struct table t = { bytes_at(w, rsdp, RSDP_SIZE), RSDP_SIZE };
	paddr_t pa = 0;

	if (t.data == NULL)
		return corrupt(w, "the root pointer lies outside memory");
	if (!has_signature(t.data, "RSD PTR ") || !checksum_ok(t.data, RSDP_SIZE))
		return corrupt(w, "the root pointer has a wrong signature or checksum");
	*width = 8;
	if (get8(&t, 15) >= 2) {
		t.data = bytes_at(w, rsdp, RSDP_SIZE_2);
		t.size = RSDP_SIZE_2;
		if (t.data == NULL)
			return corrupt(w, "the root pointer reaches outside memory");
		uint32_t size = get32(&t, 20);
		if (size < RSDP_SIZE_2 || size > RSDP_SIZE_MAX)
			return corrupt(w, "the root pointer has an impossible length");
		t.data = bytes_at(w, rsdp, size);
		if (t.data == NULL || !checksum_ok(t.data, size))
			return corrupt(w, "the root pointer has a wrong second checksum");
		pa = get(&t, 24, 8);
	}
	if (pa == 0) {
		*width = 4;
		pa = get32(&t, 16);
	}
	status_t st = table_open(w, pa, *width == 8 ? "XSDT" : "RSDT", root);
	if (st == ST_BAD_TYPE)
		return corrupt(w, "the root pointer names no root table");
	if (st == ST_OK && ((root->size - HEADER_SIZE) % *width != 0 ||
			    (root->size - HEADER_SIZE) / *width > TABLES_MAX))
		return corrupt(w, "the root table has an impossible length");
	return st;
}

/* The functions that take in an entry return false when it is malformed. A CPU that
 * is not enabled is a socket for one that may be plugged in; nothing would answer
 * there. */
static bool add_cpu(struct acpi_info *info, uint32_t apic_id, uint32_t uid, uint32_t flags)
{
	if ((flags & MADT_CPU_ENABLED) == 0)
		return true;
	/* Firmware may list a CPU in both forms. */
	for (uint32_t i = 0; i < info->cpu_count; i++) {
		if (info->cpu[i].apic_id == apic_id)
			return true;
	}
	if (info->cpu_count == ACPI_CPUS)
		info->cpus_left_out++;
	else
		info->cpu[info->cpu_count++] = (struct acpi_cpu){ .apic_id = apic_id, .uid = uid };
	return true;
}

static bool add_ioapic(struct acpi_info *info, const struct table *e)
{
	if (info->ioapic_count == ACPI_IOAPICS)
		return false;
	info->ioapic[info->ioapic_count++] = (struct acpi_ioapic){
		.base = get32(e, 4),
		.gsi_base = get32(e, 8),
	};
	return true;
}

static bool add_override(struct acpi_info *info, const struct table *e)
{
	uint8_t irq = get8(e, 3);
	uint32_t flags = (uint32_t)get(e, 8, 2);

	if (irq >= ACPI_ISA_IRQS)
		return false;
	info->isa[irq].gsi = get32(e, 4);
	info->isa[irq].low = (flags & MADT_POLARITY) == MADT_POLARITY_LOW;
	info->isa[irq].level = (flags & MADT_TRIGGER) == MADT_TRIGGER_LVL;
	return true;
}

static bool madt_entry(struct acpi_info *info, const struct table *e)
{
	switch (get8(e, 0)) {
	case MADT_CPU:
		return e->size >= 8 && add_cpu(info, get8(e, 3), get8(e, 2), get32(e, 4));
	case MADT_X2APIC_CPU:
		return e->size >= 16 && add_cpu(info, get32(e, 4), get32(e, 12), get32(e, 8));
	case MADT_IOAPIC:
		return e->size >= 12 && add_ioapic(info, e);
	case MADT_OVERRIDE:
		return e->size >= 10 && add_override(info, e);
	default:
		return true;
	}
}

/* Marks the local pins that carry NMIs; after the CPUs are known. */
static bool madt_nmi_entry(struct acpi_info *info, const struct table *e)
{
	uint32_t uid, lint;
	bool all;

	if (get8(e, 0) == MADT_CPU_NMI && e->size >= 6) {
		uid = get8(e, 2);
		lint = get8(e, 5);
		all = uid == MADT_UID_ALL;
	} else if (get8(e, 0) == MADT_X2APIC_NMI && e->size >= 12) {
		uid = get32(e, 4);
		lint = get8(e, 8);
		all = uid == MADT_UID_ALL_X2;
	} else {
		return get8(e, 0) != MADT_CPU_NMI && get8(e, 0) != MADT_X2APIC_NMI;
	}
	if (lint > 1)
		return false;
	for (uint32_t i = 0; i < info->cpu_count; i++) {
		if (all || info->cpu[i].uid == uid)
			info->cpu[i].nmi_lints |= (uint8_t)(1u << lint);
	}
	return true;
}

/* An entry tells its own length, which must hold its two bytes of head, or the walk
 * would not move on, and must end inside the table. */
static bool madt_each(const struct table *madt, struct acpi_info *info,
		      bool (*visit)(struct acpi_info *, const struct table *))
{
	uint32_t at = MADT_ENTRIES;

	while (at < madt->size) {
		struct table e = { madt->data + at, madt->size - at };

		if (e.size < 2 || e.data[1] < 2 || e.data[1] > e.size)
			return false;
		e.size = e.data[1];
		if (!visit(info, &e))
			return false;
		at += e.size;
	}
	return true;
}

/* Twice through the entries: the pins for NMIs are told for CPUs by number, and may
 * come before the CPUs. */
static status_t madt_parse(struct walk *w, const struct table *madt)
{
	struct acpi_info *info = w->out;

	if (madt->size < MADT_ENTRIES)
		return corrupt(w, "the MADT is too short");
	info->has_8259 = (get32(madt, 40) & MADT_8259) != 0;
	for (uint32_t irq = 0; irq < ACPI_ISA_IRQS; irq++)
		info->isa[irq] = (struct acpi_line){ .gsi = irq };
	if (!madt_each(madt, info, madt_entry) || !madt_each(madt, info, madt_nmi_entry))
		return corrupt(w, "the MADT has a malformed entry");
	if (info->cpu_count == 0)
		return corrupt(w, "the MADT lists no CPU");
	return ST_OK;
}

/* A generic address structure at `extended`, or the older I/O port at `plain`. */
static struct acpi_register fadt_register(const struct table *fadt, uint32_t extended,
					  uint32_t plain)
{
	struct acpi_register r = { .space = get8(fadt, extended),
				   .address = get(fadt, extended + 4, 8) };

	if (r.address == 0 && plain != 0)
		r = (struct acpi_register){ .space = ACPI_SPACE_IO, .address = get32(fadt, plain) };
	return r;
}

/* Reads a small integer in a package. */
static bool aml_number(const struct table *t, uint32_t *at, uint8_t *out)
{
	uint8_t op = get8(t, *at);

	if (*at >= t->size)
		return false;
	*at += 1;
	if (op == AML_ZERO || op == AML_ONE) {
		*out = op;
		return true;
	}
	if (op != AML_BYTE || *at >= t->size)
		return false;
	*out = get8(t, *at);
	*at += 1;
	return true;
}

/* True when a definition `Name (_S5, Package { a, b, ... })` has its "_S5_" at
 * `at`; takes a and b from it. A sleep type has three bits. */
static bool aml_s5(const struct table *t, uint32_t at, struct acpi_power *power)
{
	uint32_t name = at > 0 && t->data[at - 1] == AML_ROOT ? at - 1 : at;
	uint8_t a, b;

	if (name == 0 || t->data[name - 1] != AML_NAME)
		return false;
	at += 4;
	if (get8(t, at) != AML_PACKAGE)
		return false;
	at += 1;
	at += 1u + (get8(t, at) >> 6); /* the package's length: 1 to 4 bytes */
	if (get8(t, at) < 2)           /* its number of elements */
		return false;
	at += 1;
	if (!aml_number(t, &at, &a) || !aml_number(t, &at, &b) || a > 7 || b > 7)
		return false;
	power->s5_type_a = a;
	power->s5_type_b = b;
	power->s5_known = true;
	return true;
}

/* A machine whose DSDT we can't read still runs; it only can't be switched off in
 * the ordinary way. So nothing here is an error. */
static void dsdt_parse(struct walk *w, paddr_t pa)
{
	struct table t;

	if (table_open(w, pa, "DSDT", &t) != ST_OK)
		return;
	for (uint32_t at = HEADER_SIZE; at + 4 <= t.size; at++) {
		if (has_signature(t.data + at, "_S5_") && aml_s5(&t, at, &w->out->power))
			return;
	}
}

static status_t fadt_parse(struct walk *w, const struct table *fadt)
{
	struct acpi_power *power = &w->out->power;

	if (fadt->size < FADT_SIZE_MIN)
		return corrupt(w, "the FADT is too short");
	uint32_t flags = get32(fadt, 112);
	power->hw_reduced = (flags & FADT_HW_REDUCED) != 0;
	power->sleep_control = fadt_register(fadt, 244, 0);
	/* What stands in these fields on a machine without that hardware means nothing. */
	if (!power->hw_reduced) {
		power->pm1a_control = fadt_register(fadt, 172, 64);
		power->pm1b_control = fadt_register(fadt, 184, 68);
		power->smi_command = (uint16_t)get32(fadt, 48);
		power->acpi_enable = get8(fadt, 52);
		w->out->pm_timer = fadt_register(fadt, 208, 76);
		w->out->pm_timer_32 = (flags & FADT_TIMER_32) != 0;
	}
	/* Older firmware left the place of the reset register to chance. */
	if ((flags & FADT_RESET) != 0) {
		power->reset = fadt_register(fadt, 116, 0);
		power->reset_value = get8(fadt, 128);
	}
	paddr_t dsdt = get(fadt, 140, 8);
	dsdt_parse(w, dsdt != 0 ? dsdt : get32(fadt, 40));
	return ST_OK;
}

/* Opens the first table named `signature`: ST_BAD_TYPE when there is none. An
 * entry that leads nowhere is as good as none. */
static status_t table_find(struct walk *w, const struct table *root, uint32_t width,
			   const char *signature, struct table *out)
{
	for (uint32_t at = HEADER_SIZE; at < root->size; at += width) {
		paddr_t pa = get(root, at, width);

		if (bytes_at(w, pa, HEADER_SIZE) == NULL)
			continue;
		status_t st = table_open(w, pa, signature, out);
		if (st != ST_BAD_TYPE)
			return st;
	}
	return ST_BAD_TYPE;
}

status_t acpi_parse(const struct acpi_memory *memory, paddr_t rsdp, struct acpi_info *out,
		    const char **why)
{
	struct walk w = { .memory = memory, .out = out };
	struct table root, t;
	uint32_t width;

	*out = (struct acpi_info){ 0 };
	status_t st = root_open(&w, rsdp, &root, &width);
	if (st != ST_OK)
		goto done;
	st = table_find(&w, &root, width, "FACP", &t);
	if (st == ST_OK)
		st = fadt_parse(&w, &t);
	if (st != ST_OK && st != ST_BAD_TYPE)
		goto done;
	st = table_find(&w, &root, width, "APIC", &t);
	if (st == ST_OK)
		st = madt_parse(&w, &t);
	else if (st == ST_BAD_TYPE)
		st = corrupt(&w, "there is no MADT");
done:
	*why = st == ST_OK ? NULL : w.why;
	return st;
}
