/* SPDX-License-Identifier: MIT */
/* lib/ipc/proto.h - turns the table of a protocol into stubs for its clients and a dispatcher for
 * its servers.
 *
 * A protocol is a header in proto/: fixed-size structs without padding, and a table with
 * rows M(PROTOCOL, number, method, right, capabilities in, capabilities out, how), which
 * PROTO_DEFINE(PROTOCOL, TABLE) takes. A row's structs are struct PROTOCOL_METHOD_req and
 * struct PROTOCOL_METHOD_rep; its capabilities are a number, or IPC_CAPS_... with their types.
 * Numbers are never used again; a new method goes to the end.
 *
 * `how` is PROTO_AGAIN for a method that may be done twice without harm: when the server dies in
 * the middle, the stub asks its successor, PROTO_TRIES times in all; with PROTO_ONCE the caller
 * gets ST_PEER_GONE. Capabilities of a method that is to be done again are sent as copies.
 *
 * Clients call   status_t PROTOCOL_METHOD(to, &req, &rep, caps)
 * Servers fill   struct PROTOCOL_ops and call PROTOCOL_serve(&ops, self, &request, &message)
 *
 * `caps` is where the capabilities to be sent lie, and where those of the answer are put, which
 * are the caller's then; NULL if there are none either way.
 *
 * The dispatcher looks at the length, at the capabilities and at the right before a method
 * runs; what is wrong is answered without it (ST_NO_METHOD also for one that the server has not
 * got: NULL in its ops). `right` is a bit of the badge that the session was minted with (ipc.h).
 * Capabilities that came are the method's if it gives ST_OK or ST_LATER, and else are dropped.
 *
 * A method that can't answer yet keeps the call (ipc_defer) and returns ST_LATER. Nothing is sent
 * then; whoever it gave the call to answers.
 */
#pragma once
#include <lib/ipc/ipc.h>
#include <string.h>

#define PROTO_TRIES 8

enum proto_how { PROTO_ONCE, PROTO_AGAIN };

#define PROTO_SIZE(P, nr, m, right, in, out, how)                                                  \
	_Static_assert(sizeof(struct P##_##m##_req) <= MSG_BYTES, #m " request");                  \
	_Static_assert(sizeof(struct P##_##m##_rep) <= MSG_BYTES, #m " answer");                   \
	_Static_assert(_Alignof(struct P##_##m##_req) <= 8, #m " request is aligned");             \
	_Static_assert(IPC_CAPS_COUNT(in) <= MSG_CAPS && IPC_CAPS_COUNT(out) <= MSG_CAPS,          \
		       #m " capabilities");

#define PROTO_OP(P, nr, m, right, in, out, how)                                                    \
	status_t (*m)(void *self, struct ipc_request *from, const struct P##_##m##_req *req,       \
		      struct P##_##m##_rep *rep, struct msg_cap *caps);

#define PROTO_STUB(P, nr, m, right, in, out, how)                                                  \
	static inline MUST_CHECK status_t P##_##m(cap_t to, const struct P##_##m##_req *req,       \
						  struct P##_##m##_rep *rep, struct msg_cap *caps) \
	{                                                                                          \
		struct ipc_message message;                                                        \
		unsigned tries = (how) == PROTO_AGAIN ? PROTO_TRIES : 1;                           \
		status_t st = ST_PEER_GONE;                                                        \
		for (; tries > 0 && st == ST_PEER_GONE; tries--) {                                 \
			ipc_begin(&message, (nr), req, sizeof(*req), caps, IPC_CAPS_COUNT(in));    \
			st = ipc_call(to, &message);                                               \
		}                                                                                  \
		return st == ST_OK ? ipc_take(&message, rep, sizeof(*rep), caps, (out)) : st;      \
	}

/* The request is the server's own copy already, and is looked at where it lies. */
#define PROTO_CASE(P, nr, m, right, in, out, how)                                                  \
	case (nr): {                                                                               \
		struct P##_##m##_rep rep = { 0 };                                                  \
		const void *req = message->bytes;                                                  \
		struct msg_cap came[IPC_CAPS_COUNT(in) + 1];                                       \
		status_t st = ipc_check(from, message, sizeof(struct P##_##m##_req), (in),         \
					(uint32_t)(right));                                        \
		if (st != ST_OK || ops->m == NULL)                                                 \
			return ipc_refuse(message, st != ST_OK ? st : ST_NO_METHOD);               \
		memcpy(came, message->cap, IPC_CAPS_COUNT(in) * sizeof(*came));                    \
		st = ops->m(self, from, req, &rep, message->cap);                                  \
		if (st == ST_OK)                                                                   \
			ipc_fill(message, &rep, sizeof(rep), IPC_CAPS_COUNT(out));                 \
		else                                                                               \
			ipc_fill(message, NULL, 0, 0);                                             \
		if (st != ST_OK && st != ST_LATER)                                                 \
			ipc_drop(came, IPC_CAPS_COUNT(in));                                        \
		return st;                                                                         \
	}

/* PROTOCOL_dispatch is PROTOCOL_serve for those who keep servers of many protocols in a table. */
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
	}                                                                                          \
	static inline status_t P##_dispatch(const void *ops, void *self, struct ipc_request *from, \
					    struct ipc_message *message)                           \
	{                                                                                          \
		return P##_serve(ops, self, from, message);                                        \
	}
