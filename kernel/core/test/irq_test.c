/* SPDX-License-Identifier: MIT */
/* Interrupts as objects: the test is the device. */
#include "play.h"
#include <abi/device.h>
#include <core/assert.h>
#include <test/test.h>

#define LIMIT MIB(4)
#define LINE  5

static struct quota *quota;
static cap_t payer, node, bell;
static struct actor *driver;

static cap_t keep(struct object *o)
{
	cap_t handle;

	ASSERT(o != NULL && cap_insert(home, o, RIGHTS_ALL, 0, &handle) == ST_OK);
	return handle;
}

static void begin_on(unsigned cpus)
{
	play_boot(cpus);
	CHECK(quota_create(quota_root, LIMIT, 0, &quota) == ST_OK);
	payer = keep(&quota->obj);
	node = keep(object_create(quota_root, OBJ_NODE));
	driver = actor_ready(home, 50);
	(void)notification_make(driver, &bell);
}

static void begin(void)
{
	begin_on(1);
}

static status_t irq_make(uint64_t source, cap_t *out)
{
	status_t st = play_act(driver, SYS_irq_create, payer, node, source, 0);

	*out = actor_info(driver);
	return st;
}

static status_t bind(cap_t irq, cap_t to, uint64_t bits)
{
	return play_act(driver, SYS_irq_bind, irq, to, bits, 0);
}

static status_t ack(cap_t irq)
{
	return play_act(driver, SYS_irq_ack, irq, 0, 0, 0);
}

/* The bits that were signalled since this was asked last. */
static uint64_t rang(void)
{
	return act_wait(driver, bell, 0) == ST_OK ? actor_badge(driver) : 0;
}

TEST(irq_level_line_stays_masked_until_acknowledged)
{
	cap_t irq;

	begin();
	CHECK(irq_make(IRQ_LINE(LINE) | IRQ_LEVEL, &irq) == ST_OK);
	CHECK(!host_irq_pull(LINE)); /* masked as long as nobody is told */
	CHECK(ack(irq) == ST_BAD_STATE);
	CHECK(bind(irq, bell, 6) == ST_OK);
	CHECK(ack(irq) == ST_BAD_STATE && rang() == 0);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(host_irq_pull(LINE) && rang() == 6);
		CHECK(!host_irq_pull(LINE) && rang() == 0); /* the device has not been served */
		CHECK(ack(irq) == ST_OK);
		CHECK(ack(irq) == ST_BAD_STATE);
	}
}

TEST(irq_edge_while_one_is_served_comes_afterwards)
{
	cap_t irq;

	begin();
	CHECK(irq_make(IRQ_LINE(LINE), &irq) == ST_OK);
	CHECK(bind(irq, bell, 1) == ST_OK);
	CHECK(host_irq_pull(LINE) && rang() == 1);
	CHECK(host_irq_pull(LINE) && host_irq_pull(LINE) && rang() == 0);
	CHECK(ack(irq) == ST_OK && rang() == 1); /* however many there were */
	CHECK(ack(irq) == ST_OK && rang() == 0);
	CHECK(ack(irq) == ST_BAD_STATE);
	CHECK(host_irq_pull(LINE) && rang() == 1);
}

TEST(irq_wakes_who_waits)
{
	cap_t irq;
	status_t st;

	begin();
	CHECK(irq_make(IRQ_LINE(LINE), &irq) == ST_OK && bind(irq, bell, 9) == ST_OK);
	CHECK(act_wait(driver, bell, TIMER_NEVER) == ST_BLOCKED);
	CHECK(!actor_woke(driver, &st));
	CHECK(host_irq_pull(LINE));
	CHECK(actor_woke(driver, &st) && st == ST_OK && actor_badge(driver) == 9);
}

TEST(irq_message_says_what_to_write_where)
{
	uint64_t number[2];
	cap_t irq[2];

	begin_on(2);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(play_act(driver, SYS_irq_create, payer, node, IRQ_MESSAGE, 1) == ST_OK);
		irq[i] = actor_info(driver);
		CHECK(actor_badge(driver) == HOST_MESSAGES + 1);
		number[i] = actor_number(driver);
		CHECK(host_irq_pull((uint32_t)number[i])); /* is forgotten: nobody is told */
		CHECK(bind(irq[i], bell, 1ull << i) == ST_OK && rang() == 0);
	}
	CHECK(host_irq_pull((uint32_t)number[1]) && rang() == 2);
	CHECK(host_irq_pull((uint32_t)number[0]) && rang() == 1);
	CHECK(host_irq_pull((uint32_t)number[0]) && rang() == 0);
	CHECK(ack(irq[0]) == ST_OK && rang() == 1);
}

