/* SPDX-License-Identifier: MIT */
#include <lib/ipc/ipc.h>
#include <string.h>

void ipc_begin(struct ipc_message *m, uint32_t method, const void *bytes, size_t size,
	       const struct msg_cap *caps, unsigned ncaps)
{
	m->method = method;
	m->len = (uint32_t)size;
	m->ncaps = ncaps;
	memcpy(m->bytes, bytes, size);
	for (unsigned i = 0; i < ncaps; i++)
		m->cap[i] = caps[i];
}

status_t ipc_take(struct ipc_message *m, void *bytes, size_t size, struct msg_cap *caps,
		  unsigned ncaps)
{
	if (m->len != size || m->ncaps != ncaps) {
		ipc_drop(m->cap, m->ncaps);
		return ST_CORRUPT;
	}
	memcpy(bytes, m->bytes, size);
	for (unsigned i = 0; i < ncaps; i++)
		caps[i] = m->cap[i];
	return ST_OK;
}

status_t ipc_check(const struct ipc_request *from, const struct ipc_message *m, size_t size,
		   unsigned ncaps, uint32_t rights)
{
	if ((from->rights & rights) != rights)
		return ST_NO_RIGHT;
	return m->len == size && m->ncaps == ncaps ? ST_OK : ST_BAD_ARG;
}

void ipc_fill(struct ipc_message *m, const void *bytes, size_t size, unsigned ncaps)
{
	m->len = (uint32_t)size;
	m->ncaps = ncaps;
	if (size > 0)
		memcpy(m->bytes, bytes, size);
}

status_t ipc_refuse(struct ipc_message *m, status_t st)
{
	ipc_drop(m->cap, m->ncaps);
	ipc_fill(m, NULL, 0, 0);
	return st;
}
