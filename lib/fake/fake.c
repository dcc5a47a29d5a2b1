/* SPDX-License-Identifier: MIT */
#include <lib/fake/fake.h>
#include <abi/memory.h>
#include <abi/node.h>
#include <lib/libc/libc.h>
#include <lib/sys/syscall.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_BYTES 64 /* what an object costs its quota */

struct object {
	enum object_type type;
	bool is_dead;
	struct object *quota; /* who paid */
	uint64_t cost;

	uint64_t limit, used;           /* quota */
	struct fake_call *first, *last; /* endpoint: who waits */
	fake_server *serve;             /* endpoint: or a server of the test */
	void *self;
	uint64_t bits;               /* notification; timer: what it signals */
	struct object *notification; /* timer */
	uint64_t deadline, period;
	struct fake_call *call; /* reply */
	unsigned char *bytes;   /* memory */
	uint64_t size;
};

/* The handle of slot i is i + 1, with a generation above. */
struct slot {
	struct object *object; /* NULL: free */
	uint32_t generation;
};

struct fake fake;
const struct startup_own *libc_own;

static struct object objects[FAKE_OBJECTS];
static unsigned objects_count;
static struct slot slots[FAKE_OBJECTS];
static struct startup_own own;
static struct msg_block block;
static struct fake_call *in_hand;
static uint64_t calls_taken;
static struct object *bound; /* the notification of the thread: the first that was made */
static bool (*on_idle)(void);

cap_t libc_thread(void)
{
	return own.thread;
}

struct msg_block *libc_block(void)
{
	return &block;
}

uint64_t libc_now(void)
{
	return fake.now;
}

/* ---- capabilities and objects ---- */

static cap_t handle_of(const struct slot *s)
{
	return (uint64_t)s->generation << 32 | (uint64_t)(s - slots + 1);
}

static struct slot *find(cap_t handle)
{
	uint64_t index = (uint32_t)handle - 1ull;

	if (index >= FAKE_OBJECTS || slots[index].generation != handle >> 32 ||
	    slots[index].object == NULL || slots[index].object->is_dead)
		return NULL;
	return &slots[index];
}

static struct object *get(cap_t handle, enum object_type type)
{
	struct slot *s = find(handle);

	if (s == NULL || (type != OBJ_ANY && s->object->type != type))
		return NULL;
	return s->object;
}

static cap_t give(struct object *o)
{
	for (struct slot *s = slots; s < slots + FAKE_OBJECTS; s++) {
		if (s->object != NULL && !s->object->is_dead)
			continue;
		s->object = o;
		s->generation++;
		return handle_of(s);
	}
	abort();
}

static status_t drop(cap_t handle)
{
	struct slot *s = find(handle);

	if (s == NULL) {
		fake.wrong++;
		return ST_BAD_CAP;
	}
	s->object = NULL;
	return ST_OK;
}

static bool pay(struct object *quota, uint64_t cost)
{
	if (quota == NULL)
		return true;
	if (cost > quota->limit - quota->used)
		return false;
	quota->used += cost;
	return true;
}

static struct object *make(struct object *quota, enum object_type type)
{
	if (!pay(quota, OBJECT_BYTES))
		return NULL;
	if (objects_count == FAKE_OBJECTS)
		abort();
	struct object *o = &objects[objects_count++];
	*o = (struct object){ .type = type, .quota = quota, .cost = OBJECT_BYTES };
	if (type == OBJ_NOTIFICATION && bound == NULL)
		bound = o;
	return o;
}

static void end_call(struct fake_call *c, status_t st)
{
	c->is_ended = true;
	c->status = st;
}

static void kill(struct object *o)
{
	if (o->is_dead)
		return;
	o->is_dead = true;
	if (o->quota != NULL)
		o->quota->used -= o->cost;
	if (o->call != NULL && !o->call->is_ended)
		end_call(o->call, ST_PEER_GONE);
	free(o->bytes);
	o->bytes = NULL;
	for (unsigned i = 0; i < objects_count; i++) {
		if (objects[i].quota == o)
			kill(&objects[i]);
	}
}

