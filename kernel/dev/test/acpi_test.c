/* SPDX-License-Identifier: MIT */
/* Tables as firmware makes them, and as it should not. A window on them is an
 * allocation of its own of exactly the size that was asked for, so that the
 * address sanitizer sees every byte that is read beyond it. */
#include <dev/acpi.h>
#include <test/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS     8
#define BLOCK_MAX  2048
#define WINDOWS    4096
#define HEADER     36
#define PA_RSDP    0xf5a30ul
#define PA_ROOT    0x7fe2000ul
#define PA_FADT    0x7fe3000ul
#define PA_MADT    0x7fe4000ul
#define PA_DSDT    0x7fe5000ul
#define PA_NOWHERE 0x100000000ul

struct block {
	paddr_t pa;
	size_t size;
	uint8_t data[BLOCK_MAX];
};

static struct machine {
	struct block block[BLOCKS];
	size_t count;
	uint8_t *window[WINDOWS];
	size_t windows;
} machine;

static const uint8_t *at(void *context, paddr_t pa, size_t size)
{
	struct machine *m = context;

	for (size_t i = 0; i < m->count; i++) {
		const struct block *b = &m->block[i];

		if (pa < b->pa || pa - b->pa > b->size || size > b->size - (pa - b->pa))
			continue;
		if (m->windows == WINDOWS)
			return NULL;
		uint8_t *w = malloc(size);
		memcpy(w, b->data + (pa - b->pa), size);
		m->window[m->windows++] = w;
		return w;
	}
	return NULL;
}

static status_t parse(struct acpi_info *out)
{
	struct acpi_memory memory = { at, &machine };
	const char *why = NULL;
	status_t st = acpi_parse(&memory, PA_RSDP, out, &why);

	while (machine.windows > 0)
		free(machine.window[--machine.windows]);
	if ((st == ST_OK) != (why == NULL) || (st != ST_OK && st != ST_CORRUPT))
		abort(); /* the contract: a reason exactly for a refusal */
	return st;
}

static struct block *block_at(paddr_t pa)
{
	for (size_t i = 0; i < machine.count; i++) {
		if (machine.block[i].pa == pa)
			return &machine.block[i];
	}
	struct block *b = &machine.block[machine.count++];
	*b = (struct block){ .pa = pa };
	return b;
}

static void put(struct block *b, size_t offset, uint64_t value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		b->data[offset + i] = (uint8_t)(value >> (8 * i));
	if (offset + width > b->size)
		b->size = offset + width;
}

static void put_bytes(struct block *b, const void *bytes, size_t size)
{
	memcpy(b->data + b->size, bytes, size);
	b->size += size;
}

static void fix_checksum(struct block *b, size_t offset, size_t size)
{
	uint8_t sum = 0;

	b->data[offset] = 0;
	for (size_t i = 0; i < size && i < b->size; i++)
		sum = (uint8_t)(sum + b->data[i]);
	b->data[offset] = (uint8_t)-sum;
}

/* Writes the length and checksum of a table that is complete. */
static void seal(struct block *b)
{
	put(b, 4, b->size, 4);
	fix_checksum(b, 9, b->size);
}

static struct block *table(paddr_t pa, const char *signature)
{
	struct block *b = block_at(pa);

	memset(b->data, 0, sizeof(b->data));
	memcpy(b->data, signature, 4);
	b->size = HEADER;
	return b;
}

static void put_rsdp(unsigned revision)
{
	struct block *b = block_at(PA_RSDP);

	b->size = 0;
	put_bytes(b, "RSD PTR ", 8);
	put(b, 15, revision, 1);
	put(b, 16, revision >= 2 ? PA_NOWHERE : PA_ROOT, 4);
	if (revision >= 2) {
		put(b, 20, 36, 4);
		put(b, 24, PA_ROOT, 8);
		put(b, 32, 0, 4);
	}
	fix_checksum(b, 8, 20);
	if (revision >= 2)
		fix_checksum(b, 32, 36);
}

