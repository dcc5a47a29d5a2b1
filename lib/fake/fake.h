/* SPDX-License-Identifier: MIT */
/* lib/fake/fake.h - a kernel as simple as can be, for the tests of libraries and services.
 *
 * There is one program, the one that is tested, with one thread. Its clients are calls that the
 * test puts into an endpoint's queue and looks at afterwards; its servers are functions of the
 * test. Nothing waits: a receive with nothing to take lets the clock pass on to the next timer,
 * and then asks the test (fake_on_idle); without an answer the endpoint is gone.
 *
 * What the program does against the contracts of calls.h is counted in fake.wrong.
 */
#pragma once
#include <abi/msg.h>
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_OBJECTS 512
#define FAKE_PORTS   64

/* A call that a client makes. Zero what does not matter. */
struct fake_call {
	uint64_t badge;
	uint32_t method;
	uint32_t flags; /* MSG_FAULT */
	uint32_t len, ncaps;
	uint8_t bytes[MSG_BYTES];
	cap_t cap[MSG_CAPS]; /* to be copied over to the program */

	/* How the client takes the answer. */
	bool is_gone; /* he died since */
	bool is_full; /* his space has no room for capabilities */

	/* What became of it. */
	bool is_ended;
	status_t status; /* of his system call */
	uint32_t result; /* the answer's, as its len and caps */
	uint32_t got_len, got_ncaps;
	uint8_t got[MSG_BYTES];
	struct msg_cap got_cap[MSG_CAPS];

	struct fake_call *next;
	uint64_t number;
};

/* A server of the test: the request lies in `c` (badge, method, len, bytes; capabilities in
 * got_cap, as handles of the program's space, dropped by the fake if they were moved); it
 * fills result, got, got_len, got_ncaps and got_cap (handles to be copied to the program). The
 * status is the system call's. */
typedef status_t fake_server(void *self, struct fake_call *c);

struct fake {
	uint64_t now; /* nanoseconds */
	unsigned wrong;
	unsigned char port[FAKE_PORTS]; /* what ioport_read gives */
	void (*port_write)(uint64_t port, uint64_t value);
	const char *kernel_log; /* what node_log gives */
	uint64_t kernel_log_size, kernel_log_first;
	uint64_t calls[64]; /* of each number */
};
extern struct fake fake;

/* Begins anew, with a thread, a space and a quota. */
void fake_begin(void);

/* Called when nothing is left to do; true: it has made something. */
void fake_on_idle(bool (*idle)(void));

/* Objects of the program, each with one capability in its space. */
cap_t fake_quota(uint64_t bytes);
cap_t fake_endpoint(void);
cap_t fake_notification(void);
cap_t fake_ports(void);
cap_t fake_node(void);
cap_t fake_memory(cap_t quota, uint64_t pages);

/* Another capability to the same object. */
cap_t fake_copy(cap_t object);

/* A capability to a service of the test. */
cap_t fake_service(fake_server *serve, void *self);

/* The program's quota. */
cap_t fake_own_quota(void);

/* Puts a call into the queue of an endpoint; it must last. */
void fake_send(cap_t endpoint, struct fake_call *c);

/* Sets bits of a notification, as somebody else would; and takes those that the program set. */
void fake_signal(cap_t notification, uint64_t bits);
uint64_t fake_take_bits(cap_t notification);

/* An object dies; of a quota, all that it paid for. */
void fake_kill(cap_t object);

/* The contents of a memory object, NULL: it is none. */
unsigned char *fake_bytes(cap_t memory);

/* How many capabilities the program has, and bytes its quota has in use. */
unsigned fake_caps(void);
uint64_t fake_used(cap_t quota);
