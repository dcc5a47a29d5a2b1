/* SPDX-License-Identifier: MIT */
#include "irq.h"
#include "feature.h"
#include "firmware.h"
#include "power.h"
#include "time.h"
#include "trap.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <core/tlb.h>
#include <dev/ioapic.h>
#include <dev/lapic.h>
#include <dev/pic.h>

#define MSI_ADDRESS     0xfee00000u
#define MSI_APIC_ID(id) ((id) << 12)
#define MSI_APIC_ID_MAX 254

/* Errors of a local APIC are logged this many times a CPU, and then counted. */
#define ERRORS_LOGGED 4

/* Changed under the lock, read without. */
static _Atomic(struct arch_irq *) sources[TRAP_VECTORS];
static struct spinlock table_lock = SPINLOCK_INIT(LOCK_IRQ);

static struct irq_counts counts[CPU_MAX];

const struct irq_counts *irq_counts(uint32_t cpu)
{
	return &counts[cpu];
}

uint64_t arch_interrupt_count(uint32_t cpu)
{
	return atomic_load_explicit(&counts[cpu].taken, memory_order_relaxed);
}

/* The order matters. First the CPU stops counting as idle, before anything is
 * looked up. A level is masked before the acknowledgement, after which it could
 * come again. The function is last, so it may end in a switch to a thread and never
 * return. A spurious interrupt has no bit in service: acknowledging it would end
 * another's. */
static void on_interrupt(struct trap_frame *f)
{
	struct cpu *c = arch_this_cpu();
	struct irq_counts *n = &counts[c->id];

	cpu_leave_idle(c);
	cpu_count_up(&n->taken);
	if (f->vector == IRQ_VECTOR_SPURIOUS) {
		cpu_count_up(&n->spurious); /* needs no acknowledgement */
		return;
	}
	struct arch_irq *s = atomic_load_explicit(&sources[f->vector], memory_order_acquire);
	if (s == NULL) {
		cpu_count_up(&n->unowned);
		lapic_eoi();
		return;
	}
	if (s->level)
		arch_irq_mask(s);
	lapic_eoi();
	s->fn(s);
}

static void on_kick(struct arch_irq *s)
{
	(void)s;
	cpu_count_up(&counts[arch_this_cpu()->id].kicks);
}

static void on_shootdown(struct arch_irq *s)
{
	(void)s;
	cpu_count_up(&counts[arch_this_cpu()->id].shootdowns);
	tlb_serve();
}

static void on_timer(struct arch_irq *s)
{
	(void)s;
	cpu_count_up(&counts[arch_this_cpu()->id].timer);
	timer_interrupt();
}

static void on_error(struct arch_irq *s)
{
	struct irq_counts *n = &counts[arch_this_cpu()->id];
	uint32_t errors = lapic_take_errors();

	(void)s;
	cpu_count_up(&n->errors);
	if (atomic_load_explicit(&n->errors, memory_order_relaxed) <= ERRORS_LOGGED)
		log_warn("irq", "local APIC reports errors 0x%x", errors);
}

/* The kernel's own interrupts go the way of the devices', so that there is one
 * place that leaves idleness, counts and acknowledges. */
static void take_vector(uint8_t vector, arch_irq_fn *fn)
{
	static struct arch_irq own[TRAP_VECTORS - IRQ_VECTOR_DEVICE_LAST - 1];
	struct arch_irq *s = &own[vector - IRQ_VECTOR_DEVICE_LAST - 1];

	*s = (struct arch_irq){ .fn = fn, .vector = vector, .gsi = IRQ_NO_LINE };
	atomic_store_explicit(&sources[vector], s, memory_order_release);
}

static void ioapics_init(void)
{
	for (uint32_t i = 0; i < firmware.ioapic_count; i++) {
		const struct acpi_ioapic *a = &firmware.ioapic[i];
		if (!ioapic_add(a->base, a->gsi_base))
			log_warn("irq", "I/O APIC at 0x%llx ignored: its lines overlap others",
				 (unsigned long long)a->base);
	}
}

/* Every vector has the one handler before anything can interrupt, so what comes
 * where nothing should is counted and acknowledged; not acknowledged it would hold
 * back all that rank lower. */
void irq_init(void)
{
	for (unsigned v = TRAP_FIRST_INTERRUPT; v < TRAP_VECTORS; v++)
		trap_set_handler((uint8_t)v, on_interrupt);
	take_vector(IRQ_VECTOR_KICK, on_kick);
	take_vector(IRQ_VECTOR_SHOOTDOWN, on_shootdown);
	take_vector(IRQ_VECTOR_TIMER, on_timer);
	take_vector(IRQ_VECTOR_ERROR, on_error);

	if (firmware.has_8259)
		pic_disable();
	ioapics_init();
	lapic_init(cpu_has(FEATURE_X2APIC));
	irq_cpu_init();
	log_info("irq", "%s, %u lines, %u vectors for devices",
		 lapic_is_x2apic() ? "x2APIC" : "xAPIC", ioapic_line_count(),
		 IRQ_VECTOR_DEVICE_LAST - IRQ_VECTOR_DEVICE_FIRST + 1);
}

void irq_cpu_init(void)
{
	static const struct lapic_vectors vectors = { IRQ_VECTOR_TIMER, IRQ_VECTOR_ERROR,
						      IRQ_VECTOR_SPURIOUS };
	struct cpu *c = arch_this_cpu();

	lapic_cpu_init(&vectors);
	c->arch.apic_id = lapic_id();
	for (uint32_t i = 0; i < firmware.cpu_count; i++) {
		if (firmware.cpu[i].apic_id == c->arch.apic_id)
			lapic_nmi_pins(firmware.cpu[i].nmi_lints);
	}
}