static void put_root(unsigned revision)
{
	const paddr_t entry[] = { 0, PA_NOWHERE, PA_DSDT, PA_FADT, PA_MADT };
	size_t width = revision >= 2 ? 8 : 4;
	struct block *b = table(PA_ROOT, revision >= 2 ? "XSDT" : "RSDT");

	for (size_t i = 0; i < sizeof(entry) / sizeof(entry[0]); i++)
		put(b, HEADER + i * width, entry[i], width);
	seal(b);
}

static void put_fadt(void)
{
	struct block *b = table(PA_FADT, "FACP");

	put(b, 40, PA_DSDT, 4);
	put(b, 48, 0xb2, 4);
	put(b, 52, 2, 1);
	put(b, 64, 0x604, 4);
	put(b, 76, 0x608, 4);
	put(b, 112, 1u << 8 | 1u << 10, 4);
	put(b, 116, 1, 1);
	put(b, 120, 0xcf9, 8);
	put(b, 128, 0x0f, 1);
	put(b, 243, 0, 1);
	seal(b);
}

static void madt_cpu(struct block *b, unsigned uid, unsigned id, unsigned flags)
{
	put_bytes(b, (uint8_t[]){ 0, 8, (uint8_t)uid, (uint8_t)id, (uint8_t)flags, 0, 0, 0 }, 8);
}

static void madt_x2apic(struct block *b, uint32_t id, uint32_t uid, uint32_t flags)
{
	put_bytes(b, (uint8_t[]){ 9, 16, 0, 0 }, 4);
	put(b, b->size, id, 4);
	put(b, b->size, flags, 4);
	put(b, b->size, uid, 4);
}

static void madt_ioapic(struct block *b, uint32_t base, uint32_t gsi)
{
	put_bytes(b, (uint8_t[]){ 1, 12, 0, 0 }, 4);
	put(b, b->size, base, 4);
	put(b, b->size, gsi, 4);
}

static void madt_override(struct block *b, unsigned irq, uint32_t gsi, unsigned flags)
{
	put_bytes(b, (uint8_t[]){ 2, 10, 0, (uint8_t)irq }, 4);
	put(b, b->size, gsi, 4);
	put(b, b->size, flags, 2);
}

static struct block *madt_begin(void)
{
	struct block *b = table(PA_MADT, "APIC");

	put(b, 36, 0xfee00000, 4);
	put(b, 40, 1, 4);
	return b;
}

static void put_madt(void)
{
	struct block *b = madt_begin();

	madt_cpu(b, 0, 0, 1);
	madt_cpu(b, 1, 1, 1);
	madt_cpu(b, 2, 2, 0);
	madt_x2apic(b, 300, 7, 1);
	madt_x2apic(b, 1, 1, 1);
	madt_ioapic(b, 0xfec00000, 0);
	madt_ioapic(b, 0xfec10000, 24);
	madt_override(b, 0, 2, 0);
	madt_override(b, 9, 9, 0xd);
	madt_override(b, 10, 10, 0xf);
	put_bytes(b, (uint8_t[]){ 4, 6, 0xff, 0, 0, 1 }, 6);
	put_bytes(b, (uint8_t[]){ 10, 12, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0 }, 12);
	put_bytes(b, (uint8_t[]){ 0x7f, 3, 0 }, 3); /* a type that nobody knows */
	seal(b);
}

static const uint8_t s5_plain[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x0a, 0x05 };

static void put_dsdt(const uint8_t *aml, size_t size)
{
	struct block *b = table(PA_DSDT, "DSDT");

	put_bytes(b, aml, size);
	seal(b);
}

static void build(unsigned revision)
{
	machine.count = 0;
	put_rsdp(revision);
	put_root(revision);
	put_fadt();
	put_madt();
	put_dsdt(s5_plain, sizeof(s5_plain));
}