static cap_t made(enum object_type type)
{
	return give(make(NULL, type));
}

void fake_begin(void)
{
	for (unsigned i = 0; i < objects_count; i++)
		free(objects[i].bytes);
	memset(objects, 0, sizeof(objects));
	memset(slots, 0, sizeof(slots));
	memset(&fake, 0, sizeof(fake));
	objects_count = 0;
	in_hand = NULL;
	bound = NULL;
	on_idle = NULL;
	libc_own = &own;
	own = (struct startup_own){ .cspace = made(OBJ_CSPACE),
				    .thread = made(OBJ_THREAD),
				    .quota = fake_quota(1 << 20) };
}

void fake_on_idle(bool (*idle)(void))
{
	on_idle = idle;
}

cap_t fake_own_quota(void)
{
	return own.quota;
}

cap_t fake_quota(uint64_t bytes)
{
	struct object *o = make(NULL, OBJ_QUOTA);

	o->limit = bytes;
	return give(o);
}

cap_t fake_endpoint(void)
{
	return made(OBJ_ENDPOINT);
}

cap_t fake_notification(void)
{
	return made(OBJ_NOTIFICATION);
}

cap_t fake_ports(void)
{
	return made(OBJ_IOPORT);
}

cap_t fake_node(void)
{
	return made(OBJ_NODE);
}

cap_t fake_copy(cap_t object)
{
	return give(get(object, OBJ_ANY));
}

cap_t fake_service(fake_server *serve, void *self)
{
	struct object *o = make(NULL, OBJ_ENDPOINT);

	o->serve = serve;
	o->self = self;
	return give(o);
}

static struct sys_result memory_create(cap_t payer, uint64_t pages)
{
	struct object *quota = get(payer, OBJ_QUOTA), *o;

	if (quota == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	if (pages == 0 || pages > 1 << 12)
		return (struct sys_result){ .status = ST_BAD_ARG };
	if (!pay(quota, pages * MEMORY_PAGE))
		return (struct sys_result){ .status = ST_NO_MEMORY };
	o = make(quota, OBJ_MEMORY);
	if (o == NULL) {
		quota->used -= pages * MEMORY_PAGE;
		return (struct sys_result){ .status = ST_NO_MEMORY };
	}
	o->cost += pages * MEMORY_PAGE;
	o->size = pages * MEMORY_PAGE;
	o->bytes = calloc(1, o->size);
	return (struct sys_result){ .status = ST_OK, .out = { give(o) } };
}

cap_t fake_memory(cap_t quota, uint64_t pages)
{
	return memory_create(quota, pages).out[0];
}

void fake_kill(cap_t object)
{
	kill(get(object, OBJ_ANY));
}

unsigned char *fake_bytes(cap_t memory)
{
	struct object *o = get(memory, OBJ_MEMORY);

	return o == NULL ? NULL : o->bytes;
}

unsigned fake_caps(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_OBJECTS; i++)
		n += slots[i].object != NULL && !slots[i].object->is_dead;
	return n;
}

uint64_t fake_used(cap_t quota)
{
	return get(quota, OBJ_QUOTA)->used;
}

/* ---- messages ---- */

void fake_send(cap_t endpoint, struct fake_call *c)
{
	struct object *o = get(endpoint, OBJ_ENDPOINT);

	c->next = NULL;
	c->is_ended = false;
	if (o->first == NULL)
		o->first = c;
	else
		o->last->next = c;
	o->last = c;
}

void fake_signal(cap_t notification, uint64_t bits)
{
	get(notification, OBJ_NOTIFICATION)->bits |= bits;
}

uint64_t fake_take_bits(cap_t notification)
{
	struct object *o = get(notification, OBJ_NOTIFICATION);
	uint64_t bits = o->bits;

	o->bits = 0;
	return bits;
}

