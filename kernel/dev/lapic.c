/* SPDX-License-Identifier: MIT */
#include <dev/lapic.h>
#include <arch/arch.h>
#include <regs.h>

#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC       0x800u /* register at offset r of the page: MSR_X2APIC + r / 16 */

#define APIC_BASE_X2APIC  (1ul << 10)
#define APIC_BASE_ENABLED (1ul << 11)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ul

#define REG_ID            0x020u
#define REG_VERSION       0x030u
#define REG_TASK_PRIORITY 0x080u
#define REG_EOI           0x0b0u
#define REG_SPURIOUS      0x0f0u
#define REG_ERROR         0x280u
#define REG_COMMAND       0x300u /* x2APIC: all 64 bits */
#define REG_COMMAND_HIGH  0x310u
#define REG_LVT_TIMER     0x320u
#define REG_LVT_THERMAL   0x330u
#define REG_LVT_COUNTERS  0x340u
#define REG_LVT_LINT(n)   (0x350u + 0x10u * (n))
#define REG_LVT_ERROR     0x370u
#define REG_TIMER_INITIAL 0x380u
#define REG_TIMER_CURRENT 0x390u
#define REG_TIMER_DIVIDE  0x3e0u
#define REG_PAGE          0x1000u

#define VERSION_LAST_LVT(v) (((v) >> 16) & 0xff)
#define LVT_OF_COUNTERS     4 /* number of the last entry where this one exists */
#define LVT_OF_THERMAL      5

#define SPURIOUS_ENABLE    (1u << 8)
#define LVT_MASKED         (1u << 16)
#define LVT_NMI            (4u << 8)
#define LVT_TIMER_DEADLINE (2u << 17)
/* So that 32 bits last for a minute where the timer's input runs at 1 GHz; a later
 * deadline takes an interrupt for nothing now and then. */
#define DIVIDE_BY_16 3u

#define COMMAND_NMI     (4u << 8)
#define COMMAND_INIT    (5u << 8)
#define COMMAND_STARTUP (6u << 8)
#define COMMAND_ASSERT  (1u << 14)
#define COMMAND_BUSY    (1u << 12)

static bool x2apic;
static volatile uint8_t *registers;
static uint32_t timer_lvt; /* vector and mode, the same on every CPU */

static uint32_t reg_read(uint32_t reg)
{
	if (x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
	return *(volatile uint32_t *)(registers + reg);
}

static void reg_write(uint32_t reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, value);
	else
		*(volatile uint32_t *)(registers + reg) = value;
}

void lapic_init(bool use_x2apic)
{
	x2apic = use_x2apic;
	if (!x2apic)
		registers = arch_device_map(rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDRESS, REG_PAGE);
}

void lapic_cpu_init(const struct lapic_vectors *vectors)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLED;

	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);

	reg_write(REG_TASK_PRIORITY, 0);
	reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | vectors->spurious);
	reg_write(REG_LVT_TIMER, LVT_MASKED);
	for (unsigned n = 0; n < 2; n++)
		reg_write(REG_LVT_LINT(n), LVT_MASKED);
	uint32_t last = VERSION_LAST_LVT(reg_read(REG_VERSION));
	if (last >= LVT_OF_COUNTERS)
		reg_write(REG_LVT_COUNTERS, LVT_MASKED);
	if (last >= LVT_OF_THERMAL)
		reg_write(REG_LVT_THERMAL, LVT_MASKED);
	lapic_take_errors();
	reg_write(REG_LVT_ERROR, vectors->error);
	timer_lvt = vectors->timer;
}

/* All pins were masked before: firmware may have left the 8259 on one of them. */
void lapic_nmi_pins(unsigned lints)
{
	for (unsigned n = 0; n < 2; n++) {
		if (lints >> n & 1)
			reg_write(REG_LVT_LINT(n), LVT_NMI);
	}
}

bool lapic_is_x2apic(void)
{
	return x2apic;
}

uint32_t lapic_id(void)
{
	return x2apic ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void lapic_eoi(void)
{
	reg_write(REG_EOI, 0);
}

uint32_t lapic_take_errors(void)
{
	/* A write makes the bits collected since the last one readable. */
	reg_write(REG_ERROR, 0);
	return reg_read(REG_ERROR);
}

/* What this CPU stored before must be visible to the other when it is told. A
 * write to an uncached register waits for that, one to an x2APIC MSR does not. */
static void command(uint32_t apic_id, uint32_t low)
{
	if (x2apic) {
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC + REG_COMMAND / 16, (uint64_t)apic_id << 32 | low);
		return;
	}
	while ((reg_read(REG_COMMAND) & COMMAND_BUSY) != 0)
		arch_cpu_relax();
	reg_write(REG_COMMAND_HIGH, apic_id << 24);
	reg_write(REG_COMMAND, low);
}

void lapic_send(uint32_t apic_id, uint8_t vector)
{
	command(apic_id, COMMAND_ASSERT | vector);
}

void lapic_send_nmi(uint32_t apic_id)
{
	command(apic_id, COMMAND_ASSERT | COMMAND_NMI);
}

void lapic_send_init(uint32_t apic_id)
{
	command(apic_id, COMMAND_ASSERT | COMMAND_INIT);
}

void lapic_send_startup(uint32_t apic_id, paddr_t page)
{
	command(apic_id, COMMAND_ASSERT | COMMAND_STARTUP | (uint32_t)(page >> 12));
}

void lapic_timer_init(bool deadline)
{
	reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_16);
	reg_write(REG_TIMER_INITIAL, 0);
	reg_write(REG_LVT_TIMER, timer_lvt | (deadline ? LVT_TIMER_DEADLINE : 0));
	/* The mode must have reached the register before a deadline is written. */
	__asm__ volatile("mfence" ::: "memory");
}

void lapic_timer_set(uint32_t count)
{
	reg_write(REG_TIMER_INITIAL, count);
}

uint32_t lapic_timer_read(void)
{
	return reg_read(REG_TIMER_CURRENT);
}

void lapic_timer_set_deadline(uint64_t tsc)
{
	wrmsr(MSR_TSC_DEADLINE, tsc);
}