TEST(irq_create_and_bind_check_their_arguments)
{
	cap_t irq, other, badged, ringer;

	begin();
	CHECK(irq_make(IRQ_LINE(24), &irq) == ST_BAD_ARG);
	CHECK(irq_make(1ull << 35, &irq) == ST_BAD_ARG);
	CHECK(irq_make(IRQ_MESSAGE | 1, &irq) == ST_BAD_ARG);
	CHECK(irq_make(IRQ_MESSAGE | IRQ_LEVEL, &irq) == ST_BAD_ARG);
	CHECK(play_act(driver, SYS_irq_create, payer, node, IRQ_LINE(LINE), 1) == ST_BAD_ARG);
	CHECK(play_act(driver, SYS_irq_create, payer, node, IRQ_LINE(LINE), 1ull << 32) ==
	      ST_BAD_ARG);
	CHECK(irq_make(IRQ_LINE(LINE), &irq) == ST_OK);
	CHECK(irq_make(IRQ_LINE(LINE), &other) == ST_EXISTS);
	CHECK(bind(irq, bell, 0) == ST_BAD_ARG);
	/* A badge says which bits its holder may ring. */
	CHECK(do_derive(home, home, bell, RIGHTS_ALL, 12, &badged) == ST_OK);
	CHECK(bind(irq, badged, 3) == ST_BAD_ARG);
	CHECK(bind(irq, badged, 7) == ST_OK);
	CHECK(bind(irq, bell, 1) == ST_EXISTS);
	CHECK(host_irq_pull(LINE) && rang() == 4);
	CHECK(do_derive(home, home, bell, (rights_t)~RIGHT_SIGNAL, 0, &ringer) == ST_OK);
	CHECK(bind(irq, ringer, 1) == ST_NO_RIGHT);
}

TEST(irq_create_undoes_every_partial_failure)
{
	unsigned failed = 0;
	cap_t irq;

	begin();
	for (int step = 0;; step++) {
		host_fail_step(step);
		status_t st = irq_make(IRQ_LINE(LINE), &irq);
		host_fail_step(-1);
		if (st == ST_OK)
			break;
		failed++;
		CHECK(st == ST_NO_MEMORY);
		CHECK(!host_irq_pull(LINE));
	}
	CHECK(failed >= 1);
	CHECK(bind(irq, bell, 1) == ST_OK && host_irq_pull(LINE) && rang() == 1);
}

/* Whoever was to be told is gone: the device is silenced, and the next can be told. */
TEST(irq_is_unbound_when_its_notification_goes)
{
	cap_t irq, lent;

	begin();
	CHECK(irq_make(IRQ_LINE(LINE), &irq) == ST_OK);
	CHECK(do_derive(home, home, bell, RIGHTS_ALL, 0, &lent) == ST_OK);
	CHECK(bind(irq, lent, 1) == ST_OK && host_irq_pull(LINE));
	CHECK(do_revoke(home, bell) == ST_OK);
	CHECK(!host_irq_pull(LINE));
	CHECK(ack(irq) == ST_BAD_STATE);
	CHECK(rang() == 1);
	CHECK(bind(irq, bell, 2) == ST_OK && host_irq_pull(LINE) && rang() == 2);
	CHECK(act_destroy(driver, bell) == ST_OK);
	CHECK(!host_irq_pull(LINE));
	(void)notification_make(driver, &bell);
	CHECK(bind(irq, bell, 4) == ST_OK && host_irq_pull(LINE) && rang() == 4);
}

/* The line is free for the next driver when the last one died. */
TEST(irq_dies_with_its_holder)
{
	cap_t irq;

	begin();
	uint64_t before = used_after_all(quota_root);
	for (unsigned round = 0; round < 3; round++) {
		CHECK(irq_make(IRQ_LINE(LINE), &irq) == ST_OK && bind(irq, bell, 1) == ST_OK);
		CHECK(host_irq_pull(LINE) && rang() == 1);
		if (round == 0)
			CHECK(do_drop(home, irq) == ST_OK);
		else if (round == 1)
			CHECK(act_destroy(driver, irq) == ST_OK);
		else
			CHECK(do_destroy(&quota->obj));
		settle();
		CHECK(!host_irq_pull(LINE));
		CHECK(ack(irq) == ST_BAD_CAP);
	}
	CHECK(used_after_all(quota_root) <= before);
}

/* ---- several CPUs ---- */

#define ROUNDS 400

static struct cap_ref irq_ref, bell_ref;
static struct object *bell_object;
static _Atomic unsigned pulled;

