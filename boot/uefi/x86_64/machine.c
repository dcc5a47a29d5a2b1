/* SPDX-License-Identifier: MIT */
#include "../machine.h"

/* The first serial port, a 16550, which the firmware has set up; and QEMU's
 * pvpanic device. Compare kernel/arch/x86_64/console.c and power.c. */
#define UART_DATA        0x3f8
#define UART_LSR         0x3fd
#define LSR_THR_EMPTY    0x20
#define UART_SPIN_MAX    100000
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01
#define PVPANIC_CYCLES   (1ull << 32)
#define PORT_ABSENT      0xff

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

uint64_t machine_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void machine_serial_put(char c)
{
	for (unsigned spin = 0; !(in8(UART_LSR) & LSR_THR_EMPTY); spin++) {
		if (spin == UART_SPIN_MAX)
			return;
	}
	out8(UART_DATA, (uint8_t)c);
}

void machine_signal_failure(void)
{
	uint8_t events = in8(PVPANIC_PORT);

	if (events == PORT_ABSENT || !(events & PVPANIC_PANICKED))
		return;
	out8(PVPANIC_PORT, PVPANIC_PANICKED);
	for (uint64_t start = machine_cycles(); machine_cycles() - start < PVPANIC_CYCLES;)
		__asm__ volatile("pause");
}

/* uefi_entry of kernel/arch/x86_64/boot.S. */
void machine_enter(uint64_t entry, uint64_t info)
{
	__asm__ volatile("jmp *%0" : : "r"(entry), "D"(info) : "memory");
	__builtin_unreachable();
}
