/* SPDX-License-Identifier: MIT */
/* Devices as a program has them: ports that are words, lines that tests pull. */
#include <arch/arch.h>
#include <core/cpu.h>

#define LINES            24
#define PORT_MASK(width) ((width) == 4 ? UINT32_MAX : (1u << (width)*8) - 1)

static _Atomic uint32_t ports[ARCH_PORTS];
static _Atomic(struct arch_irq *) lines[LINES];

uint32_t arch_port_read(uint16_t port, unsigned width)
{
	return atomic_load(&ports[port]) & PORT_MASK(width);
}

void arch_port_write(uint16_t port, unsigned width, uint32_t value)
{
	atomic_store(&ports[port], value & PORT_MASK(width));
}

status_t arch_irq_connect(struct arch_irq *irq, const struct arch_irq_source *source,
			  arch_irq_fn *fn)
{
	struct arch_irq *none = NULL;

	if (source->cpu >= cpu_count() || (!source->message && source->line >= LINES))
		return ST_BAD_ARG;
	irq->line = source->message ? LINES : source->line;
	irq->level = !source->message && source->level;
	atomic_store(&irq->masked, !source->message);
	if (!source->message && !atomic_compare_exchange_strong(&lines[source->line], &none, irq))
		return ST_EXISTS;
	atomic_store(&irq->fn, fn);
	return ST_OK;
}

void arch_irq_disconnect(struct arch_irq *irq)
{
	if (atomic_exchange(&irq->fn, NULL) == NULL)
		return;
	if (irq->line < LINES)
		atomic_store(&lines[irq->line], NULL);
}

void arch_irq_mask(const struct arch_irq *irq)
{
	if (irq->line < LINES)
		atomic_store(&atomic_load(&lines[irq->line])->masked, true);
}

void arch_irq_unmask(const struct arch_irq *irq)
{
	if (irq->line < LINES)
		atomic_store(&atomic_load(&lines[irq->line])->masked, false);
}

void arch_irq_ack(const struct arch_irq *irq)
{
	arch_irq_unmask(irq);
}

status_t arch_irq_message(const struct arch_irq *irq, uint32_t cpu, uint64_t *address,
			  uint32_t *data)
{
	(void)irq;
	(void)cpu;
	*address = 0;
	*data = 0;
	return ST_UNSUPPORTED;
}

uint64_t arch_interrupt_count(uint32_t cpu)
{
	(void)cpu;
	return 0;
}

bool arch_device_is_taken(paddr_t pa, uint64_t size)
{
	(void)pa, (void)size;
	return false;
}

paddr_t arch_physical_end(void)
{
	return HOST_PHYS_SIZE;
}
