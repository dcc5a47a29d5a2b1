/* SPDX-License-Identifier: MIT */
/* What programs are given. */
#include "newc.h"
#include "program.h"
#include <abi/memory.h>
#include <lib/ipc/ipc.h>
#include <lib/sys/calls.h>
#include <string.h>

status_t program_give(struct program *p, cap_t own, rights_t rights, uint64_t word, cap_t *handle)
{
	return sys_cap_copy(p->cspace, workshop.startup->cspace, own, rights, word, handle);
}

static status_t give_use(struct program *p, const struct grant *g, cap_t *handle)
{
	cap_t to = g->program < COMPOSITION_PROGRAMS ? workshop.program[g->program].service
						     : workshop.endpoint;

	return program_give(p, to, g->rights,
			    IPC_BADGE(COMPOSITION_SESSION(p->number, p->incarnation), g->protocol,
				      g->service_rights),
			    handle);
}

/* All of it, or `count` from `from` on. */
static status_t give_range(struct program *p, const struct grant *g, cap_t own, cap_t *handle)
{
	return program_give(p, own, g->rights, g->count == 0 ? 0 : g->from << 32 | g->count,
			    handle);
}

/* Whole pages of its own alone: a file that does not begin on one can't be given. */
static status_t give_file(struct program *p, const struct grant *g, cap_t *handle)
{
	struct newc_file f;
	status_t st = newc_find(workshop.archive, workshop.startup->archive_size, g->file, &f);

	if (st != ST_OK)
		return st;
	if (f.offset % MEMORY_PAGE != 0 || f.size == 0)
		return ST_UNSUPPORTED;
	uint64_t pages = (f.size + MEMORY_PAGE - 1) / MEMORY_PAGE;
	return program_give(p, workshop.startup->archive, g->rights,
			    (uint64_t)(f.offset / MEMORY_PAGE) << 32 | pages, handle);
}

/* Gives what was made for this program alone; init does not keep it. */
static status_t give_away(struct program *p, cap_t made, rights_t rights, cap_t *handle)
{
	status_t st = program_give(p, made, rights, 0, handle);

	(void)sys_cap_drop(workshop.startup->cspace, made);
	return st;
}

static status_t give_page(struct program *p, const struct grant *g, const void *bytes, size_t size,
			  cap_t *handle)
{
	cap_t page;
	status_t st = sys_memory_create(p->run, 1, 0, &page);

	if (st == ST_OK)
		st = sys_memory_write(page, 0, bytes, size);
	return st == ST_OK ? give_away(p, page, g->rights, handle) : st;
}

static status_t give_irq(struct program *p, const struct grant *g, cap_t *handle)
{
	const struct startup *s = workshop.startup;
	struct irq_message message;
	uint64_t cpu = 0;
	cap_t irq;

	while (cpu + 1 < s->cpus && cpu < 63 && !(p->spec->cpus >> cpu & 1))
		cpu++;
	if (!(p->spec->cpus >> cpu & 1))
		cpu = 0;
	status_t st = sys_irq_create(p->run, s->node, g->from, cpu, &irq, &message);
	return st == ST_OK ? give_away(p, irq, g->rights, handle) : st;
}

status_t program_grant(struct program *p, const struct grant *g, cap_t *handle)
{
	const struct startup *s = workshop.startup;

	switch (g->kind) {
	case GRANT_USE:
		return give_use(p, g, handle);
	case GRANT_NODE:
		return program_give(p, s->node, g->rights, 0, handle);
	case GRANT_PORTS:
		return give_range(p, g, s->ports, handle);
	case GRANT_DEVICE:
		return give_range(p, g, s->device, handle);
	case GRANT_ARCHIVE:
		return program_give(p, s->archive, g->rights, 0, handle);
	case GRANT_FILE:
		return give_file(p, g, handle);
	case GRANT_QUOTA:
		return program_give(p, s->quota, g->rights, 0, handle);
	case GRANT_SCHED:
		return program_give(p, s->sched, g->rights, 0, handle);
	case GRANT_IRQ:
		return give_irq(p, g, handle);
	case GRANT_CMDLINE:
		return give_page(p, g, s->cmdline, strnlen(s->cmdline, STARTUP_CMDLINE - 1) + 1,
				 handle);
	case GRANT_ACPI:
		return give_page(p, g, &s->acpi_rsdp, sizeof(s->acpi_rsdp), handle);
	}
	return ST_UNSUPPORTED;
}
