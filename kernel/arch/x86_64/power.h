/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/power.h - how this machine is switched off. */
#pragma once
#include <dev/acpi.h>

/* Keeps what ACPI says about it, with the registers ready for use. Until then
 * arch_power_off can only tell an emulator that we failed, and halt. */
void power_init(const struct acpi_power *acpi);
