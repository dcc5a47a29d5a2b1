/* SPDX-License-Identifier: MIT */
/* lib/ipc/test/toy.h - a protocol for the tests. */
#pragma once
#include <lib/ipc/proto.h>

#define TOY_ADD  1u
#define TOY_KEEP 2u

struct toy_add_req {
	uint64_t a, b;
};
struct toy_add_rep {
	uint64_t sum;
};

struct toy_keep_req {
	uint64_t place;
};
struct toy_keep_rep {
	uint64_t place;
};

struct toy_trade_req {
	uint64_t reserved;
};
struct toy_trade_rep {
	uint64_t reserved;
};

struct toy_once_req {
	uint8_t text[13];
};
struct toy_once_rep {
	uint8_t text[13];
};

#define TOY_TABLE(M)                                                                               \
	M(toy, 1, add, TOY_ADD, 0, 0, PROTO_AGAIN)                                                 \
	M(toy, 2, keep, TOY_KEEP, IPC_CAPS_2(OBJ_QUOTA, OBJ_NONE), 0, PROTO_ONCE)                  \
	M(toy, 4, trade, 0, 1, IPC_CAPS_1(OBJ_MEMORY), PROTO_ONCE)                                 \
	M(toy, 5, once, 0, 0, 0, PROTO_ONCE)

PROTO_DEFINE(toy, TOY_TABLE)
