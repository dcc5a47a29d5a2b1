/* SPDX-License-Identifier: MIT */
/* tests/services/desk.h - what the programs of the test composition tell the tester, and how they
 * learn what to do; and the service that is killed while others use it. */
#pragma once
#include <lib/ipc/proto.h>

#define DESK_USE  1u
#define STORE_USE 1u

/* A program has started. */
enum desk_role {
	ROLE_WAIT,   /* be well */
	ROLE_FAULT,  /* a wild pointer, three calls deep */
	ROLE_EXIT,   /* end as it should be */
	ROLE_FAIL,   /* end with a status */
	ROLE_HANG,   /* be ready, then never answer */
	ROLE_FLOOD,  /* call init without end */
	ROLE_NOISE,  /* signal without end */
	ROLE_VANISH, /* die with calls to init on their way */
	ROLE_CROWD,  /* fault with as many capabilities as init looks at */
	ROLE_SPIN,   /* be ready, then let nobody else run */
};
struct desk_hello_req {
	uint64_t incarnation;
};
struct desk_hello_rep {
	uint64_t role;
};

/* The capabilities that a program finds in its space. */
#define DESK_SLOTS 62
struct desk_slot {
	uint32_t handle; /* slot, and generation above bit 24 */
	uint16_t type, rights;
};
struct desk_set_req {
	uint64_t count;
	struct desk_slot slot[DESK_SLOTS];
};
struct desk_set_rep {
	uint64_t reserved;
};

/* So many rounds are done. */
struct desk_progress_req {
	uint64_t rounds;
};
struct desk_progress_rep {
	uint64_t reserved;
};

/* Was told to stop, and is about to. */
struct desk_stopping_req {
	uint64_t reserved;
};
struct desk_stopping_rep {
	uint64_t reserved;
};

#define DESK_TABLE(M)                                                                              \
	M(desk, 1, hello, DESK_USE, 0, 0, PROTO_ONCE)                                              \
	M(desk, 2, set, DESK_USE, 0, 0, PROTO_ONCE)                                                \
	M(desk, 3, progress, DESK_USE, 0, 0, PROTO_ONCE)                                           \
	M(desk, 4, stopping, DESK_USE, 0, 0, PROTO_ONCE)

PROTO_DEFINE(desk, DESK_TABLE)

/* Adds to the sum that the store keeps for this client. Numbers count from 1 on; that of the last
 * request is answered again, without adding. Before or after, the store may be asked to die, once.
 */
enum store_death {
	STORE_LIVES,
	STORE_DIES_RECEIVED,  /* with the request in hand, and nothing done */
	STORE_DIES_ANSWERING, /* with all done */
	STORE_DIES_ANSWERED,  /* before the next request */
	STORE_DIES_HOLDING,   /* between two deposits that belong together */
	STORE_DEATHS,
};
struct store_add_req {
	uint64_t number, value;
	uint64_t death;
};
struct store_add_rep {
	uint64_t number, sum;
};

#define STORE_TABLE(M) M(store, 1, add, STORE_USE, 0, 0, PROTO_AGAIN)

PROTO_DEFINE(store, STORE_TABLE)
