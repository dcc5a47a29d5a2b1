/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/firmware.h - the machine as ACPI describes it. */
#pragma once
#include <dev/acpi.h>

/* Constant after firmware_init. */
extern struct acpi_info firmware;

/* Reads the tables, after arch_mmu_init. Without any (boot_info names none) one
 * CPU is assumed, and what every PC has; malformed tables end the boot. */
void firmware_init(void);
