/* SPDX-License-Identifier: MIT */
#include "play.h"
#include "vm.h"
#include <abi/device.h>
#include <core/assert.h>
#include <core/dma.h>
#include <string.h>
#include <test/test.h>

#define LIMIT  MIB(8)
#define DEVICE DMA_PCI(0, 0, 3, 0)
#define BOTH   (DMA_READ | DMA_WRITE)

/* A program with a quota, and the one whose memory it is given. */
static struct party {
	struct quota *q;
	cap_t cap;
} driver, client;

static cap_t node, dma;
static struct actor *a; /* acts for all */

static cap_t keep(struct object *o)
{
	cap_t handle = CAP_NONE;

	ASSERT(o != NULL && cap_insert(home, o, RIGHTS_ALL, 0, &handle) == ST_OK);
	return handle;
}

static void join(struct party *p)
{
	CHECK(quota_create(quota_root, LIMIT, 0, &p->q) == ST_OK);
	p->cap = keep(&p->q->obj);
}

static void begin(void)
{
	play_boot(1);
	join(&driver);
	join(&client);
	node = keep(object_create(quota_root, OBJ_NODE));
	a = actor_ready(home, 50);
	CHECK(play_act(a, SYS_dma_create, driver.cap, node, DEVICE, 0) == ST_OK);
	dma = actor_info(a);
}

static status_t dma_map(cap_t memory, uint64_t page, uint64_t count, uint64_t access, paddr_t *bus)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { dma, memory, page, count, access };
	status_t st = play_act_all(a, SYS_dma_map, arg);

	*bus = actor_info(a);
	return st;
}

/* *revoked: what the call says of that. */
static status_t dma_unmap(paddr_t bus, uint64_t count, bool *revoked)
{
	status_t st = play_act(a, SYS_dma_unmap, dma, bus, count, 0);

	*revoked = actor_info(a) == 1;
	return st;
}

/* True if the call does that and says `revoked`. */
static bool unmaps(paddr_t bus, uint64_t count, bool revoked)
{
	bool said;

	return dma_unmap(bus, count, &said) == ST_OK && said == revoked;
}

/* The device writes, and sees, a word. */
static uint64_t *device_word(paddr_t bus)
{
	return arch_phys_to_virt(bus);
}

/* Bytes that `p` has paid for beyond pages of objects. */
static uint64_t paid(const struct party *p)
{
	uint64_t bytes = used_after_all(p->q);

	for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
		bytes -= p->q->slab[kind].pages * PAGE;
	return bytes;
}

/* Nobody took the frame since the device had it. */
static bool is_held(paddr_t bus)
{
	return frame_of(bus)->state == FRAME_USED && (uint32_t)frame_of(bus)->uses > 0;
}

/* ---- mapping ---- */

TEST(dma_device_and_program_see_the_same_page)
{
	uint64_t value;
	paddr_t bus;

	begin();
	cap_t m = vm_memory(client.q, 20, MEMORY_ANON);
	CHECK(vm_copy_in(m, 7 * PAGE, 41) == ST_OK);
	CHECK(dma_map(m, 7, 1, BOTH, &bus) == ST_OK);
	CHECK(*device_word(bus) == 41);
	*device_word(bus) = 42;
	CHECK(vm_copy_out(m, 7 * PAGE, &value) == ST_OK && value == 42);
	CHECK(vm_copy_in(m, 7 * PAGE, 43) == ST_OK && *device_word(bus) == 43);
	CHECK(vm_memory_ok(m));
	CHECK(unmaps(bus, 1, false));
	CHECK(vm_memory_ok(m));
}

TEST(dma_contiguous_memory_is_mapped_as_a_whole)
{
	paddr_t bus, again;
	bool revoked;

	begin();
	cap_t m = vm_memory(client.q, 20, MEMORY_BLOCK);
	CHECK(dma_map(m, 0, 20, BOTH, &bus) == ST_OK);
	CHECK(bus == vm_object(m)->base);
	for (unsigned page = 0; page < 20; page++)
		CHECK(*device_word(bus + page * PAGE) == 0); /* nobody's leavings */
	CHECK(dma_map(m, 3, 5, DMA_READ, &again) == ST_OK && again == bus + 3 * PAGE);
	CHECK(dma_unmap(bus, 19, &revoked) == ST_BAD_ARG);
	CHECK(dma_unmap(bus + PAGE, 19, &revoked) == ST_BAD_ARG);
	CHECK(dma_unmap(bus, 0, &revoked) == ST_BAD_ARG);
	CHECK(unmaps(bus, 20, false) && unmaps(again, 5, false));
	CHECK(dma_unmap(bus, 20, &revoked) == ST_BAD_ARG);
	CHECK(vm_memory_ok(m) && vm_pins(vm_object(m)) == 0 && vm_object(m)->writers == 0);
}

