/* SPDX-License-Identifier: MIT */
/* Memory for a device. The device is QEMU's firmware configuration, which copies what it has to
 * where it is told: on its own, past page tables and rights. */
#include "refuse.h"
#include <abi/device.h>
#include <lib/sys/calls.h>

#define DEVICE DMA_PCI(0, 0, 31, 0)
#define BOTH   (DMA_READ | DMA_WRITE)

/* Its registers: where a command lies, big-endian, the upper half first. */
#define COMMAND_HIGH 0x514u
#define COMMAND_LOW  0x518u

/* A command, big-endian. The item 0 is the word SIGNATURE. */
struct command {
	uint32_t control, length;
	uint64_t address;
};

#define CONTROL_READ   2u
#define CONTROL_SELECT 8u
#define SIGNATURE      0x554d4551u /* "QEMU" */

/* Memory that the device can reach, seen from both sides. */
struct shared {
	cap_t memory;
	volatile uint32_t *word;
	uint64_t bus;
};

static cap_t dma;

static struct shared share_with_device(uint64_t flags)
{
	struct shared s = { .memory = make(SYS_memory_create, 1, flags, 0) };
	const struct dma_range all = { 0, 1 };

	s.word = map(s.memory, 1, MAP_READ | MAP_WRITE);
	if (sys_dma_map(dma, s.memory, &all, BOTH, &s.bus) != ST_OK)
		give_up("a mapping for the device", 0);
	return s;
}

static void begin(void)
{
	dma = make(SYS_dma_create, start->node, DEVICE, 0);
}

/* The device copies SIGNATURE to bus address `to`, by a command at the end of `s`. True: done. */
static bool device_writes(const struct shared *s, uint64_t to)
{
	volatile struct command *c = (volatile void *)(s->word + MEMORY_PAGE / 4 - 4);

	c->length = __builtin_bswap32(sizeof(uint32_t));
	c->address = __builtin_bswap64(to);
	c->control = __builtin_bswap32(CONTROL_SELECT | CONTROL_READ);
	uint64_t at = s->bus + MEMORY_PAGE - sizeof(*c);
	SYS(ioport_write, start->ports, COMMAND_HIGH, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	SYS(ioport_write, start->ports, COMMAND_LOW, 4, __builtin_bswap32((uint32_t)at));
	while (__builtin_bswap32(c->control) & ~1u)
		yield();
	return c->control == 0;
}

static bool unmaps(uint64_t bus, uint64_t pages, uint64_t revoked)
{
	uint64_t said;

	return sys_dma_unmap(dma, bus, pages, &said) == ST_OK && said == revoked;
}

TEST(dma_device_writes_where_it_was_mapped)
{
	begin();
	for (uint64_t flags = 0; flags <= MEMORY_CONTIGUOUS; flags++) {
		struct shared s = share_with_device(flags);
		CHECK(s.word[16] == 0);
		CHECK(device_writes(&s, s.bus + 64));
		CHECK(s.word[16] == SIGNATURE && s.word[15] == 0 && s.word[17] == 0);
		CHECK(unmaps(s.bus, 1, 0));
	}
}

/* The frames of a mapping belong to nobody else as long as the device may write them. */
TEST(dma_frames_wait_for_the_device)
{
	begin();
	struct shared s = share_with_device(0), dead = share_with_device(MEMORY_CONTIGUOUS);
	CHECK(STATUS(object_destroy, dead.memory) == ST_OK);
	cap_t others = new_memory(256);
	volatile uint32_t *word = map(others, 256, MAP_READ | MAP_WRITE);
	CHECK(STATUS(memory_commit, others, 0, 256) == ST_OK);
	for (uint64_t offset = 0; offset < MEMORY_PAGE; offset += 4)
		CHECK(device_writes(&s, dead.bus + offset));
	for (uint64_t i = 0; i < 256 * MEMORY_PAGE / 4; i++)
		CHECK(word[i] == 0);
	CHECK(unmaps(dead.bus, 1, 1) && unmaps(s.bus, 1, 0));
}

TEST(dma_frames_are_zeroed_for_their_next_owner)
{
	begin();
	for (unsigned round = 0; round < 8; round++) {
		struct shared s = share_with_device(MEMORY_CONTIGUOUS);
		for (unsigned i = 0; i < MEMORY_PAGE / 4; i++)
			CHECK(s.word[i] == 0);
		CHECK(device_writes(&s, s.bus));
		CHECK(STATUS(object_destroy, s.memory) == ST_OK);
		if (round & 1)
			CHECK(unmaps(s.bus, 1, 1));
		else
			CHECK(STATUS(object_destroy, dma) == ST_OK);
		if (!(round & 1))
			begin();
	}
}

TEST(dma_mapping_of_what_is_revoked)
{
	const struct dma_range all = { 0, 1 };
	uint64_t bus;

	begin();
	struct shared s = share_with_device(0);
	cap_t m = new_memory(1), lent = copy_of(m, 0xffff, 0);
	CHECK(sys_dma_map(dma, lent, &all, DMA_WRITE, &bus) == ST_OK);
	CHECK(STATUS(cap_revoke, start->cspace, m) == ST_OK);
	CHECK(STATUS(dma_map, dma, lent, 0, 1, BOTH) == ST_BAD_CAP);
	/* It is pinned as before. */
	CHECK(STATUS(memory_seal, m) == ST_BAD_STATE);
	CHECK(STATUS(memory_decommit, m, 0, 1) == ST_BAD_STATE);
	CHECK(device_writes(&s, bus));
	CHECK(unmaps(bus, 1, 1));
	CHECK(STATUS(memory_seal, m) == ST_OK);
}

TEST(dma_constant_page_is_no_target)
{
	begin();
	cap_t m = new_memory(1), copy = new_memory(1);
	volatile uint32_t *word = map(m, 1, MAP_READ | MAP_WRITE);
	volatile uint32_t *constant = map(copy, 1, MAP_READ);
	*word = 5;
	CHECK(STATUS(memory_share, copy, m, 0, 0, 1, SHARE_READ_ONLY) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, dma_map, dma, copy, 0, 1, DMA_READ));
	struct shared s = share_with_device(0);
	struct sys_result r = SYS(dma_map, dma, m, 0, 1, BOTH);
	CHECK(r.status == ST_OK && device_writes(&s, r.out[0]));
	CHECK(*word == SIGNATURE && *constant == 5);
}

TEST(dma_unmap_refuses)
{
	begin();
	cap_t m = make(SYS_memory_create, 4, MEMORY_CONTIGUOUS, 0);
	struct sys_result r = SYS(dma_map, dma, m, 0, 4, BOTH);
	CHECK(r.status == ST_OK);
	const uint64_t bad[][2] = { { r.out[0], 3 },     { r.out[0], 5 },
				    { r.out[0], 0 },     { r.out[0] + MEMORY_PAGE, 3 },
				    { r.out[0] + 1, 4 }, { 0, 4 },
				    { UINT64_MAX, 1 },   { r.out[0], UINT64_MAX } };
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(REFUSES(ST_BAD_ARG, dma_unmap, dma, bad[i][0], bad[i][1]));
	cap_t other = make(SYS_dma_create, start->node, DMA_PCI(0, 0, 31, 1), 0);
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, other, r.out[0], 4));
	CHECK(unmaps(r.out[0], 4, 0));
	CHECK(REFUSES(ST_BAD_ARG, dma_unmap, dma, r.out[0], 4));
}
