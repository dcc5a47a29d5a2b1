/* SPDX-License-Identifier: MIT */
/* proto/supervisor.h - what init does for the programs that it started.
 *
 * Every program has a session with SUPERVISOR_OWN. Deposits are capabilities that a program leaves
 * with init under a name, for itself: after its death the next incarnation finds them.
 * It has to check what they lead to before it relies on it. What they are paid with has to outlive
 * it too: program_block.state.
 */
#pragma once
#include <lib/ipc/proto.h>
#include <proto/program.h>

#define SUPERVISOR_OWN      1u /* about oneself */
#define SUPERVISOR_STATUS   2u /* read what runs */
#define SUPERVISOR_SHUTDOWN 4u /* end it all */
#define SUPERVISOR_CONTROL  8u /* restart a program */

#define SUPERVISOR_DEPOSITS 16 /* of one program */

struct supervisor_exit_req {
	int64_t status; /* 0: as it should be */
};
struct supervisor_exit_rep {
	uint64_t reserved; /* never comes */
};

/* ST_EXISTS: the name is taken. ST_NO_SLOTS: there are SUPERVISOR_DEPOSITS already. ST_BAD_ARG: the
 * name is empty or does not end. ST_NO_RIGHT: the capability lacks RIGHT_COPY or RIGHT_SEND, so it
 * could not be given again. */
struct supervisor_deposit_req {
	char name[PROGRAM_NAME];
	uint64_t
		value; /* kept beside the capability; what it means is the program's own business */
};
struct supervisor_deposit_rep {
	uint64_t reserved;
};

/* A copy of the deposit of that name. ST_BAD_ARG: there is none, or what it was has died. */
struct supervisor_find_req {
	char name[PROGRAM_NAME];
};
struct supervisor_find_rep {
	uint64_t value;
};

/* Takes a deposit off init's hands. ST_BAD_ARG: there is none of that name. */
struct supervisor_withdraw_req {
	char name[PROGRAM_NAME];
};
struct supervisor_withdraw_rep {
	uint64_t reserved;
};

/* Tells all programs to end, in the reverse of the order of their start, then ends the machine.
 * `how` is an enum node_power. Answered at once; ST_BAD_STATE: it is under way already;
 * ST_BAD_ARG: no such way. */
struct supervisor_shutdown_req {
	uint64_t how;
};
struct supervisor_shutdown_rep {
	uint64_t reserved;
};

/* The `index`th program of the composition. ST_BAD_ARG: there are not as many. */
enum supervisor_state {
	SUPERVISOR_WAITS,    /* for others that it needs */
	SUPERVISOR_STARTED,  /* runs, was not ready yet */
	SUPERVISOR_READY,    /* runs */
	SUPERVISOR_BACK_OFF, /* died, is to be started again */
	SUPERVISOR_ENDED,    /* is not started again */
};
struct supervisor_status_req {
	uint64_t index;
};
struct supervisor_status_rep {
	char name[PROGRAM_NAME];
	uint32_t state; /* enum supervisor_state */
	uint32_t restarts;
	uint64_t started;            /* when it was last, in nanoseconds */
	uint64_t memory, limit;      /* bytes in use, and at most */
	uint64_t state_memory, left; /* bytes of what outlives it; free bytes of the whole node */
};

/* Kills a program, which is then restarted as if it had failed. ST_BAD_ARG: there is none of that
 * name; ST_BAD_STATE: it does not run. */
struct supervisor_restart_req {
	char name[PROGRAM_NAME];
};
struct supervisor_restart_rep {
	uint64_t reserved;
};

#define SUPERVISOR_TABLE(M)                                                                        \
	M(supervisor, 1, exit, SUPERVISOR_OWN, 0, 0, PROTO_ONCE)                                   \
	M(supervisor, 2, deposit, SUPERVISOR_OWN, 1, 0, PROTO_ONCE)                                \
	M(supervisor, 3, find, SUPERVISOR_OWN, 0, 1, PROTO_AGAIN)                                  \
	M(supervisor, 4, withdraw, SUPERVISOR_OWN, 0, 0, PROTO_ONCE)                               \
	M(supervisor, 5, shutdown, SUPERVISOR_SHUTDOWN, 0, 0, PROTO_ONCE)                          \
	M(supervisor, 6, status, SUPERVISOR_STATUS, 0, 0, PROTO_AGAIN)                             \
	M(supervisor, 7, restart, SUPERVISOR_CONTROL, 0, 0, PROTO_ONCE)

PROTO_DEFINE(supervisor, SUPERVISOR_TABLE)