/* The clock goes on to the next timer. */
static bool let_time_pass(void)
{
	struct object *next = NULL;

	for (unsigned i = 0; i < objects_count; i++) {
		struct object *o = &objects[i];
		if (o->type != OBJ_TIMER || o->is_dead || o->deadline == UINT64_MAX)
			continue;
		if (next == NULL || o->deadline < next->deadline)
			next = o;
	}
	if (next == NULL)
		return false;
	if (next->deadline > fake.now)
		fake.now = next->deadline;
	next->notification->bits |= next->bits;
	next->deadline = next->period == 0 ? UINT64_MAX : fake.now + next->period;
	return true;
}

static struct sys_result take_bits(void)
{
	uint64_t bits = bound->bits;

	bound->bits = 0;
	return (struct sys_result){ ST_OK, { MSG_NOTIFICATION, bits, 0 } };
}

static struct sys_result take_call(struct object *ep)
{
	struct fake_call *c = ep->first;

	ep->first = c->next;
	in_hand = c;
	c->number = ++calls_taken;
	memcpy(block.word, c->bytes, sizeof(c->bytes));
	for (unsigned i = 0; i < c->ncaps; i++) {
		struct object *o = get(c->cap[i], OBJ_ANY);
		block.cap[i] =
			(struct msg_cap){ .handle = give(o), .rights = 0xffff, .type = o->type };
	}
	uint64_t info = MSG_INFO(c->method, c->len, c->ncaps) | c->flags;
	return (struct sys_result){ ST_OK, { info, c->badge, c->number } };
}

static struct sys_result receive(cap_t endpoint)
{
	struct object *ep = get(endpoint, OBJ_ENDPOINT);

	if (ep == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	if (in_hand != NULL)
		end_call(in_hand, ST_PEER_GONE);
	in_hand = NULL;
	for (;;) {
		if (bound != NULL && bound->bits != 0)
			return take_bits();
		if (ep->first != NULL)
			return take_call(ep);
		if (!let_time_pass() && (on_idle == NULL || !on_idle()))
			return (struct sys_result){ .status = ST_PEER_GONE };
	}
}

/* The client's side of an answer. On failure the call waits on. */
static status_t answer(struct fake_call *c, uint64_t info)
{
	unsigned n = MSG_NCAPS(info);

	if (MSG_LEN(info) > MSG_BYTES || n > MSG_CAPS)
		return ST_BAD_ARG;
	if (c->is_gone) {
		end_call(c, ST_PEER_GONE);
		return ST_PEER_GONE;
	}
	for (unsigned i = 0; i < n; i++) {
		if (find(block.cap[i].handle) == NULL)
			return ST_BAD_CAP;
	}
	if (n > 0 && c->is_full)
		return ST_NO_SLOTS;
	for (unsigned i = 0; i < n; i++) {
		c->got_cap[i] = block.cap[i];
		if (block.cap[i].flags & MSG_CAP_MOVE)
			(void)drop(block.cap[i].handle);
	}
	c->result = MSG_METHOD(info);
	c->got_len = MSG_LEN(info);
	c->got_ncaps = n;
	memcpy(c->got, block.word, c->got_len);
	end_call(c, ST_OK);
	return ST_OK;
}

static status_t answer_in_hand(uint64_t info)
{
	if (in_hand == NULL)
		return ST_PEER_GONE;
	status_t st = answer(in_hand, info);
	if (st == ST_OK || st == ST_PEER_GONE)
		in_hand = NULL;
	return st;
}

static struct sys_result reply_receive(cap_t endpoint, uint64_t info)
{
	status_t st = answer_in_hand(info);

	if (st != ST_OK && st != ST_PEER_GONE)
		return (struct sys_result){ .status = st };
	return receive(endpoint);
}

static struct sys_result reply_save(cap_t reply)
{
	struct object *o = get(reply, OBJ_REPLY);