TEST(dma_map_checks_its_arguments)
{
	paddr_t bus;

	begin();
	cap_t m = vm_memory(client.q, 4, MEMORY_ANON), part, device;
	struct memory *registers;
	CHECK(dma_map(m, 4, 1, BOTH, &bus) == ST_BAD_ARG);
	CHECK(dma_map(m, 0, 0, BOTH, &bus) == ST_BAD_ARG);
	CHECK(dma_map(m, 1, UINT64_MAX, BOTH, &bus) == ST_BAD_ARG);
	CHECK(dma_map(m, 0, 1, 0, &bus) == ST_BAD_ARG);
	CHECK(dma_map(m, 0, 1, 4, &bus) == ST_BAD_ARG);
	CHECK(dma_map(m, 0, 2, BOTH, &bus) == ST_UNSUPPORTED);
	CHECK(dma_map(m, 0, 1, BOTH, &bus) == ST_OK && unmaps(bus, 1, false));
	CHECK(do_derive(home, home, m, RIGHTS_ALL, CAP_RANGE(2, 1), &part) == ST_OK);
	CHECK(dma_map(part, 1, 1, BOTH, &bus) == ST_BAD_ARG);
	CHECK(dma_map(part, 0, 1, BOTH, &bus) == ST_OK);
	CHECK(bus == (vm_object(m)->slot[2] & MEMORY_SLOT_FRAME));
	CHECK(memory_create_device(client.q, HOST_PHYS_SIZE - PAGE, 1, &registers) == ST_OK);
	device = keep(&registers->obj);
	CHECK(dma_map(device, 0, 1, BOTH, &bus) == ST_BAD_STATE);
	CHECK(play_act(a, SYS_dma_create, driver.cap, node, DMA_DEVICES, 0) == ST_BAD_ARG);
}

/* Whoever destroys the object says that the device is quiet; a second one would not know. */
TEST(dma_object_is_the_only_one_of_its_device)
{
	begin();
	uint64_t before = used_after_all(quota_root);
	CHECK(play_act(a, SYS_dma_create, client.cap, node, DEVICE, 0) == ST_EXISTS);
	CHECK(used_after_all(quota_root) == before && used_after_all(client.q) == 0);
	for (uint64_t device = DEVICE + 1; device < DEVICE + 4; device++)
		CHECK(play_act(a, SYS_dma_create, client.cap, node, device, 0) == ST_OK);
	CHECK(play_act(a, SYS_dma_create, client.cap, node, DEVICE + 2, 0) == ST_EXISTS);
	CHECK(do_destroy(&client.q->obj) && act_destroy(a, dma) == ST_OK);
	for (uint64_t device = DEVICE; device < DEVICE + 4; device++)
		CHECK(play_act(a, SYS_dma_create, driver.cap, node, device, 0) == ST_OK);
}

/* Memory that is reachable only without the write right is never a target, whatever access is
 * asked for: without an IOMMU every mapping can be written. */
TEST(dma_target_needs_every_right)
{
	static const rights_t lacking[] = { RIGHT_WRITE, RIGHT_READ, RIGHT_MAP };
	cap_t less;
	paddr_t bus;

	begin();
	cap_t m = vm_memory(client.q, 1, MEMORY_ANON);
	for (unsigned i = 0; i < ARRAY_LEN(lacking); i++) {
		CHECK(do_derive(home, home, m, (rights_t)~lacking[i], 0, &less) == ST_OK);
		for (uint64_t access = DMA_READ; access <= BOTH; access++)
			CHECK(dma_map(less, 0, 1, access, &bus) == ST_NO_RIGHT);
	}
	CHECK(vm_pins(vm_object(m)) == 0 && paid(&driver) == 0);
}

