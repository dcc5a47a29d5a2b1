/* SPDX-License-Identifier: MIT */
/* kernel/core/ioport.c - I/O ports, on machines that have such.
 *
 * Life    one object for all ports, made for the first program. A capability to some of them
 *         is derived like one to a range of memory: the badge word says which (CAP_RANGE).
 * Owns    nothing.
 * Locks   obj.lock (rank LOCK_IPC): held while a port is touched.
 * Blocks  never.
 */
#include <core/syscall.h>

const struct object_ops ioport_ops = OBJECT_OPS("ioport", struct object, LOCK_IPC, NULL);

/* The port that a call names by its place within the capability's range; it touches `width`
 * ports: 1, 2 or 4 bytes. */
static status_t port_find(const struct syscall *c, uint16_t *port)
{
	uint64_t badge = c->cap[0].badge, place = c->arg[1], width = c->arg[2];
	uint64_t first = badge >> 32;
	uint64_t count = (uint32_t)badge == 0 ? ARCH_PORTS : (uint32_t)badge;

	if ((width != 1 && width != 2 && width != 4) || place >= count || width > count - place ||
	    first + place + width > ARCH_PORTS)
		return ST_BAD_ARG;
	*port = (uint16_t)(first + place);
	return ST_OK;
}

/* out 0: what was read. */
status_t sys_ioport_read(struct syscall *c)
{
	uint16_t port;
	status_t st = port_find(c, &port);

	if (st == ST_OK)
		c->out[0] = arch_port_read(port, (unsigned)c->arg[2]);
	return st;
}

status_t sys_ioport_write(struct syscall *c)
{
	uint16_t port;
	status_t st = port_find(c, &port);

	if (st == ST_OK)
		arch_port_write(port, (unsigned)c->arg[2], (uint32_t)c->arg[3]);
	return st;
}
