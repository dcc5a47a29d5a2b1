/* SPDX-License-Identifier: MIT */
/* boot/uefi/machine.h - what the stub needs of a machine; <arch>/machine.c. */
#pragma once
#include <stdint.h>

/* Free-running counter, the one that boot_info.start_tsc means. */
uint64_t machine_cycles(void);

/* Writes one character to the first serial port, as the kernel does. */
void machine_serial_put(char c);

/* Tells an emulator that this boot has failed, if one listens. */
void machine_signal_failure(void);

/* Enters the kernel at `entry`, a physical address, with that of the struct
 * boot_info. Never returns. */
__attribute__((noreturn)) void machine_enter(uint64_t entry, uint64_t info);
