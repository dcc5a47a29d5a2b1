/* SPDX-License-Identifier: MIT */
/* abi/msg.h - messages.
 *
 * A message is an info word in a register and up to MSG_BYTES of payload and
 * MSG_CAPS capabilities in the sender's message block. A thread's message block
 * lies in a page of a memory object that is pinned while the thread uses it
 * (thread_configure); the kernel copies payloads from block to block and never
 * looks at them.
 *
 * Registers: a call or reply passes the info word in argument 1. When the wait
 * ends the kernel returns status, and as results: info, badge, call number.
 * A wake-up through the bound notification has info = MSG_NOTIFICATION and the
 * bits in place of the badge.
 */
#pragma once
#include <abi/rights.h>

#define MSG_BYTES 512 /* longest payload */
#define MSG_FAST  64  /* up to here, with at most one capability: the fast path */
#define MSG_CAPS  4

/* Info word: bytes of payload in bits 0-15, capabilities in bits 16-19 (20-23:
 * zero), flags in bits 24-31, the sender's 32-bit method (or the answer's result) above. */
#define MSG_INFO(method, len, caps)                                                                \
	((uint64_t)(uint32_t)(method) << 32 | (uint64_t)(caps) << 16 | (len))
#define MSG_LEN(info)    ((uint32_t)(info)&0xffffu)
#define MSG_NCAPS(info)  ((uint32_t)(info) >> 16 & 0xffu)
#define MSG_METHOD(info) ((uint32_t)((info) >> 32))

/* Flags that only the kernel sets; a sender's are cleared. */
#define MSG_FLAGS        0xff000000u
#define MSG_FAULT        0x01000000u /* the sender faulted; payload: struct msg_fault */
#define MSG_NOTIFICATION 0x02000000u

/* One capability of a message: as sent, which and with what rights; as received,
 * the handle in the receiver's space and the rights that it carries. */
#define MSG_CAP_MOVE 1u /* the sender's capability goes away at delivery */

struct msg_cap {
	cap_t handle;
	rights_t rights; /* sent: mask, the receiver gets no more */
	uint16_t flags;  /* MSG_CAP_MOVE */
	uint32_t type;   /* received: enum object_type */
};

struct msg_block {
	uint64_t word[MSG_BYTES / 8];
	struct msg_cap cap[MSG_CAPS];
};

_Static_assert(sizeof(struct msg_block) == 576, "msg_block is ABI");

#define MSG_BLOCK_ALIGN 1024 /* offset in the memory object; four fit a page */

/* Why a thread stopped, sent to its fault endpoint. */
enum fault_kind {
	FAULT_MEMORY = 1, /* address, access */
	FAULT_INSTRUCTION,
	FAULT_ARITHMETIC,
	FAULT_BREAKPOINT,
	FAULT_PROTECTION,
	FAULT_ALIGNMENT,
	FAULT_VECTOR,
	FAULT_MACHINE,
};

#define FAULT_READ  1u
#define FAULT_WRITE 2u
#define FAULT_EXEC  4u

struct msg_fault {
	uint32_t kind;   /* enum fault_kind */
	uint32_t access; /* FAULT_READ, ... */
	uint64_t address;
	uint64_t pc, sp, flags;
	uint32_t vector, error; /* as the machine numbers them */
	uint64_t status;        /* why the kernel could not resolve it (status_t) */
	uint64_t reserved;
};

_Static_assert(sizeof(struct msg_fault) == MSG_FAST, "a fault takes the fast path");

/* Results (methods of the answer) that a fault handler may give. */
enum fault_answer { FAULT_RETRY = 0, FAULT_STOP = 1 };