TEST(dma_constant_memory_is_no_target)
{
	uint64_t done, value;
	paddr_t bus;

	begin();
	cap_t m = vm_memory(client.q, 2, MEMORY_ANON), copy = vm_memory(client.q, 2, MEMORY_ANON);
	CHECK(vm_copy_in(m, 0, 1) == ST_OK && vm_copy_in(m, PAGE, 2) == ST_OK);
	CHECK(vm_share(&(struct vm_share){ copy, m, 0, 0, 2, true }, &done) == ST_OK);
	CHECK(dma_map(copy, 0, 1, DMA_READ, &bus) == ST_NO_RIGHT);
	/* The source has a frame of its own again once a device can write it. */
	CHECK(dma_map(m, 0, 1, BOTH, &bus) == ST_OK);
	*device_word(bus) = 77;
	CHECK(vm_copy_out(copy, 0, &value) == ST_OK && value == 1);
	CHECK(vm_seal(m) == ST_BAD_STATE);
	CHECK(vm_decommit(m, 0, 1) == ST_BAD_STATE);
	CHECK(unmaps(bus, 1, false));
	CHECK(vm_seal(m) == ST_OK);
	CHECK(dma_map(m, 0, 1, DMA_READ, &bus) == ST_BAD_STATE);
	/* A view's pages are copies as soon as a device can write them. */
	cap_t view = vm_view(client.q, m);
	CHECK(dma_map(view, 0, 1, BOTH, &bus) == ST_OK && *device_word(bus) == 77);
	*device_word(bus) = 78;
	CHECK(vm_copy_out(m, 0, &value) == ST_OK && value == 77);
	CHECK(vm_copy_out(view, 0, &value) == ST_OK && value == 78);
	CHECK(vm_memory_ok(m) && vm_memory_ok(view) && vm_memory_ok(copy));
}

TEST(dma_shared_page_is_copied_at_once)
{
	uint64_t done, value;
	paddr_t bus;

	begin();
	cap_t m = vm_memory(client.q, 1, MEMORY_ANON), copy = vm_memory(client.q, 1, MEMORY_ANON);
	CHECK(vm_copy_in(m, 0, 5) == ST_OK);
	CHECK(dma_map(m, 0, 1, BOTH, &bus) == ST_OK);
	CHECK(vm_share(&(struct vm_share){ copy, m, 0, 0, 1, false }, &done) == ST_OK);
	*device_word(bus) = 6;
	CHECK(vm_copy_out(copy, 0, &value) == ST_OK && value == 5);
	CHECK(vm_copy_out(m, 0, &value) == ST_OK && value == 6);
	/* The program goes on writing the device's frame, and no copy of it. */
	cap_t as = vm_aspace(client.q, ASPACE_PLAIN, CAP_NONE);
	CHECK(vm_map(as, m, MIB(1), 1, MAP_READ | MAP_WRITE) == ST_OK);
	CHECK(vm_write(vm_space(as), MIB(1), 7) == ST_OK && *device_word(bus) == 7);
	CHECK(vm_memory_ok(m) && vm_memory_ok(copy) && vm_aspace_ok(as));
}

/* ---- who pays ---- */

TEST(dma_mapping_pays_for_what_another_quota_took)
{
	paddr_t page, block, own;

	begin();
	cap_t m = vm_memory(client.q, 1, MEMORY_ANON), b = vm_memory(client.q, 5, MEMORY_BLOCK);
	cap_t mine = vm_memory(driver.q, 1, MEMORY_ANON);
	CHECK(dma_map(m, 0, 1, BOTH, &page) == ST_OK && paid(&driver) == PAGE);
	CHECK(dma_map(b, 2, 1, BOTH, &block) == ST_OK && paid(&driver) == 9 * PAGE);
	CHECK(paid(&client) == 9 * PAGE);
	CHECK(dma_map(mine, 0, 1, BOTH, &own) == ST_OK && paid(&driver) == 10 * PAGE);
	CHECK(unmaps(page, 1, false) && unmaps(own, 1, false) && paid(&driver) == 9 * PAGE);
	CHECK(unmaps(block, 1, false) && paid(&driver) == PAGE && paid(&client) == 9 * PAGE);
}