/* What build() describes. */
static bool is_complete(const struct acpi_info *i)
{
	const struct acpi_power *p = &i->power;

	return i->has_8259 && i->cpu_count == 3 && i->cpus_left_out == 0 &&
	       i->cpu[0].apic_id == 0 && i->cpu[1].apic_id == 1 && i->cpu[2].apic_id == 300 &&
	       i->cpu[0].nmi_lints == 2 && i->cpu[1].nmi_lints == 2 && i->cpu[2].nmi_lints == 3 &&
	       i->ioapic_count == 2 && i->ioapic[1].base == 0xfec10000 &&
	       i->ioapic[1].gsi_base == 24 && i->isa[0].gsi == 2 && !i->isa[0].level &&
	       !i->isa[0].low && i->isa[1].gsi == 1 && i->isa[9].level && !i->isa[9].low &&
	       i->isa[10].level && i->isa[10].low && i->pm_timer.address == 0x608 &&
	       i->pm_timer.space == ACPI_SPACE_IO && i->pm_timer_32 && !p->hw_reduced &&
	       p->pm1a_control.address == 0x604 && p->pm1a_control.space == ACPI_SPACE_IO &&
	       p->pm1b_control.address == 0 && p->smi_command == 0xb2 && p->acpi_enable == 2 &&
	       p->reset.address == 0xcf9 && p->reset.space == ACPI_SPACE_IO &&
	       p->reset_value == 0x0f;
}

TEST(acpi_reads_both_revisions)
{
	struct acpi_info info;

	for (unsigned revision = 0; revision <= 2; revision += 2) {
		build(revision);
		CHECK(parse(&info) == ST_OK);
		CHECK(is_complete(&info));
		CHECK(info.power.s5_known);
		CHECK(info.power.s5_type_a == 0 && info.power.s5_type_b == 5);
	}
}

TEST(acpi_prefers_extended_registers)
{
	struct acpi_info info;

	build(2);
	struct block *b = block_at(PA_FADT);
	put(b, 112, 1u << 20 | 1u << 10, 4);
	put(b, 140, PA_DSDT, 8);
	put(b, 40, PA_NOWHERE, 4);
	put(b, 244, ACPI_SPACE_MEMORY, 1);
	put(b, 248, 0xfeb00000, 8);
	seal(b);
	CHECK(parse(&info) == ST_OK);
	CHECK(info.power.hw_reduced && info.power.s5_known);
	CHECK(info.power.sleep_control.address == 0xfeb00000);
	CHECK(info.power.sleep_control.space == ACPI_SPACE_MEMORY);
	CHECK(info.power.pm1a_control.address == 0 && info.pm_timer.address == 0);

	put(b, 112, 0, 4);
	put(b, 172, ACPI_SPACE_IO, 1);
	put(b, 176, 0x1804, 8);
	put(b, 208, ACPI_SPACE_MEMORY, 1);
	put(b, 212, 0xfed00010, 8);
	seal(b);
	CHECK(parse(&info) == ST_OK);
	CHECK(info.power.pm1a_control.address == 0x1804);
	CHECK(info.pm_timer.address == 0xfed00010 && info.pm_timer.space == ACPI_SPACE_MEMORY);
	CHECK(!info.pm_timer_32 && info.power.reset.address == 0);
}

TEST(acpi_works_without_fadt_or_dsdt)
{
	struct acpi_info info;

	build(2);
	block_at(PA_FADT)->size = 0;
	CHECK(parse(&info) == ST_OK);
	CHECK(info.cpu_count == 3 && info.pm_timer.address == 0 && !info.power.s5_known);

	build(2);
	block_at(PA_DSDT)->size = 0;
	CHECK(parse(&info) == ST_OK);
	CHECK(is_complete(&info) && !info.power.s5_known);
}

/* What must come of damage to the table at `pa`. */
static bool is_refused(paddr_t pa)
{
	struct acpi_info info;
	status_t st = parse(&info);

	if (pa == PA_DSDT)
		return st == ST_OK && is_complete(&info) && !info.power.s5_known;
	if (pa == PA_FADT && st == ST_OK)
		return info.cpu_count == 3 && info.pm_timer.address == 0; /* not found */
	return st == ST_CORRUPT;
}

static const paddr_t every_table[] = { PA_RSDP, PA_ROOT, PA_FADT, PA_MADT, PA_DSDT };

TEST(acpi_refuses_every_flipped_byte)
{
	for (unsigned revision = 0; revision <= 2; revision += 2) {
		build(revision);
		for (size_t t = 0; t < sizeof(every_table) / sizeof(every_table[0]); t++) {
			struct block *b = block_at(every_table[t]);
			for (size_t i = 0; i < b->size; i++) {
				b->data[i] ^= 0x41;
				CHECK(is_refused(b->pa));
				b->data[i] ^= 0x41;
			}
		}
	}
}

