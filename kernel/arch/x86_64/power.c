/* SPDX-License-Identifier: MIT */
#include "regs.h"
#include <arch/arch.h>

/* QEMU's pvpanic device (docs/specs/pvpanic): reading gives the events that it
 * supports, 0xff means that nothing answers. Started with
 * "-action panic=exit-failure" QEMU then ends with status 1. */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01
#define PORT_ABSENT      0xff

/* PM1a control block of QEMU's q35 and pc machines, and the value for S5. */
#define PM1A_CNT_PORT 0x604
#define PM1A_S5       0x2000

void arch_power_off(bool failure)
{
	if (failure) {
		uint8_t events = in8(PVPANIC_PORT);
		if (events != PORT_ABSENT && (events & PVPANIC_PANICKED))
			out8(PVPANIC_PORT, PVPANIC_PANICKED);
	}
	out16(PM1A_CNT_PORT, PM1A_S5);
	for (;;)
		__asm__ volatile("cli; hlt");
}