	if (o == NULL || in_hand == NULL)
		return (struct sys_result){ .status = ST_BAD_STATE };
	if (o->call != NULL && !o->call->is_gone)
		return (struct sys_result){ .status = ST_EXISTS };
	o->call = in_hand;
	in_hand = NULL;
	return (struct sys_result){ ST_OK, { o->call->number } };
}

static status_t reply_send(cap_t reply, uint64_t info, uint64_t number)
{
	struct object *o = get(reply, OBJ_REPLY);

	if (o == NULL || o->call == NULL || o->call->number != number)
		return o == NULL ? ST_BAD_CAP : ST_PEER_GONE;
	status_t st = answer(o->call, info);
	if (st == ST_OK || st == ST_PEER_GONE)
		o->call = NULL;
	return st;
}

static struct sys_result call(cap_t endpoint, uint64_t info)
{
	struct object *o = get(endpoint, OBJ_ENDPOINT);
	struct fake_call c = { .method = MSG_METHOD(info),
			       .len = MSG_LEN(info),
			       .ncaps = MSG_NCAPS(info) };

	if (o == NULL || o->serve == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	memcpy(c.bytes, block.word, c.len);
	memcpy(c.got_cap, block.cap, sizeof(c.got_cap));
	for (unsigned i = 0; i < c.ncaps; i++) {
		if (find(block.cap[i].handle) == NULL)
			return (struct sys_result){ .status = ST_BAD_CAP };
	}
	memset(&block, 0xee, sizeof(block)); /* whoever reads it afterwards reads the answer */
	status_t st = o->serve(o->self, &c);
	if (st != ST_OK)
		return (struct sys_result){ .status = st };
	memcpy(block.word, c.got, c.got_len);
	for (unsigned i = 0; i < c.got_ncaps; i++) {
		struct object *sent = get(c.got_cap[i].handle, OBJ_ANY);
		block.cap[i] = (struct msg_cap){ .handle = give(sent), .type = sent->type };
	}
	return (struct sys_result){ ST_OK, { MSG_INFO(c.result, c.got_len, c.got_ncaps) } };
}

/* ---- the rest ---- */

static struct sys_result create(cap_t payer, enum object_type type)
{
	struct object *quota = get(payer, OBJ_QUOTA);

	if (quota == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	struct object *o = make(quota, type);
	if (o == NULL)
		return (struct sys_result){ .status = ST_NO_MEMORY };
	o->deadline = UINT64_MAX;
	return (struct sys_result){ ST_OK, { give(o) } };
}

static struct sys_result timer_create(cap_t payer, cap_t notification, uint64_t bits)
{
	struct sys_result r = create(payer, OBJ_TIMER);

	if (r.status == ST_OK) {
		struct object *o = get(r.out[0], OBJ_TIMER);
		o->notification = get(notification, OBJ_NOTIFICATION);
		o->bits = bits;
	}
	return r;
}

static status_t timer_arm(cap_t timer, uint64_t deadline, uint64_t period)
{
	struct object *o = get(timer, OBJ_TIMER);

	if (o == NULL)
		return ST_BAD_CAP;
	o->deadline = deadline;
	o->period = period;
	return ST_OK;
}

static struct sys_result wait_bits(cap_t notification)
{
	struct object *o = get(notification, OBJ_NOTIFICATION);

	if (o == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	while (o->bits == 0) {
		if (!let_time_pass() && (on_idle == NULL || !on_idle()))
			return (struct sys_result){ .status = ST_PEER_GONE };
	}
	uint64_t bits = o->bits;
	o->bits = 0;
	return (struct sys_result){ ST_OK, { 0, bits } };
}

static status_t memory_copy(const uint64_t arg[6], bool is_write)
{
	struct object *o = get(arg[0], OBJ_MEMORY);
	void *buffer = (void *)(uintptr_t)arg[2];

	if (o == NULL)
		return ST_BAD_CAP;
	if (arg[1] > o->size || arg[3] > o->size - arg[1])
		return ST_BAD_ARG;
	if (is_write)
		memcpy(o->bytes + arg[1], buffer, arg[3]);
	else
		memcpy(buffer, o->bytes + arg[1], arg[3]);
	return ST_OK;
}

static struct sys_result node_log(uint64_t position, char *buffer, uint64_t size)
{
	uint64_t end = fake.kernel_log_first + fake.kernel_log_size;

