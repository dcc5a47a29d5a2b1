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

static bool has_types(const struct ipc_message *m, uint64_t expected)
{
	for (unsigned i = 0; i < m->ncaps; i++) {
		uint32_t type = IPC_CAPS_TYPE(expected, i);
		if (type != OBJ_NONE && m->cap[i].type != type)
			return false;
	}
	return true;
}

status_t ipc_take(struct ipc_message *m, void *bytes, size_t size, struct msg_cap *caps,
		  uint64_t expected)
{
	if (m->len != size || m->ncaps != IPC_CAPS_COUNT(expected) || !has_types(m, expected))
		return ipc_refuse(m, ST_CORRUPT);
	memcpy(bytes, m->bytes, size);
	for (unsigned i = 0; i < m->ncaps; i++)
		caps[i] = m->cap[i];
	return ST_OK;
}

status_t ipc_check(const struct ipc_request *from, const struct ipc_message *m, size_t size,
		   uint64_t expected, uint32_t rights)
{
	if ((from->rights & rights) != rights)
		return ST_NO_RIGHT;
	if (m->len != size || m->ncaps != IPC_CAPS_COUNT(expected))
		return ST_BAD_ARG;
	return has_types(m, expected) ? ST_OK : ST_BAD_TYPE;
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
