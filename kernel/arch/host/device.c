/* SPDX-License-Identifier: MIT */
/* Devices as a program has them: ports that are words, lines that tests pull. */
#include <arch/host/host.h>
#include <arch/arch.h>
#include <core/cpu.h>

#define LINES            24
#define MESSAGES         8
#define PORT_MASK(width) ((width) == 4 ? UINT32_MAX : (1u << (width)*8) - 1)

static _Atomic uint32_t ports[ARCH_PORTS];
static _Atomic(struct arch_irq *) lines[LINES + MESSAGES];

uint32_t arch_port_read(uint16_t port, unsigned width)
{
	return atomic_load(&ports[port]) & PORT_MASK(width);
}

void arch_port_write(uint16_t port, unsigned width, uint32_t value)
{
	atomic_store(&ports[port], value & PORT_MASK(width));
}

/* Behind the lines come the messages that devices can send. */
static bool connect(struct arch_irq *irq, uint32_t line, arch_irq_fn *fn)
{
	struct arch_irq *none = NULL;

	irq->line = line;
	if (!atomic_compare_exchange_strong(&lines[line], &none, irq))
		return false;
	atomic_store(&irq->fn, fn);
	return true;
}

status_t arch_irq_connect(struct arch_irq *irq, const struct arch_irq_source *source,
			  arch_irq_fn *fn)
{
	if (source->cpu >= cpu_count() || (!source->message && source->line >= LINES))
		return ST_BAD_ARG;
	irq->level = !source->message && source->level;
	atomic_store(&irq->masked, !source->message);
	if (!source->message)
		return connect(irq, source->line, fn) ? ST_OK : ST_EXISTS;
	for (uint32_t i = LINES; i < LINES + MESSAGES; i++) {
		if (connect(irq, i, fn))
			return ST_OK;
	}
	return ST_UNSUPPORTED;
}

void arch_irq_disconnect(struct arch_irq *irq)
{
	if (atomic_exchange(&irq->fn, NULL) != NULL)
		atomic_store(&lines[irq->line], NULL);
}

static void set_mask(const struct arch_irq *irq, bool masked)
{
	struct arch_irq *connected = atomic_load(&lines[irq->line]);

	if (connected == irq && irq->line < LINES)
		atomic_store(&connected->masked, masked);
}

void arch_irq_mask(const struct arch_irq *irq)
{
	set_mask(irq, true);
}

void arch_irq_unmask(const struct arch_irq *irq)
{
	set_mask(irq, false);
}

void arch_irq_ack(const struct arch_irq *irq)
{
	if (irq->level)
		set_mask(irq, false);
}

status_t arch_irq_message(const struct arch_irq *irq, uint32_t cpu, uint64_t *address,
			  uint32_t *data)
{
	*address = HOST_MESSAGES + cpu;
	*data = irq->line;
	return ST_OK;
}

bool host_irq_pull(uint32_t line)
{
	struct arch_irq *irq = line < LINES + MESSAGES ? atomic_load(&lines[line]) : NULL;

	if (irq == NULL || atomic_load(&irq->masked))
		return false;
	if (irq->level)
		atomic_store(&irq->masked, true);
	atomic_load (&irq->fn)(irq);
	return true;
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
