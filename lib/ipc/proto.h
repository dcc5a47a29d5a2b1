/* SPDX-License-Identifier: MIT */
/* lib/ipc/proto.h - turns the table of a protocol into stubs for its clients and a dispatcher for
 * its servers.
 *
 * A protocol is a header in proto/: fixed-size structs without padding, and a table with
 * rows M(PROTOCOL, number, method, right, capabilities in, capabilities out, how), which
 * PROTO_DEFINE(PROTOCOL, TABLE) takes. A row's structs are struct PROTOCOL_METHOD_req and
 * struct PROTOCOL_METHOD_rep. Numbers are never used again; a new method goes to the end.
 *
 * `how` is PROTO_AGAIN for a method that may be done twice without harm: when the server dies in
 * the middle, the stub asks its successor; with PROTO_ONCE the caller gets ST_PEER_GONE.
 *
 * Clients call   status_t PROTOCOL_METHOD(to, &req, &rep, caps)
 * Servers fill   struct PROTOCOL_ops and call PROTOCOL_serve(&ops, self, &request, &message)
 *
 * The dispatcher looks at the length, at the number of capabilities and at the right before a
 * method runs; what is wrong is answered without it, and capabilities that nobody will take
 * are dropped (ipc_refuse). `right` is a bit of the badge that the session was minted with (ipc.h).
 *
 * A method that can't answer yet keeps the call (ipc_defer) and returns ST_LATER. Nothing is sent
 * then; whoever it gave the call to answers.
 */
#pragma once
#include <lib/ipc/ipc.h>
#include <string.h>

enum proto_how { PROTO_ONCE, PROTO_AGAIN };

#define PROTO_SIZE(P, nr, m, right, in, out, how)                                                  \
	_Static_assert(sizeof(struct P##_##m##_req) <= MSG_BYTES, #m " request");                  \
	_Static_assert(sizeof(struct P##_##m##_rep) <= MSG_BYTES, #m " answer");                   \
	_Static_assert((in) <= MSG_CAPS && (out) <= MSG_CAPS, #m " capabilities");

#define PROTO_OP(P, nr, m, right, in, out, how)                                                    \
	status_t (*m)(void *self, struct ipc_request *from, const struct P##_##m##_req *req,       \
		      struct P##_##m##_rep *rep, struct msg_cap *caps);

#define PROTO_STUB(P, nr, m, right, in, out, how)                                                  \
	static inline MUST_CHECK status_t P##_##m(cap_t to, const struct P##_##m##_req *req,       \
						  struct P##_##m##_rep *rep, struct msg_cap *caps) \
	{                                                                                          \
		struct ipc_message message;                                                        \
		status_t st;                                                                       \
		do {                                                                               \
			ipc_begin(&message, (nr), req, sizeof(*req), caps, (in));                  \
			st = ipc_call(to, &message);                                               \
		} while (st == ST_PEER_GONE && (how) == PROTO_AGAIN);                              \
                                                                                                   \
		return st == ST_OK ? ipc_take(&message, rep, sizeof(*rep), caps, (out)) : st;      \
	}

#define PROTO_CASE(P, nr, m, right, in, out, how)                                                  \
	case (nr): {                                                                               \
		struct P##_##m##_req req;                                                          \
		struct P##_##m##_rep rep = { 0 };                                                  \
		status_t st = ipc_check(from, message, sizeof(req), (in), (uint32_t)(right));      \
		if (st != ST_OK)                                                                   \
			return ipc_refuse(message, st);                                            \
		memcpy(&req, message->bytes, sizeof(req));                                         \
		st = ops->m(self, from, &req, &rep, message->cap);                                 \
		if (st == ST_OK)                                                                   \
			ipc_fill(message, &rep, sizeof(rep), (out));                               \
		else if (st != ST_LATER)                                                           \
			ipc_fill(message, NULL, 0, 0);                                             \
		return st;                                                                         \
	}

#define PROTO_DEFINE(P, TABLE)                                                                     \
	TABLE(PROTO_SIZE)                                                                          \
	struct P##_ops {                                                                           \
		TABLE(PROTO_OP)                                                                    \
	};                                                                                         \
	TABLE(PROTO_STUB)                                                                          \
	static inline status_t P##_serve(const struct P##_ops *ops, void *self,                    \
					 struct ipc_request *from, struct ipc_message *message)    \
	{                                                                                          \
		switch (message->method) {                                                         \
			TABLE(PROTO_CASE)                                                          \
		default:                                                                           \
			return ipc_refuse(message, ST_NO_METHOD);                                  \
		}                                                                                  \
	}
