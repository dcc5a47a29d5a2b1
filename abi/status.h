/* SPDX-License-Identifier: MIT */
/* abi/status.h - the one list of results, kernel and protocols alike.
 *
 * Grouped by who is at fault. A status carries only a status; counts and
 * handles come back through other registers or out-parameters. Numbers are
 * never reused.
 */
#pragma once
#include <stdint.h>

typedef int32_t status_t;

/* S(name, number, sentence) */
#define STATUS_LIST(S)                                                                             \
	S(OK, 0, "done")                                                                           \
	/* the caller */                                                                           \
	S(BAD_SYSCALL, -1, "no such system call")                                                  \
	S(BAD_CAP, -2, "the handle names no live capability of the caller")                        \
	S(BAD_TYPE, -3, "the capability names an object of another type")                          \
	S(NO_RIGHT, -4, "the capability lacks the right that the call needs")                      \
	S(BAD_ARG, -5, "an argument is out of its documented range")                               \
	S(BAD_ADDRESS, -6, "an address is not mapped, not user space, or lacks the access")        \
	S(NO_METHOD, -7, "the server has no such method")                                          \
	S(TOO_BIG, -8, "longer than the limit that the call documents")                            \
	/* the state of the object */                                                              \
	S(EXISTS, -16, "the place is taken")                                                       \
	S(BAD_STATE, -17, "the object is not in a state that allows this")                         \
	S(PEER_GONE, -18, "the other side died")                                                   \
	S(DEADLINE, -19, "the deadline passed first")                                              \
	S(WOULD_BLOCK, -20, "nothing to do right now")                                             \
	S(CANCELLED, -21, "somebody with the right to do so ended the wait")                       \
	S(REVOKED, -22, "the capability is being revoked, nothing new may be derived")             \
	S(LATER, -23, "the server answers later (never seen by a caller)")                         \
	S(CORRUPT, -24, "the data does not have the form that its format demands")                 \
	S(UNSUPPORTED, -25, "this machine can't do it")                                            \
	S(NO_SESSION, -26, "the server knows no session of the caller's; nothing was done")        \
	/* resources */                                                                            \
	S(NO_MEMORY, -32, "no memory within the quota")                                            \
	S(NO_SLOTS, -33, "no free capability slot")                                                \
	S(NO_QUOTA, -34, "the quota's limit on this kind of object is reached")

#define STATUS_ENUM(name, number, sentence) ST_##name = (number),
enum { STATUS_LIST(STATUS_ENUM) };
#undef STATUS_ENUM
