/* SPDX-License-Identifier: MIT */
#include <lib/ipc/ipc.h>
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>
#include <string.h>

/* The kernel carries whole words: what lies behind the last byte goes over as well. */
static uint64_t put(uint32_t method, const struct ipc_message *m)
{
	struct msg_block *block = libc_block();

	memcpy(block->word, m->bytes, m->len);
	memset((uint8_t *)block->word + m->len, 0, -m->len % 8u);
	for (unsigned i = 0; i < m->ncaps; i++)
		block->cap[i] = m->cap[i];
	return MSG_INFO(method, m->len, m->ncaps);
}

static void get(uint64_t info, struct ipc_message *m)
{
	const struct msg_block *block = libc_block();

	m->method = MSG_METHOD(info);
	m->len = MSG_LEN(info);
	m->ncaps = MSG_NCAPS(info) & 0xfu;
	memcpy(m->bytes, block->word, m->len);
	for (unsigned i = 0; i < m->ncaps; i++)
		m->cap[i] = block->cap[i];
}

void ipc_drop(const struct msg_cap *caps, unsigned ncaps)
{
	for (unsigned i = 0; i < ncaps; i++) {
		if (caps[i].handle != CAP_NONE)
			(void)sys_cap_drop(libc_own->cspace, caps[i].handle);
	}
}

/* Of an answer that did not arrive. Handles are never used again, so one that has left the space
 * after all names nothing. */
static void drop_moved(const struct ipc_message *m)
{
	for (unsigned i = 0; i < m->ncaps; i++) {
		if (m->cap[i].flags & MSG_CAP_MOVE)
			ipc_drop(&m->cap[i], 1);
	}
}

/* ---- clients ---- */

status_t ipc_call_until(cap_t to, uint64_t deadline, struct ipc_message *m)
{
	uint64_t answer;
	status_t st = sys_endpoint_call(to, put(m->method, m), deadline, &answer);

	if (st != ST_OK)
		return st;
	get(answer, m);
	st = (status_t)m->method;
	if (st > ST_OK)
		st = ST_CORRUPT; /* no status at all */
	return st == ST_OK ? ST_OK : ipc_refuse(m, st);
}

status_t ipc_call(cap_t to, struct ipc_message *m)
{
	return ipc_call_until(to, IPC_FOREVER, m);
}

/* ---- servers ---- */

/* Whether a receive failed because of what a client sent; he has been told. */
static bool is_clients(status_t st)
{
	return st == ST_CANCELLED || st == ST_NO_SLOTS || st == ST_NO_MEMORY;
}

static void take(const struct message_in *in, enum ipc_event *event, struct ipc_request *from,
		 struct ipc_message *m)
{
	if (in->info & MSG_NOTIFICATION) {
		*event = IPC_SIGNAL;
		*from = (struct ipc_request){ .session = in->badge };
		m->len = m->ncaps = 0;
		return;
	}
	*event = in->info & MSG_FAULT ? IPC_FAULT : IPC_CALL;
	*from = (struct ipc_request){ .session = in->badge >> 24,
				      .protocol = (uint32_t)(in->badge >> 16) & 0xffu,
				      .rights = (uint32_t)in->badge & IPC_RIGHTS };
	get(in->info, m);
}

status_t ipc_receive(cap_t endpoint, uint64_t deadline, enum ipc_event *event,
		     struct ipc_request *from, struct ipc_message *m)
{
	struct message_in in;
	status_t st;

	do {
		st = sys_endpoint_receive(endpoint, deadline, &in);
	} while (is_clients(st));
	if (st == ST_OK)
		take(&in, event, from, m);
	return st;
}

/* The call is still in hand if its answer could not go over. */
static void answer_without(status_t why)
{
	(void)sys_endpoint_reply(libc_thread(), MSG_INFO(why, 0, 0));
}

void ipc_answer(status_t st, const struct ipc_message *m)
{
	status_t sent = sys_endpoint_reply(libc_thread(), put((uint32_t)st, m));

	if (sent == ST_OK)
		return;
	drop_moved(m);
	answer_without(sent);
}

status_t ipc_answer_receive(cap_t endpoint, status_t st, enum ipc_event *event,
			    struct ipc_request *from, struct ipc_message *m)
{
	struct message_in in;

	/* The combined call would not say that nobody was there to take them. */
	if (m->ncaps > 0) {
		ipc_answer(st, m);
		return ipc_receive(endpoint, IPC_FOREVER, event, from, m);
	}
	status_t got = sys_endpoint_reply_receive(endpoint, put((uint32_t)st, m), IPC_FOREVER, &in);
	if (got != ST_OK) {
		answer_without(got);
		return ipc_receive(endpoint, IPC_FOREVER, event, from, m);
	}
	take(&in, event, from, m);
	return ST_OK;
}

status_t ipc_defer(cap_t reply, struct ipc_request *from)
{
	return sys_reply_save(reply, &from->call);
}

void ipc_answer_deferred(cap_t reply, uint64_t call, status_t st, const struct ipc_message *m)
{
	status_t sent = sys_reply_send(reply, put((uint32_t)st, m), call);

	if (sent == ST_OK)
		return;
	drop_moved(m);
	(void)sys_reply_send(reply, MSG_INFO(sent, 0, 0), call);
}
