/* SPDX-License-Identifier: MIT */
/* abi/rights.h - object types and the rights that a capability may carry.
 *
 * The low 12 bits mean what the object's type says; the upper four mean the same
 * for every type. Rights only ever shrink.
 */
#pragma once
#include <stdint.h>

typedef uint16_t rights_t;
typedef uint64_t cap_t; /* handle: slot index in the low 32 bits, slot generation above */

#define CAP_NONE 0ull /* slot 0 is never used */

/* T(NAME, name, rights): the types in the order of their numbers, from 1 on, which are never
 * changed; and all rights that mean something for one, besides those for every type. */
#define OBJECT_TYPE_LIST(T)                                                                        \
	T(QUOTA, quota, RIGHT_CREATE | RIGHT_MANAGE | RIGHT_READ)                                  \
	T(CSPACE, cspace, RIGHT_MANAGE)                                                            \
	T(MEMORY, memory, RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC | RIGHT_MAP | RIGHT_SEAL)          \
	T(ASPACE, aspace, RIGHT_MANAGE)                                                            \
	T(THREAD, thread, RIGHT_CONTROL | RIGHT_UNPARK)                                            \
	T(ENDPOINT, endpoint, RIGHT_CALL | RIGHT_RECEIVE)                                          \
	T(REPLY, reply, RIGHT_REPLY)                                                               \
	T(NOTIFICATION, notification, RIGHT_SIGNAL | RIGHT_WAIT)                                   \
	T(IRQ, irq, RIGHT_BIND)                                                                    \
	T(TIMER, timer, RIGHT_ARM)                                                                 \
	T(SCHED, sched, RIGHT_CONFIGURE | RIGHT_RUN)                                               \
	T(DMA, dma, RIGHT_MANAGE)                                                                  \
	T(IOPORT, ioport, RIGHT_READ | RIGHT_WRITE)                                                \
	T(NODE, node,                                                                              \
	  RIGHT_LOG | RIGHT_COUNTERS | RIGHT_ENTROPY | RIGHT_POWER | RIGHT_IRQ | RIGHT_DMA)

#define OBJECT_TYPE_ENUM(NAME, name, rights) OBJ_##NAME,
enum object_type {
	OBJ_NONE = 0,
	OBJECT_TYPE_LIST(OBJECT_TYPE_ENUM) OBJ_TYPES,
	OBJ_ANY = 0xff, /* in the call table only */
};
#undef OBJECT_TYPE_ENUM

/* For every type. */
#define RIGHT_COPY    0x1000u /* may be copied and minted within what its holder can reach */
#define RIGHT_SEND    0x2000u /* may travel in a message */
#define RIGHT_REVOKE  0x4000u /* what was derived from it may be revoked */
#define RIGHT_DESTROY 0x8000u /* the object may be destroyed */
#define RIGHTS_EVERY  (RIGHT_COPY | RIGHT_SEND | RIGHT_REVOKE | RIGHT_DESTROY)

/* quota */
#define RIGHT_CREATE 0x001u /* objects may be charged to it */
#define RIGHT_MANAGE 0x002u /* resize (quota), change slots (cspace), map (aspace, dma) */
#define RIGHT_READ   0x004u /* quota: usage; memory, ioport: read */
/* memory, ioport */
#define RIGHT_WRITE 0x008u
#define RIGHT_EXEC  0x010u
#define RIGHT_MAP   0x020u /* may be mapped, pinned or shared from */
#define RIGHT_SEAL  0x040u
/* thread */
#define RIGHT_CONTROL 0x001u
#define RIGHT_UNPARK  0x002u /* wake it from park, kick it out of guest mode */
/* endpoint */
#define RIGHT_CALL    0x001u
#define RIGHT_RECEIVE 0x002u
/* reply */
#define RIGHT_REPLY 0x001u
/* notification */
#define RIGHT_SIGNAL 0x001u
#define RIGHT_WAIT   0x002u
/* irq */
#define RIGHT_BIND 0x001u
/* timer */
#define RIGHT_ARM 0x001u
/* sched */
#define RIGHT_CONFIGURE 0x001u /* its share, and to make others: of any share */
#define RIGHT_RUN       0x002u /* threads may be bound to it */
/* node */
#define RIGHT_LOG      0x001u
#define RIGHT_COUNTERS 0x002u
#define RIGHT_ENTROPY  0x004u
#define RIGHT_POWER    0x008u
#define RIGHT_IRQ      0x010u /* create irq objects */
#define RIGHT_DMA      0x020u /* create dma objects */

/* The token in a capability slot, part of the published ABI (32/16/16). */
#define TOKEN_OBJECT_SHIFT 32
#define TOKEN_GEN_SHIFT    16
#define TOKEN_RIGHTS_SHIFT 0
