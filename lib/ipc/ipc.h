/* SPDX-License-Identifier: MIT */
/* lib/ipc/ipc.h - calls between programs.
 *
 * A server's endpoint is handed out as badged capabilities, one for each session: the upper
 * 40 bits of the badge are the number of the session, then 8 say which of the server's
 * protocols it speaks, and 16 are the rights that its holder has on it. Only the kernel writes
 * badges, so they are believed.
 *
 * A message is copied from the kernel's block before anything looks at it, and into it whole.
 */
#pragma once
#include <abi/msg.h>
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))

#define IPC_RIGHTS 0xffffu
#define IPC_BADGE(session, protocol, rights)                                                       \
	((uint64_t)(session) << 24 | (uint64_t)(protocol) << 16 | (rights))
#define IPC_FOREVER UINT64_MAX

struct ipc_message {
	uint32_t method; /* of a request; of an answer: the status of the server */
	uint32_t len;    /* bytes */
	uint32_t ncaps;
	struct msg_cap cap[MSG_CAPS];
	_Alignas(8) uint8_t bytes[MSG_BYTES];
};

/* Who calls. */
struct ipc_request {
	uint64_t session;
	uint32_t protocol;
	uint32_t rights;
	uint64_t call; /* its number, for a deferred answer */
};

/* What ipc_receive and ipc_answer_receive may come back with, besides an error. */
enum ipc_event { IPC_CALL, IPC_SIGNAL };

/* ---- clients ---- */

/* Sends a message and waits for the answer, which takes its place. Gives the kernel's status if
 * the call did not come to an end (ST_PEER_GONE and others), else the server's. */
status_t ipc_call(cap_t to, struct ipc_message *m) MUST_CHECK;

/* ---- servers ---- */

/* Waits at `endpoint` for a call, or for signals of the notification that is bound to the
 * thread (then `from->session` has the bits). */
status_t ipc_receive(cap_t endpoint, uint64_t deadline, enum ipc_event *event,
		     struct ipc_request *from, struct ipc_message *m) MUST_CHECK;

/* Answers the call in hand with `st` and `m`, then waits for the next. */
status_t ipc_answer_receive(cap_t endpoint, status_t st, enum ipc_event *event,
			    struct ipc_request *from, struct ipc_message *m) MUST_CHECK;

/* Keeps the call in hand in a reply object; it is answered by ipc_answer_deferred, once. */
status_t ipc_defer(cap_t reply, const struct ipc_request *from) MUST_CHECK;
status_t ipc_answer_deferred(cap_t reply, uint64_t call, status_t st,
			     struct ipc_message *m) MUST_CHECK;

/* ---- what the stubs are made of ---- */

/* Begins a request of `size` bytes and `ncaps` capabilities. */
void ipc_begin(struct ipc_message *m, uint32_t method, const void *bytes, size_t size,
	       const struct msg_cap *caps, unsigned ncaps);

/* Takes an answer of that size out of `m`. ST_CORRUPT: it is of another; what
 * capabilities came with it are dropped. */
status_t ipc_take(struct ipc_message *m, void *bytes, size_t size, struct msg_cap *caps,
		  unsigned ncaps) MUST_CHECK;

/* Whether a request is of this size, with so many capabilities, from a session with all of
 * `rights`. */
status_t ipc_check(const struct ipc_request *from, const struct ipc_message *m, size_t size,
		   unsigned ncaps, uint32_t rights) MUST_CHECK;

/* Makes `m` an answer; the capabilities are those in m->cap. */
void ipc_fill(struct ipc_message *m, const void *bytes, size_t size, unsigned ncaps);

/* Drops what capabilities came and makes `m` an empty answer; gives `st` back. */
status_t ipc_refuse(struct ipc_message *m, status_t st);

/* Supplied by the program (lib/libc has it): drops capabilities that came with a message. */
void ipc_drop(const struct msg_cap *caps, unsigned ncaps);
