/* SPDX-License-Identifier: MIT */
#include "power.h"
#include "regs.h"
#include <arch/arch.h>
#include <core/log.h>

/* QEMU's pvpanic device (docs/specs/pvpanic): reading gives the events that it
 * supports, 0xff means that nothing answers. Started with
 * "-action panic=exit-failure" QEMU then ends with status 1, but not at once,
 * and a power-off that comes before would count instead. */
#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01
#define PVPANIC_CYCLES   (1ull << 32)
#define PORT_ABSENT      0xff
#define PORT_LAST        0xffff

/* PM1 control registers (ACPI 6.5, section 4.8.3.2.1) and the sleep control
 * register of hardware-reduced machines (section 4.8.3.7). */
#define PM1_SCI_ENABLED       0x0001u
#define PM1_SLEEP_TYPE(t)     ((unsigned)(t) << 10)
#define PM1_SLEEP_ENABLE      0x2000u
#define CONTROL_SLEEP_TYPE(t) ((unsigned)(t) << 2)
#define CONTROL_SLEEP_ENABLE  0x20u

/* Command port of the keyboard controller (8042), and to pulse the reset line. */
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET   0xfe

/* Turns of a loop: a millisecond at least, and much longer in an emulator. The
 * clock may be what has failed. */
#define SPIN_MAX 1000000

/* A register of one byte, in one of the two spaces; both zero: none. */
struct byte_register {
	uint16_t port;
	volatile uint8_t *memory;
};

static struct acpi_power power;
static struct byte_register reset, sleep_control;

static bool is_port(const struct acpi_register *r)
{
	return r->space == ACPI_SPACE_IO && r->address != 0 && r->address <= PORT_LAST;
}

static struct byte_register byte_register(const struct acpi_register *r)
{
	struct byte_register b = { 0 };

	if (is_port(r))
		b.port = (uint16_t)r->address;
	else if (r->space == ACPI_SPACE_MEMORY && r->address != 0)
		b.memory = arch_device_map(r->address, 1);
	return b;
}

static bool byte_write(const struct byte_register *b, unsigned value)
{
	if (b->port != 0)
		out8(b->port, (uint8_t)value);
	else if (b->memory != NULL)
		*b->memory = (uint8_t)value;
	else
		return false;
	return true;
}

void power_init(const struct acpi_power *acpi)
{
	power = *acpi;
	reset = byte_register(&power.reset);
	if (power.hw_reduced)
		sleep_control = byte_register(&power.sleep_control);
	if (!power.s5_known)
		log_warn("power", "firmware names no way to switch off");
}

/* What was asked of the machine takes effect a while after the write. */
static void give_time(void)
{
	for (unsigned n = 0; n < SPIN_MAX; n++)
		arch_cpu_relax();
}

/* The PM1 registers obey only in ACPI mode. */
static void enter_acpi_mode(uint16_t pm1a)
{
	if ((in16(pm1a) & PM1_SCI_ENABLED) || power.smi_command == 0)
		return;
	out8(power.smi_command, power.acpi_enable);
	for (unsigned n = 0; n < SPIN_MAX && !(in16(pm1a) & PM1_SCI_ENABLED); n++)
		arch_cpu_relax();
}

static void pm1_sleep(uint16_t port, unsigned type)
{
	unsigned kept = in16(port) & ~(PM1_SLEEP_TYPE(7) | PM1_SLEEP_ENABLE);

	out16(port, (uint16_t)(kept | PM1_SLEEP_TYPE(type) | PM1_SLEEP_ENABLE));
}

/* Returns if there is no such way, or it does not lead to the end. */
static void sleep_s5(void)
{
	if (!power.s5_known)
		return;
	if (power.hw_reduced) {
		byte_write(&sleep_control,
			   CONTROL_SLEEP_TYPE(power.s5_type_a) | CONTROL_SLEEP_ENABLE);
	} else if (is_port(&power.pm1a_control)) {
		uint16_t pm1a = (uint16_t)power.pm1a_control.address;
		enter_acpi_mode(pm1a);
		pm1_sleep(pm1a, power.s5_type_a);
		if (is_port(&power.pm1b_control))
			pm1_sleep((uint16_t)power.pm1b_control.address, power.s5_type_b);
	}
	give_time();
}

/* The ways that a PC has had to begin anew: what ACPI names, the keyboard
 * controller's pulse on the reset line, and an exception that can't be handled,
 * which shuts the processor down. Virtual machines without power-off, such as
 * Firecracker's and QEMU's microvm, take one of these for their end. */
void arch_reboot(void)
{
	static const struct table_pointer no_table;

	if (byte_write(&reset, power.reset_value))
		give_time();
	out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	give_time();
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
	sleep_s5();
	log_error("power", "this machine can't be switched off: restarting it");
	arch_reboot();
}