/* One after the other: devices are few, and this is done once for each. The source
 * is complete before the table names it, as who serves an interrupt takes no lock. */
bool irq_alloc(struct arch_irq *s, arch_irq_fn *fn)
{
	unsigned v = IRQ_VECTOR_DEVICE_FIRST;

	spin_lock(&table_lock);
	while (v <= IRQ_VECTOR_DEVICE_LAST && atomic_load(&sources[v]) != NULL)
		v++;
	bool found = v <= IRQ_VECTOR_DEVICE_LAST;
	if (found) {
		*s = (struct arch_irq){ .fn = fn, .vector = (uint8_t)v, .gsi = IRQ_NO_LINE };
		atomic_store_explicit(&sources[v], s, memory_order_release);
	}
	spin_unlock(&table_lock);
	return found;
}

void irq_free(struct arch_irq *s)
{
	ASSERT(s->vector >= IRQ_VECTOR_DEVICE_FIRST && s->vector <= IRQ_VECTOR_DEVICE_LAST);
	arch_irq_mask(s);
	spin_lock(&table_lock);
	ASSERT(atomic_load(&sources[s->vector]) == s);
	atomic_store_explicit(&sources[s->vector], NULL, memory_order_release);
	spin_unlock(&table_lock);
	s->vector = 0;
}

bool irq_isa_line(uint32_t isa, struct irq_line *out)
{
	if (isa >= ACPI_ISA_IRQS)
		return false;
	const struct acpi_line *line = &firmware.isa[isa];
	*out = (struct irq_line){ .gsi = line->gsi, .level = line->level, .low = line->low };
	return true;
}

/* A message names a CPU with 8 bits, of which all ones mean every CPU. */
static status_t target_of(uint32_t cpu, uint32_t *apic_id)
{
	if (cpu >= CPU_MAX || !(cpu_online_mask() >> cpu & 1))
		return ST_BAD_ARG;
	*apic_id = cpu_by_id[cpu]->arch.apic_id;
	return *apic_id <= MSI_APIC_ID_MAX ? ST_OK : ST_UNSUPPORTED;
}

/* Makes the line that of `s`; false if it is somebody else's. */
static bool line_take(struct arch_irq *s, uint32_t gsi)
{
	bool free = true;

	spin_lock(&table_lock);
	for (unsigned v = IRQ_VECTOR_DEVICE_FIRST; v <= IRQ_VECTOR_DEVICE_LAST; v++) {
		const struct arch_irq *other = atomic_load(&sources[v]);
		if (other != NULL && other != s && other->gsi == gsi)
			free = false;
	}
	if (free)
		s->gsi = gsi;
	spin_unlock(&table_lock);
	return free;
}

/* `s` changes only when the controller has taken the route, which leaves the line
 * masked; so no interrupt of the line can find `level` still wrong. */
status_t irq_route(struct arch_irq *s, const struct irq_line *line, uint32_t cpu)
{
	struct ioapic_route route = { .vector = s->vector, .level = line->level, .low = line->low };
	status_t st = target_of(cpu, &route.apic_id);

	ASSERT(s->vector != 0);
	if (st != ST_OK)
		return st;
	if (line->gsi == IRQ_NO_LINE)
		return ST_BAD_ARG;
	if (!line_take(s, line->gsi))
		return ST_EXISTS;
	s->level = line->level;
	st = ioapic_route(line->gsi, &route);
	if (st != ST_OK)
		s->gsi = IRQ_NO_LINE;
	return st;
}

void arch_irq_mask(const struct arch_irq *s)
{
	if (s->gsi != IRQ_NO_LINE)
		ioapic_mask(s->gsi);
}

void arch_irq_unmask(const struct arch_irq *s)
{
	if (s->gsi != IRQ_NO_LINE)
		ioapic_unmask(s->gsi);
}

void arch_irq_ack(const struct arch_irq *s)
{
	if (s->level)
		arch_irq_unmask(s);
}

status_t arch_irq_message(const struct arch_irq *s, uint32_t cpu, uint64_t *address, uint32_t *data)
{
	uint32_t apic_id;
	status_t st = target_of(cpu, &apic_id);

	ASSERT(s->vector != 0);
	if (st != ST_OK)
		return st;
	*address = MSI_ADDRESS | MSI_APIC_ID(apic_id); /* physical destination */
	*data = s->vector;                             /* edge, fixed delivery */
	return ST_OK;
}

status_t arch_irq_connect(struct arch_irq *irq, const struct arch_irq_source *source,
			  arch_irq_fn *fn)
{
	const struct irq_line line = { source->line, source->level, source->low };
	uint32_t apic_id;

	status_t st = target_of(source->cpu, &apic_id);
	if (st != ST_OK)
		return st;
	if (!irq_alloc(irq, fn))
		return ST_UNSUPPORTED;
	if (source->message)
		return ST_OK;
	st = irq_route(irq, &line, source->cpu);
	if (st != ST_OK)
		irq_free(irq);
	return st;
}

void arch_irq_disconnect(struct arch_irq *irq)
{
	if (irq->vector != 0)
		irq_free(irq);
}

void arch_interrupts_init(void)
{
	firmware_init();
	power_init(&firmware.power);
	irq_init();
	time_init();
}
