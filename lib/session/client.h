/* SPDX-License-Identifier: MIT */
/* lib/session/client.h - a client's side of a session, which outlives the server.
 *
 * A server that was started again knows no sessions: it answers ST_NO_SESSION to what needs one,
 * and has done nothing then. So the client opens its session anew and makes the same call
 * again, whatever it is. What the old server was doing when it died is another matter: that call
 * ends with ST_PEER_GONE, unless it is of the kind that the stub makes again (PROTO_AGAIN).
 *
 *	SESSION_DO(&files, st, file_read(to, &req, &rep, NULL));
 */
#pragma once
#include <lib/ipc/ipc.h>

#define SESSION_TRIES 8

/* One thread alone uses it. Zero but for the first two. */
struct session_client {
	status_t (*open)(void *self); /* makes the call that opens it */
	void *self;
	bool is_open;
	unsigned tries;
};

/* Makes a call within a session, which is opened if need be, and leaves its status in `st`. */
#define SESSION_DO(client, st, call)                                                               \
	do {                                                                                       \
		(st) = session_client_open(client);                                                \
		if ((st) == ST_OK)                                                                 \
			(st) = (call);                                                             \
	} while (session_client_is_lost((client), (st)))

/* Opens the session if it is not open. ST_EXISTS from the server means that it is: the answer to
 * an earlier try was lost. */
status_t session_client_open(struct session_client *c) MUST_CHECK;

/* Whether a call that ended with `st` is to be made again, after the session is opened anew: not
 * more than SESSION_TRIES times for one call. */
bool session_client_is_lost(struct session_client *c, status_t st) MUST_CHECK;
