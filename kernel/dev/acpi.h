/* SPDX-License-Identifier: MIT */
/* kernel/dev/acpi.h - what the kernel wants to know from the ACPI tables.
 *
 * Layouts: ACPI 6.5, section 5.2 (tables) and chapter 20 (the few bytes of AML
 * that name the S5 sleep type). The tables come from firmware: nothing is read
 * before its length is checked, nothing used before its checksum is. Pure code,
 * the port says through `acpi_memory` which bytes there are.
 *
 * Life    acpi_parse copies what it wants; the tables are not needed after it.
 */
#pragma once
#include <core/types.h>

#define ACPI_CPUS     64 /* CPUs beyond these are counted in cpus_left_out */
#define ACPI_IOAPICS  32
#define ACPI_ISA_IRQS 16

struct acpi_memory {
	/* The `size` bytes at `pa`, readable until acpi_parse returns, or NULL
	 * when there is no memory that could hold tables. */
	const uint8_t *(*at)(void *context, paddr_t pa, size_t size);
	void *context;
};

struct acpi_cpu {
	uint32_t apic_id;
	uint32_t uid;      /* the number other tables use for it */
	uint8_t nmi_lints; /* bit n: local interrupt pin n is an NMI */
};

struct acpi_ioapic {
	paddr_t base;
	uint32_t gsi_base; /* number of its first input among all of the machine's */
};

/* The input that a legacy ISA interrupt is wired to. */
struct acpi_line {
	uint32_t gsi;
	bool level, low; /* level-triggered; active low */
};

enum acpi_space { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };

/* A register anywhere; address 0: there is none. */
struct acpi_register {
	uint64_t address;
	uint8_t space; /* enum acpi_space, or another that we don't know */
};

struct acpi_power {
	bool hw_reduced; /* sleep_control instead of the PM1 registers */
	bool s5_known;   /* the two sleep types are valid */
	uint8_t s5_type_a, s5_type_b;
	struct acpi_register pm1a_control, pm1b_control, sleep_control;
	struct acpi_register reset;
	uint8_t reset_value;
	uint16_t smi_command; /* I/O port; 0: ACPI mode needs no switching on */
	uint8_t acpi_enable;  /* what to write there */
};

struct acpi_info {
	/* MADT */
	bool has_8259;
	uint32_t cpu_count; /* entries of cpu[]: those that firmware enabled */
	uint32_t cpus_left_out;
	struct acpi_cpu cpu[ACPI_CPUS];
	uint32_t ioapic_count;
	struct acpi_ioapic ioapic[ACPI_IOAPICS];
	struct acpi_line isa[ACPI_ISA_IRQS];

	/* FADT; all zero without one */
	struct acpi_register pm_timer;
	bool pm_timer_32; /* counts 32 bits, else 24 */
	struct acpi_power power;
};

/* Fills *out from the tables behind the root pointer at `rsdp`. ST_OK; or
 * ST_CORRUPT, *why says what is wrong in a few words and *out is meaningless.
 * A MADT must be there. A missing FADT, or a DSDT without a sleep type that we
 * can read, only leaves the fields empty. */
MUST_CHECK status_t acpi_parse(const struct acpi_memory *memory, paddr_t rsdp,
			       struct acpi_info *out, const char **why);
