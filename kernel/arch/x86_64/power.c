/* SPDX-License-Identifier: MIT */
#include "regs.h"
#include <arch/arch.h>

/* QEMU's pvpanic device (docs/specs/pvpanic): reading gives the events that it
 * supports, 0xff means that nothing answers. Started with
 * "-action panic=exit-failure" QEMU then ends with status 1, but not at once,
 * and a power-off that comes before would count instead. */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01
#define PVPANIC_CYCLES   (1ull << 32)
#define PORT_ABSENT      0xff

/* PM1a control block of QEMU's q35 and pc machines, and the value for S5. */
#define PM1A_CNT_PORT 0x604
#define PM1A_S5       0x2000

/* The keyboard controller's command that pulses the reset line (PC AT, 8042);
 * micro-VMs without ACPI, such as Firecracker, take it for their end. */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET   0xfe

/* An exception without a table to handle it shuts the processor down: a reset
 * on most machines, the end of QEMU's microvm. */
static NORETURN void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_table;

	__asm__ volatile("lidt %0; ud2" : : "m"(no_table));
	__builtin_unreachable();
}

static void signal_failure(void)
{
	uint8_t events = in8(PVPANIC_PORT);

	if (events == PORT_ABSENT || !(events & PVPANIC_PANICKED))
		return;
	out8(PVPANIC_PORT, PVPANIC_PANICKED);
	for (uint64_t start = arch_cycles(); arch_cycles() - start < PVPANIC_CYCLES;)
		arch_cpu_relax();
}

/* What has no effect on a machine is followed by the next best: a node that
 * is told to stop never stays halted in silence. */
void arch_power_off(bool failure)
{
	if (failure)
		signal_failure();
	out16(PM1A_CNT_PORT, PM1A_S5);
	out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	triple_fault();
}
