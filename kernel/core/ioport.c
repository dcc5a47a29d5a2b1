/* SPDX-License-Identifier: MIT */
#include <core/ioport.h>
#include <core/quota.h>
#include <core/syscall.h>

static bool ioport_close(struct object *o)
{
	(void)o;
	return true;
}

const struct object_ops ioport_ops = {
	.name = "ioport",
	.size = ALIGN_UP(sizeof(struct ioport), OBJECT_GRANULE),
	.rank = LOCK_IPC,
	.close = ioport_close,
};

status_t ioport_create(struct quota *q, struct ioport **out)
{
	struct object *o = object_create(q, OBJ_IOPORT);

	if (o == NULL)
		return ST_NO_MEMORY;
	*out = container_of(o, struct ioport, obj);
	return ST_OK;
}

/* The port that a call names by its place within the capability's range; it touches `width`
 * ports: 1, 2 or 4 bytes. */
static status_t port_find(const struct syscall *c, uint16_t *port)
{
	uint64_t badge = c->cap[0].badge, place = c->arg[1], width = c->arg[2];
	uint64_t first = badge >> 32, count = (uint32_t)badge;

	if (count == 0)
		count = ARCH_PORTS;
	if (width != 1 && width != 2 && width != 4)
		return ST_BAD_ARG;
	if (place >= count || width > count - place || first + place + width > ARCH_PORTS)
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