TEST(acpi_refuses_memory_that_ends_in_a_table)
{
	for (unsigned revision = 0; revision <= 2; revision += 2) {
		build(revision);
		for (size_t t = 0; t < sizeof(every_table) / sizeof(every_table[0]); t++) {
			struct block *b = block_at(every_table[t]);
			size_t whole = b->size;
			for (b->size = 0; b->size < whole; b->size++)
				CHECK(is_refused(b->pa));
		}
	}
}

/* A table that says it is shorter, with the checksum to match. */
TEST(acpi_survives_every_wrong_length)
{
	struct acpi_info info;

	for (size_t t = 1; t < sizeof(every_table) / sizeof(every_table[0]); t++) {
		build(2);
		struct block *b = block_at(every_table[t]);
		for (size_t size = 0; size < b->size; size++) {
			put(b, 4, size, 4);
			fix_checksum(b, 9, size);
			status_t st = parse(&info);
			CHECK(st == ST_OK || st == ST_CORRUPT);
			CHECK(size >= HEADER || is_refused(b->pa));
			if (st == ST_OK)
				CHECK(info.cpu_count >= 1 && info.cpu_count <= 3);
		}
		for (size_t bit = 12; bit < 32; bit++) {
			put(b, 4, 1ul << bit, 4);
			fix_checksum(b, 9, b->size);
			CHECK(is_refused(b->pa));
		}
	}
}

TEST(acpi_refuses_short_fadt_and_madt)
{
	struct acpi_info info;

	build(2);
	struct block *b = block_at(PA_FADT);
	b->size = 115;
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);

	build(2);
	b = block_at(PA_MADT);
	b->size = 43;
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
	b->size = 44; /* no entry, so no CPU */
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
}

/* The length byte of each entry takes every value. Entries shorter than their
 * type needs are refused; longer ones swallow what follows them or end outside. */
TEST(acpi_refuses_wrong_entry_lengths)
{
	static const uint8_t need[16] = {
		[0] = 8, [1] = 12, [2] = 10, [4] = 6, [9] = 16, [10] = 12
	};
	struct acpi_info info;

	build(2);
	struct block *b = block_at(PA_MADT);
	for (size_t e = 44; e < b->size; e += b->data[e + 1]) {
		uint8_t right = b->data[e + 1], type = b->data[e];
		for (unsigned length = 0; length < 256; length++) {
			b->data[e + 1] = (uint8_t)length;
			fix_checksum(b, 9, b->size);
			status_t st = parse(&info);
			if (length < 2 || length > b->size - e ||
			    (type < 16 && length < need[type]))
				CHECK(st == ST_CORRUPT);
			if (length == right)
				CHECK(st == ST_OK && is_complete(&info));
		}
		b->data[e + 1] = right;
	}
}

TEST(acpi_refuses_impossible_madt_values)
{
	struct acpi_info info;

	build(2);
	struct block *b = block_at(PA_MADT);
	size_t whole = b->size;

	madt_override(b, 16, 16, 0);
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
	b->size = whole;
	put_bytes(b, (uint8_t[]){ 4, 6, 0xff, 0, 0, 2 }, 6); /* there are two pins */
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
}

TEST(acpi_counts_what_it_leaves_out)
{
	struct acpi_info info;

	build(2);
	struct block *b = madt_begin();
	for (unsigned i = 0; i < 100; i++)
		madt_cpu(b, i, i, 1);
	seal(b);
	CHECK(parse(&info) == ST_OK);
	CHECK(info.cpu_count == ACPI_CPUS);
	CHECK(info.cpus_left_out == 100 - ACPI_CPUS);
	CHECK(info.cpu[ACPI_CPUS - 1].apic_id == ACPI_CPUS - 1);

	b = madt_begin();
	madt_cpu(b, 0, 0, 1);
	for (unsigned i = 0; i < ACPI_IOAPICS; i++)
		madt_ioapic(b, 0xfec00000 + i * 0x1000, i * 24);
	seal(b);
	CHECK(parse(&info) == ST_OK);
	CHECK(info.ioapic_count == ACPI_IOAPICS);
	madt_ioapic(b, 0xfed00000, 2000);
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
}