/* One is the device, one serves it, one takes the notification's capability away. */
static void race(unsigned id)
{
	for (unsigned round = 0; round < test_rounds(ROUNDS); round++) {
		uint64_t arg[ARCH_SYSCALL_ARGS] = { 0, 0, 1 };
		struct syscall c = { .self = driver->t, .arg = arg };
		cap_t lent;

		if (id == 0) {
			atomic_fetch_add(&pulled, host_irq_pull(LINE));
		} else if (id == 1) {
			c.cap[0] = irq_ref;
			if (do_derive(home, home, bell, RIGHTS_ALL, 0, &lent) == ST_OK &&
			    cap_find(home, lent, OBJ_NOTIFICATION, RIGHT_SIGNAL, &c.cap[1]) ==
				    ST_OK)
				(void)sys_irq_bind(&c);
			spin_lock(&irq_ref.object->lock);
			(void)sys_irq_ack(&c);
		} else {
			(void)do_revoke_some(home, bell);
		}
		host_user_mode();
	}
}

TEST(irq_bind_races_with_revoke_and_the_device)
{
	play_boot_threads(3);
	CHECK(quota_create(quota_root, LIMIT, 0, &quota) == ST_OK);
	payer = keep(&quota->obj);
	node = keep(object_create(quota_root, OBJ_NODE));
	driver = actor_make(home, 50);
	(void)notification_make(driver, &bell);
	cap_t handle;
	uint64_t arg[ARCH_SYSCALL_ARGS] = { payer, node, IRQ_LINE(LINE) | IRQ_LEVEL, 0 };
	struct syscall c = { .self = driver->t, .arg = arg };
	CHECK(cap_find(home, payer, OBJ_QUOTA, 0, &c.cap[0]) == ST_OK);
	CHECK(sys_irq_create(&c) == ST_OK);
	handle = c.out[0];
	irq_ref = ref_of(driver, handle);
	bell_ref = ref_of(driver, bell);
	bell_object = bell_ref.object;
	host_cpus_run(3, race);
	while (do_revoke_some(home, bell) == ST_LATER)
		host_user_mode();
	/* Nothing is bound, so it can be, and works. */
	CHECK(!host_irq_pull(LINE));
	c.cap[0] = irq_ref;
	c.cap[1] = bell_ref;
	arg[2] = 8;
	CHECK(sys_irq_bind(&c) == ST_OK);
	CHECK(host_irq_pull(LINE));
	CHECK(container_of(bell_object, struct notification, obj)->bits & 8);
}

/* ---- ports ---- */

static status_t port_read(cap_t ports, uint64_t port, uint64_t width, uint64_t *value)
{
	status_t st = play_act(driver, SYS_ioport_read, ports, port, width, 0);

	*value = actor_info(driver);
	return st;
}

TEST(ioport_range_bounds_what_is_touched)
{
	uint64_t value;
	cap_t some, one;

	begin();
	cap_t all = keep(object_create(quota_root, OBJ_IOPORT));
	CHECK(play_act(driver, SYS_ioport_write, all, 0x70, 2, 0x12345) == ST_OK);
	CHECK(port_read(all, 0x70, 2, &value) == ST_OK && value == 0x2345);
	CHECK(port_read(all, 0x70, 1, &value) == ST_OK && value == 0x45);
	CHECK(do_derive(home, home, all, RIGHTS_ALL, CAP_RANGE(0x6f, 3), &some) == ST_OK);
	CHECK(port_read(some, 1, 2, &value) == ST_OK && value == 0x2345);
	for (uint64_t width = 0; width < 10; width++) {
		bool fits = width == 1 || width == 2;
		CHECK((port_read(some, 1, width, &value) == ST_OK) == fits);
		CHECK((port_read(some, 2, width, &value) == ST_OK) == (width == 1));
	}
	CHECK(port_read(some, 3, 1, &value) == ST_BAD_ARG);
	CHECK(port_read(some, UINT64_MAX, 1, &value) == ST_BAD_ARG);
	CHECK(port_read(all, ARCH_PORTS - 1, 1, &value) == ST_OK);
	CHECK(port_read(all, ARCH_PORTS - 1, 2, &value) == ST_BAD_ARG);
	CHECK(port_read(all, ARCH_PORTS, 1, &value) == ST_BAD_ARG);
	CHECK(do_derive(home, home, some, RIGHTS_ALL, CAP_RANGE(0x6f, 4), &one) == ST_BAD_ARG);
	CHECK(do_derive(home, home, some, RIGHT_READ, CAP_RANGE(0x71, 1), &one) == ST_OK);
	CHECK(port_read(one, 0, 1, &value) == ST_OK);
	CHECK(play_act(driver, SYS_ioport_write, one, 0, 1, 1) == ST_NO_RIGHT);
}
