/* SPDX-License-Identifier: MIT */
/* lib/ipc/ipc.h - calls between programs.
 *
 * A server's endpoint is handed out as badged capabilities, one for each session: the upper
 * 40 bits of the badge are the number of the session (which program, and which incarnation of
 * it), then 8 say which of the server's protocols it speaks, and 16 are the rights that its
 * holder has on it. Only the kernel writes badges, so they are believed.
 *
 * A message is copied from the thread's block before anything looks at it, and into it whole.
 * Every thread has a block of its own (lib/libc), so these functions may be called by several at
 * once. A server may call others while it has a call in hand.
 *
 * Whatever a client does ends in an answer to him, never in an error of the server's: what comes
 * back from ipc_receive as an error is about the server's own capabilities.
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

/* The parts of a session's number. */
#define IPC_SESSION(program, incarnation) ((uint64_t)(program) << 32 | (uint32_t)(incarnation))
#define IPC_PROGRAM(session)              ((uint32_t)((session) >> 32))
#define IPC_INCARNATION(session)          ((uint32_t)(session))

/* Which capabilities a message has: how many, and of which types, in their order (enum
 * object_type; 0: any). A plain number stands for so many of any type. */
#define IPC_CAPS_1(a)          (1u | (uint64_t)(a) << 8)
#define IPC_CAPS_2(a, b)       (2u | (uint64_t)(a) << 8 | (uint64_t)(b) << 16)
#define IPC_CAPS_3(a, b, c)    (3u | (uint64_t)(a) << 8 | (uint64_t)(b) << 16 | (uint64_t)(c) << 24)
#define IPC_CAPS_COUNT(caps)   ((uint32_t)(caps)&0xffu)
#define IPC_CAPS_TYPE(caps, i) ((uint32_t)((uint64_t)(caps) >> (8 * ((i) + 1))) & 0xffu)

struct ipc_message {
	uint32_t method; /* of a request; of an answer: the status of the server */
	uint32_t len;    /* bytes, at most MSG_BYTES */
	uint32_t ncaps;  /* at most MSG_CAPS */
	struct msg_cap cap[MSG_CAPS];
	_Alignas(8) uint8_t bytes[MSG_BYTES];
};

/* Who calls. */
struct ipc_request {
	uint64_t session;
	uint32_t protocol;
	uint32_t rights;
	uint64_t call; /* its number, for a deferred answer: set by ipc_defer */
};

/* What ipc_receive may come back with, besides an error. */
enum ipc_event {
	IPC_CALL,
	IPC_SIGNAL, /* from->session: the bits */
	IPC_FAULT,  /* a thread faulted: the message is a struct msg_fault, the badge is that of
		     * its fault endpoint; the answer's status is an enum fault_answer */
};

/* ---- clients ---- */

/* Sends a message and waits for the answer, which takes its place. Gives the kernel's status if
 * the call did not come to an end (ST_PEER_GONE and others), else the server's; unless that is
 * ST_OK the message has no capabilities then, what came is dropped. Capabilities to be moved
 * (MSG_CAP_MOVE) are still the caller's if no server took the call. */
status_t ipc_call(cap_t to, struct ipc_message *m) MUST_CHECK;

/* The same, until a deadline in nanoseconds: ST_DEADLINE. */
status_t ipc_call_until(cap_t to, uint64_t deadline, struct ipc_message *m) MUST_CHECK;

/* ---- servers ---- */

/* Waits at `endpoint` for a call, or for signals of the notification that is bound to the
 * thread. A call that is in hand still is given up (its caller gets ST_PEER_GONE).
 * ST_DEADLINE; ST_PEER_GONE: the endpoint died; or as the kernel refuses the capability. */
status_t ipc_receive(cap_t endpoint, uint64_t deadline, enum ipc_event *event,
		     struct ipc_request *from, struct ipc_message *m) MUST_CHECK;

/* Answers the call in hand with `st` and `m`. If the client can't take the answer he gets an error
 * if anything, and what was to be moved to him is dropped: there is nothing to be done about it. */
void ipc_answer(status_t st, const struct ipc_message *m);

/* ipc_answer, then ipc_receive without a deadline, in one system call where that can be. */
status_t ipc_answer_receive(cap_t endpoint, status_t st, enum ipc_event *event,
			    struct ipc_request *from, struct ipc_message *m) MUST_CHECK;

/* Keeps the call in hand in a reply object; it is answered by ipc_answer_deferred, once.
 * ST_EXISTS: the object keeps another; ST_BAD_STATE: there is no call in hand. */
status_t ipc_defer(cap_t reply, struct ipc_request *from) MUST_CHECK;

/* As ipc_answer. Afterwards the object keeps no call. */
void ipc_answer_deferred(cap_t reply, uint64_t call, status_t st, const struct ipc_message *m);

/* ---- what the stubs are made of ---- */

/* Begins a request of `size` bytes and `ncaps` capabilities. */
void ipc_begin(struct ipc_message *m, uint32_t method, const void *bytes, size_t size,
	       const struct msg_cap *caps, unsigned ncaps);

/* Takes an answer of that size, with these capabilities (IPC_CAPS_...), out of `m`.
 * ST_CORRUPT: it is of another kind; what capabilities came with it are dropped. */
status_t ipc_take(struct ipc_message *m, void *bytes, size_t size, struct msg_cap *caps,
		  uint64_t expected) MUST_CHECK;

/* Whether a request is of this size, with these capabilities (IPC_CAPS_...), from a session with
 * all of `rights`: else ST_NO_RIGHT, ST_BAD_ARG, or ST_BAD_TYPE. */
status_t ipc_check(const struct ipc_request *from, const struct ipc_message *m, size_t size,
		   uint64_t expected, uint32_t rights) MUST_CHECK;

/* Makes `m` an answer; the capabilities are those in m->cap. */
void ipc_fill(struct ipc_message *m, const void *bytes, size_t size, unsigned ncaps);

/* Drops what capabilities came and makes `m` an empty answer; gives `st` back. */
status_t ipc_refuse(struct ipc_message *m, status_t st);

/* Drops capabilities of the program's own space; those with the handle CAP_NONE are none. */
void ipc_drop(const struct msg_cap *caps, unsigned ncaps);
