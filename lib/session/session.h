/* SPDX-License-Identifier: MIT */
/* lib/session/session.h - what a server keeps for each of its clients, at the client's expense.
 *
 * A client opens its session with a quota that it brings. Its state is a memory object that is
 * made from this quota, with all its pages at once, so that nothing has to be paid later. The
 * client can take that memory away at any time, by the end of the quota: so the server
 * never maps it, and reaches it only through session_read and session_write, which find out.
 *
 * Life    opened by the client, ended by it, by its quota's end, or by a new incarnation of the
 *         same program, which knows nothing of the old one's state.
 * Owns    the capability to the quota and the memory. The table itself is the server's.
 *
 * A program has one session in a table, so a table of as many slots as there are programs is never
 * full. One thread alone uses a table.
 */
#pragma once
#include <lib/ipc/ipc.h>

struct session {
	bool is_open;
	uint64_t number; /* as in ipc_request */
	cap_t quota;     /* the client's: more may be made of it */
	cap_t memory;
};

struct session_table {
	struct session *slot; /* zeros at first */
	unsigned slots;
	uint64_t bytes; /* of state, for each */

	/* Called when a session has ended, with what the server knows it by; NULL: nobody
	 * wants to know. Its memory is gone already. */
	void (*ended)(void *self, unsigned index, uint64_t number);
	void *self;
};

/* Opens the client's session; its state is zeros. Takes the capability `quota` if it gives ST_OK.
 * ST_EXISTS: it is open. ST_BAD_STATE: there is one of a later incarnation. ST_NO_SLOTS: the
 * table is full. Else why the memory can't be made of the quota. */
status_t session_open(struct session_table *t, const struct ipc_request *from, cap_t quota,
		      struct session **out) MUST_CHECK;

/* The client's session; NULL: it has none (answer with ST_NO_SESSION). */
struct session *session_find(struct session_table *t, const struct ipc_request *from);

/* Copies from or to the state. ST_NO_SESSION: the client has taken it away, and the session has
 * ended. ST_BAD_ARG: the range goes beyond it. */
status_t session_read(struct session_table *t, struct session *s, uint64_t offset, void *buffer,
		      size_t size) MUST_CHECK;
status_t session_write(struct session_table *t, struct session *s, uint64_t offset,
		       const void *buffer, size_t size) MUST_CHECK;

/* Ends a session; the client's quota has its memory back. */
void session_close(struct session_table *t, struct session *s);

/* Ends those whose quota is gone; how many there were. */
unsigned session_sweep(struct session_table *t);