TEST(dma_map_undoes_every_partial_failure)
{
	static const enum memory_kind kinds[] = { MEMORY_ANON, MEMORY_BLOCK };
	paddr_t bus;

	begin();
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		unsigned failed = 0;
		cap_t m = vm_memory(client.q, 9, kinds[k]);

		CHECK(vm_commit(m, 0, 9) == ST_OK);
		uint64_t drivers = paid(&driver), clients = paid(&client);
		for (int step = 0;; step++) {
			host_fail_step(step);
			status_t st = dma_map(m, 4, 1, BOTH, &bus);
			host_fail_step(-1);
			if (st == ST_OK)
				break;
			failed++;
			CHECK(st == ST_NO_MEMORY);
			CHECK(vm_memory_ok(m) && vm_pins(vm_object(m)) == 0);
			CHECK(paid(&driver) == drivers && paid(&client) == clients);
		}
		CHECK(failed >= 2); /* the mapping's own memory, what it holds */
		CHECK(unmaps(bus, 1, false) && paid(&driver) == drivers);
	}
}

/* ---- ends ---- */

/* Maps a page of new memory of either kind and takes that away from the device's driver: `how`
 * gets the client's capability, and the one that was mapped with. */
static paddr_t map_and_end(enum memory_kind kind, void (*how)(cap_t memory, cap_t lent))
{
	cap_t m = vm_memory(client.q, 3, kind), lent;
	paddr_t bus = 0;

	ASSERT(do_derive(home, home, m, RIGHTS_ALL, 0, &lent) == ST_OK);
	ASSERT(dma_map(lent, 1, 1, BOTH, &bus) == ST_OK);
	*device_word(bus) = 99;
	how(m, lent);
	return bus;
}

static void revoke(cap_t memory, cap_t lent)
{
	(void)lent;
	CHECK(do_revoke(home, memory) == ST_OK);
	/* Who has the memory still has it, and the device too. */
	CHECK(vm_seal(memory) == ST_BAD_STATE && vm_pins(vm_object(memory)) == 1);
	CHECK(vm_memory_ok(memory));
}

static void revoke_and_destroy(cap_t memory, cap_t lent)
{
	revoke(memory, lent);
	CHECK(do_destroy(&vm_object(memory)->obj));
}

static void destroy(cap_t memory, cap_t lent)
{
	(void)lent;
	CHECK(do_destroy(&vm_object(memory)->obj));
}

static void destroy_all_of_the_client(cap_t memory, cap_t lent)
{
	(void)memory, (void)lent;
	CHECK(do_destroy(&client.q->obj));
	join(&client);
}

/* What the device may still write stays out of use, whoever gives the memory up, and is paid for,
 * until the driver says that the device is done. */
static void check_quarantine(enum memory_kind kind, void (*how)(cap_t, cap_t), bool stays)
{
	uint64_t frames = kind == MEMORY_BLOCK ? 4 : 1;
	paddr_t bus = map_and_end(kind, how), other[64];

	CHECK(paid(&driver) == frames * PAGE);
	CHECK(stays ? paid(&client) == frames * PAGE : paid(&client) == 0);
	CHECK(is_held(kind == MEMORY_BLOCK ? ALIGN_DOWN(bus, 4 * PAGE) : bus));
	for (unsigned i = 0; i < ARRAY_LEN(other); i++) {
		CHECK(frame_alloc(0, FRAME_ANY, &other[i]) && other[i] != bus);
		memset(arch_phys_to_virt(other[i]), 0, PAGE);
	}
	CHECK(*device_word(bus) == 99);
	for (unsigned i = 0; i < ARRAY_LEN(other); i++)
		frame_free(other[i], 0);
	CHECK(unmaps(bus, 1, true));
	CHECK(paid(&driver) == 0);
	CHECK(stays == is_held(kind == MEMORY_BLOCK ? ALIGN_DOWN(bus, 4 * PAGE) : bus));
}

TEST(dma_frames_wait_for_the_device_when_revoked)
{
	begin();
	check_quarantine(MEMORY_ANON, revoke, true);
	CHECK(do_destroy(&client.q->obj));
	join(&client);
	check_quarantine(MEMORY_BLOCK, revoke, true);
}

TEST(dma_frames_wait_for_the_device_when_the_memory_dies)
{
	static void (*const hows[])(cap_t, cap_t) = { destroy, revoke_and_destroy,
						      destroy_all_of_the_client };

	begin();
	for (unsigned i = 0; i < ARRAY_LEN(hows); i++) {
		check_quarantine(MEMORY_ANON, hows[i], false);
		check_quarantine(MEMORY_BLOCK, hows[i], false);
	}
}