TEST(acpi_refuses_a_root_of_another_name)
{
	struct acpi_info info;

	build(2);
	struct block *b = block_at(PA_ROOT);
	memcpy(b->data, "RSDT", 4);
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);

	build(2);
	b = block_at(PA_ROOT);
	put(b, b->size, 0, 4); /* half an entry */
	seal(b);
	CHECK(parse(&info) == ST_CORRUPT);
}

struct s5_case {
	const char *aml;
	size_t size;
	int a, b; /* a -1: not a sleep type */
};

#define S5(text, a, b)                                                                             \
	{                                                                                          \
		text, sizeof(text) - 1, a, b                                                       \
	}

TEST(acpi_reads_s5_in_each_form)
{
	static const struct s5_case cases[] = {
		S5("\x08_S5_\x12\x06\x04\x00\x00\x00\x00", 0, 0),
		S5("\x08_S5_\x12\x06\x04\x01\x00\x00\x00", 1, 0),
		S5("\x08\\_S5_\x12\x08\x02\x0a\x07\x0a\x05", 7, 5),
		S5("\x08_S5_\x12\x40\x01\x02\x0a\x05\x01", 5, 1),
		S5("\x08_S5_\x12\xc0\x00\x00\x00\x02\x0a\x05\x01", 5, 1),
		S5("_S5_ \x08_S5_\x12\x06\x04\x01\x01", 1, 1), /* the first is a use of it */
		S5("_S5_\x12\x06\x04\x01\x01", -1, 0),
		S5("\x10_S5_\x12\x06\x04\x01\x01", -1, 0),
		S5("\x08_S5_\x11\x06\x04\x01\x01", -1, 0),
		S5("\x08_S5_\x12\x06\x01\x01\x01", -1, 0),
		S5("\x08_S5_\x12\x06\x04\x0a\x08\x01", -1, 0),
		S5("\x08_S5_\x12\x06\x04\x01\x0a\x08", -1, 0),
		S5("\x08_S5_\x12\x06\x04\x0b\x01\x00", -1, 0),
	};
	struct acpi_info info;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct s5_case *c = &cases[i];

		build(2);
		put_dsdt((const uint8_t *)c->aml, c->size);
		CHECK(parse(&info) == ST_OK);
		CHECK(info.power.s5_known == (c->a >= 0));
		if (c->a >= 0)
			CHECK(info.power.s5_type_a == c->a && info.power.s5_type_b == c->b);
		/* The table ends inside the definition, checksum right. */
		for (size_t size = 0; c->a >= 0 && c->size - size > 4; size++) {
			put_dsdt((const uint8_t *)c->aml, size);
			CHECK(parse(&info) == ST_OK);
			CHECK(is_complete(&info));
		}
	}
}

/* Random damage with the checksums put right: nothing is read out of bounds
 * (the sanitizer's verdict) and no count leaves its array. */
TEST(acpi_survives_random_tables)
{
	uint64_t rounds = test_rounds(20000), x = test_seed() * 0x9e3779b97f4a7c15ull | 1;
	struct acpi_info info;

	for (uint64_t n = 0; n < rounds; n++) {
		build(n % 2 == 0 ? 0 : 2);
		for (unsigned k = 0; k < 1 + n % 7; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			struct block *b = block_at(every_table[x % 5]);
			b->data[(x >> 8) % b->size] = (uint8_t)(x >> 40);
		}
		for (size_t t = 1; t < sizeof(every_table) / sizeof(every_table[0]); t++) {
			struct block *b = block_at(every_table[t]);
			size_t size = (size_t)b->data[4] | (size_t)b->data[5] << 8;
			fix_checksum(b, 9, size);
		}
		fix_checksum(block_at(PA_RSDP), 8, 20);
		fix_checksum(block_at(PA_RSDP), 32, 36);
		if (parse(&info) != ST_OK)
			continue;
		CHECK(info.cpu_count >= 1 && info.cpu_count <= ACPI_CPUS);
		CHECK(info.ioapic_count <= ACPI_IOAPICS);
		CHECK(info.power.s5_type_a <= 7 && info.power.s5_type_b <= 7);
	}
}
