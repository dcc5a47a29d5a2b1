/* SPDX-License-Identifier: MIT */
#include "wire.h"
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define FRAMES_MAX 4096u
#define MS         UINT64_C(1000000)

#define DECLARE(name) extern __typeof__(net_##name) peer_##name;
WIRE_CALLS(DECLARE)

#define NEAR(name) .name = net_##name,
#define FAR(name)  .name = peer_##name,
struct stack near = { WIRE_CALLS(NEAR).number = 0 };
struct stack far = { WIRE_CALLS(FAR).number = 1 };

/* A frame under way; frames of one time arrive in the order in which they were sent. */
struct flight {
	uint64_t at;
	struct stack *to;
	size_t length;
	uint8_t bytes[NET_FRAME_MAX];
};

struct wire wire = { .delay = MS };
static struct flight *flight[FRAMES_MAX];
static unsigned flights;
static uint32_t random_state;

uint32_t wire_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static uint64_t clock_now(void *context)
{
	(void)context;
	return wire.now;
}

static void launch(struct stack *to, const void *frame, size_t length, uint64_t at)
{
	unsigned place = flights;

	if (flights == FRAMES_MAX)
		return; /* a wire's queue, too, has an end */
	struct flight *one = malloc(sizeof(*one));
	if (one == NULL)
		abort();
	one->at = at;
	one->to = to;
	one->length = length;
	memcpy(one->bytes, frame, length);
	for (; place > 0 && flight[place - 1]->at > at; place--)
		flight[place] = flight[place - 1];
	flight[place] = one;
	flights++;
}

static void frame_sent(void *context, const void *frame, size_t length)
{
	struct stack *from = context, *to = from == &near ? &far : &near;

	if (length > NET_FRAME_MAX)
		abort();
	wire.frames++;
	memcpy(wire.last[from->number], frame, length);
	wire.last_length[from->number] = length;
	if (wire.watch != NULL && wire.watch(from, frame, length))
		return;
	if (wire.cut || wire_random() % 1000 < wire.loss)
		return;
	uint64_t at = wire.now + wire.delay;
	if (wire_random() % 1000 < wire.late)
		at += wire_random() % 20 * MS;
	launch(to, frame, length, at);
	if (wire_random() % 1000 < wire.twice)
		launch(to, frame, length, at + wire_random() % 5 * MS);
}

static void socket_ready(void *context, struct net_socket *socket)
{
	struct stack *stack = context;

	(void)socket;
	stack->told++;
}

struct net_config wire_config = {
	.mac = { 2, 0, 0, 0, 0, 1 },
	.mtu = 1500,
	.sockets_max = 64,
	.bytes_max = 8u << 20,
	.clock = clock_now,
	.send = frame_sent,
	.ready = socket_ready,
};

void wire_open(void)
{
	random_state = (uint32_t)test_seed() * 2654435761u;
	wire.now = 1000 * MS;
	for (unsigned i = 0; i < 2; i++) {
		struct stack *stack = i == 0 ? &near : &far;
		struct net_config config = wire_config;
		config.context = stack;
		config.mac[5] = (uint8_t)(i + 1);
		for (unsigned j = 0; j < sizeof(config.seed); j++)
			config.seed[j] = (uint8_t)wire_random();
		if (stack->open(&config, &stack->net) != NET_OK)
			abort();
	}
}

void wire_open4(void)
{
	wire_open();
	struct net_endpoint a = wire_at(1, 0), b = wire_at(2, 0);
	if (near.address_set(near.net, &a.address, 24, NULL) != NET_OK ||
	    far.address_set(far.net, &b.address, 24, NULL) != NET_OK)
		abort();
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the next frame arrives or timer runs. */
static uint64_t next_event(void)
{
	uint64_t due = earlier(near.next_due(near.net), far.next_due(far.net));

	return flights > 0 ? earlier(due, flight[0]->at) : due;
}

bool wire_step(void)
{
	uint64_t next = next_event();

	if (next == NET_NEVER)
		return false;
	if (next > wire.now)
		wire.now = next;
	if (flights > 0 && flight[0]->at <= wire.now) {
		struct flight *one = flight[0];
		flights--;
		memmove(&flight[0], &flight[1], flights * sizeof(flight[0]));
		one->to->input(one->to->net, one->bytes, one->length);
		free(one);
	} else if (near.next_due(near.net) <= wire.now) {
		near.run(near.net);
	} else {
		far.run(far.net);
	}
	return true;
}

void wire_inject(struct stack *to, const void *frame, size_t length)
{
	launch(to, frame, length, wire.now + wire.delay);
}

void wire_settle(unsigned seconds)
{
	uint64_t end = wire.now + seconds * 1000 * MS;

	while (next_event() <= end)
		wire_step();
	wire.now = end;
}

struct net_endpoint wire_at(uint8_t last, uint16_t port)
{
	return (struct net_endpoint){ { 4, { 10, 0, 0, last } }, port };
}