TEST(dma_object_dies_when_the_device_was_reset)
{
	static void (*const hows[])(cap_t, cap_t) = { revoke, destroy, destroy_all_of_the_client };
	bool revoked;

	begin();
	for (unsigned i = 0; i < ARRAY_LEN(hows); i++) {
		paddr_t bus[] = { map_and_end(MEMORY_BLOCK, hows[i]),
				  map_and_end(MEMORY_ANON, hows[i]) };
		CHECK(act_destroy(a, dma) == ST_OK);
		CHECK(dma_unmap(bus[0], 1, &revoked) == ST_BAD_CAP);
		CHECK(paid(&driver) == 0);
		CHECK(play_act(a, SYS_dma_create, driver.cap, node, DEVICE, 0) == ST_OK);
		dma = actor_info(a);
	}
}

TEST(dma_object_dies_with_its_quota_and_many_mappings)
{
	paddr_t bus;

	begin();
	uint64_t before = used_after_all(quota_root);
	cap_t m = vm_memory(client.q, 300, MEMORY_ANON);
	for (uint64_t page = 0; page < 300; page++)
		CHECK(dma_map(m, page, 1, BOTH, &bus) == ST_OK);
	CHECK(vm_memory_ok(m));
	CHECK(do_destroy(&driver.q->obj));
	CHECK(vm_memory_ok(m) && vm_pins(vm_object(m)) == 0);
	CHECK(vm_seal(m) == ST_OK);
	CHECK(do_destroy(&client.q->obj));
	CHECK(used_after_all(quota_root) <= before);
}

TEST(dma_memory_with_many_mappings_dies)
{
	paddr_t bus[300];

	begin();
	cap_t m = vm_memory(client.q, ARRAY_LEN(bus), MEMORY_ANON);
	for (uint64_t page = 0; page < ARRAY_LEN(bus); page++)
		CHECK(dma_map(m, page, 1, BOTH, &bus[page]) == ST_OK);
	CHECK(do_destroy(&vm_object(m)->obj));
	CHECK(paid(&client) == 0 && paid(&driver) == ARRAY_LEN(bus) * PAGE);
	for (uint64_t page = 0; page < ARRAY_LEN(bus); page++)
		CHECK(unmaps(bus[page], 1, true));
	CHECK(paid(&driver) == 0);
}

/* ---- several CPUs ---- */

#define ROUNDS 300

static cap_t raced;
static _Atomic unsigned turn;

/* One maps and unmaps for the device, one takes the memory away, again and again. */
static void race(unsigned id)
{
	for (unsigned round = 0; round < test_rounds(ROUNDS); round++) {
		struct cap_ref to = { 0 }, what = { 0 };
		uint64_t arg[ARCH_SYSCALL_ARGS] = { 0, 0, 0, 1, BOTH };
		struct syscall c = { .self = a->t, .arg = arg };

		if (id == 0) {
			(void)do_revoke_some(home, raced);
			host_user_mode();
			continue;
		}
		cap_t lent;
		if (do_derive(home, home, raced, RIGHTS_ALL, 0, &lent) != ST_OK ||
		    cap_find(home, lent, OBJ_MEMORY, RIGHT_WRITE, &what) != ST_OK ||
		    cap_find(home, dma, OBJ_DMA, RIGHT_MANAGE, &to) != ST_OK) {
			host_user_mode();
			continue;
		}
		c.cap[0] = to;
		c.cap[1] = what;
		if (sys_dma_map(&c) == ST_OK) {
			arg[1] = c.out[0];
			arg[2] = 1;
			spin_lock(&to.object->lock);
			if (sys_dma_unmap(&c) != ST_OK)
				atomic_fetch_add(&turn, 1);
		}
		(void)do_drop(home, lent);
		host_user_mode();
	}
}

TEST(dma_map_races_with_revoke)
{
	play_boot_threads(2);
	join(&driver);
	join(&client);
	node = keep(object_create(quota_root, OBJ_NODE));
	a = actor_make(home, 50);
	struct object *o = object_create(driver.q, OBJ_DMA);
	dma = keep(o);
	raced = vm_memory(client.q, 1, MEMORY_ANON);
	host_cpus_run(2, race);
	CHECK(atomic_load(&turn) == 0); /* what was mapped is there to be unmapped */
	while (do_revoke_some(home, raced) == ST_LATER)
		host_user_mode();
	CHECK(vm_memory_ok(raced) && vm_pins(vm_object(raced)) == 0);
	CHECK(paid(&driver) == 0);
}
