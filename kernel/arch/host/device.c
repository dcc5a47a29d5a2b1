/* SPDX-License-Identifier: MIT */
/* Devices: lines that tests raise, ports that remember what was written. */
#include "host.h"
#include <core/assert.h>

static struct arch_irq *lines[HOST_LINES];
static uint32_t ports[ARCH_PORTS];

/* ---- interrupts ---- */

status_t arch_irq_connect(struct arch_irq *irq, const struct arch_irq_source *source,
			  arch_irq_fn *fn)
{
	if (!(cpu_online_mask() >> source->cpu & 1))
		return ST_BAD_ARG;
	if (!source->message && source->line >= HOST_LINES)
		return ST_BAD_ARG;
	if (!source->message && lines[source->line] != NULL)
		return ST_EXISTS;
	*irq = (struct arch_irq){
		.fn = fn,
		.line = source->line,
		.message = source->message,
		.level = source->level,
		.masked = !source->message,
	};
	if (!source->message)
		lines[source->line] = irq;
	return ST_OK;
}

void arch_irq_disconnect(struct arch_irq *irq)
{
	if (irq->fn != NULL && !irq->message)
		lines[irq->line] = NULL;
	irq->fn = NULL;
}

void arch_irq_mask(const struct arch_irq *irq)
{
	if (irq->fn != NULL && !irq->message)
		atomic_store(&lines[irq->line]->masked, true);
}

void arch_irq_unmask(const struct arch_irq *irq)
{
	if (irq->fn != NULL && !irq->message)
		atomic_store(&lines[irq->line]->masked, false);
}

void arch_irq_ack(const struct arch_irq *irq)
{
	if (irq->level)
		arch_irq_unmask(irq);
}

status_t arch_irq_message(const struct arch_irq *irq, uint32_t cpu, uint64_t *address,
			  uint32_t *data)
{
	*address = (uintptr_t)irq;
	*data = cpu;
	return ST_OK;
}

bool host_interrupt(uint32_t line)
{
	struct arch_irq *irq = lines[line];

	if (irq == NULL || atomic_load(&irq->masked))
		return false;
	if (irq->level)
		arch_irq_mask(irq);
	irq->fn(irq);
	return true;
}

uint64_t arch_interrupt_count(uint32_t cpu)
{
	(void)cpu;
	return 0;
}

/* ---- ports and device memory ---- */

uint32_t arch_port_read(uint16_t port, unsigned width)
{
	ASSERT(port + width <= ARCH_PORTS);
	return ports[port];
}

void arch_port_write(uint16_t port, unsigned width, uint32_t value)
{
	ASSERT(port + width <= ARCH_PORTS);
	ports[port] = value;
}

paddr_t arch_physical_end(void)
{
	return HOST_PHYS_SIZE;
}

bool arch_device_is_taken(paddr_t pa)
{
	(void)pa;
	return false;
}