	if (size > NODE_LOG_MAX)
		return (struct sys_result){ .status = ST_TOO_BIG };
	if (position < fake.kernel_log_first)
		position = fake.kernel_log_first;
	if (position > end)
		position = end;
	if (size > end - position)
		size = end - position;
	if (size > 0)
		memcpy(buffer, fake.kernel_log + (position - fake.kernel_log_first), size);
	return (struct sys_result){ ST_OK, { size, position + size } };
}

static status_t ioport_write(cap_t ports, uint64_t port, uint64_t value)
{
	if (get(ports, OBJ_IOPORT) == NULL || port >= FAKE_PORTS)
		return ST_BAD_ARG;
	if (fake.port_write != NULL)
		fake.port_write(port, value);
	return ST_OK;
}

static struct sys_result ioport_read(cap_t ports, uint64_t port)
{
	if (get(ports, OBJ_IOPORT) == NULL || port >= FAKE_PORTS)
		return (struct sys_result){ .status = ST_BAD_ARG };
	return (struct sys_result){ ST_OK, { fake.port[port] } };
}

static struct sys_result inspect(cap_t handle)
{
	struct slot *s = find(handle);

	if (s == NULL)
		return (struct sys_result){ .status = ST_BAD_CAP };
	return (struct sys_result){ ST_OK, { s->object->type, 0xffff } };
}

static status_t destroy(cap_t object)
{
	struct object *o = get(object, OBJ_ANY);

	if (o == NULL)
		return ST_BAD_CAP;
	kill(o);
	return ST_OK;
}

static status_t signal_bits(cap_t notification, uint64_t bits)
{
	struct object *o = get(notification, OBJ_NOTIFICATION);

	if (o != NULL)
		o->bits |= bits;
	return o == NULL ? ST_BAD_CAP : ST_OK;
}

#define STATUS(st) ((struct sys_result){ .status = (st) })

static struct sys_result message_call(uint64_t number, const uint64_t a[6])
{
	switch (number) {
	case SYS_endpoint_call:
		return call(a[0], a[1]);
	case SYS_endpoint_receive:
		return receive(a[0]);
	case SYS_endpoint_reply:
		return STATUS(answer_in_hand(a[1]));
	case SYS_endpoint_reply_receive:
		return reply_receive(a[0], a[1]);
	case SYS_reply_create:
		return create(a[0], OBJ_REPLY);
	case SYS_reply_save:
		return reply_save(a[0]);
	case SYS_reply_send:
		return STATUS(reply_send(a[0], a[1], a[2]));
	case SYS_notification_signal:
		return STATUS(signal_bits(a[0], a[1]));
	case SYS_notification_wait:
		return wait_bits(a[0]);
	case SYS_timer_create:
		return timer_create(a[0], a[1], a[2]);
	case SYS_timer_arm:
		return STATUS(timer_arm(a[0], a[1], a[2]));
	default:
		return STATUS(ST_BAD_SYSCALL);
	}
}

struct sys_result sys_call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			    uint64_t e, uint64_t f)
{
	const uint64_t arg[6] = { a, b, c, d, e, f };

	fake.calls[number % 64]++;
	switch (number) {
	case SYS_cap_drop:
		return STATUS(drop(b));
	case SYS_cap_inspect:
		return inspect(b);
	case SYS_object_destroy:
		return STATUS(destroy(a));
	case SYS_memory_create:
		return memory_create(a, b);
	case SYS_memory_commit:
		return STATUS(get(a, OBJ_MEMORY) == NULL ? ST_BAD_CAP : ST_OK);
	case SYS_memory_read:
		return STATUS(memory_copy(arg, false));
	case SYS_memory_write:
		return STATUS(memory_copy(arg, true));
	case SYS_node_log:
		return node_log(b, (char *)(uintptr_t)c, d);
	case SYS_ioport_read:
		return ioport_read(a, b);
	case SYS_ioport_write:
		return STATUS(ioport_write(a, b, d));
	default:
		return message_call(number, arg);
	}
}
