/* SPDX-License-Identifier: MIT */
/* The rule about shared pages: memory that is reachable only through a capability without the
 * right to write never becomes a writable mapping, a target of DMA, or the destination of a copy.
 * One case for each way to try, which first shows that the way works with the right. */
#include "job.h"
#include "refuse.h"
#include <abi/device.h>
#include <abi/node.h>
#include <lib/sys/calls.h>

#define PAGE   ((uint64_t)MEMORY_PAGE)
#define RW     (MAP_READ | MAP_WRITE)
#define SECRET 0x5afe5afe5afe5afeull
#define VA     0x7000000000ull

/* Two pages that hold SECRET; `weak` has every right but the one. */
struct page {
	cap_t memory, weak;
};

static struct page new_page(void)
{
	struct page p = { .memory = new_memory(2) };
	uint64_t word = SECRET;

	for (uint64_t i = 0; i < 2; i++)
		(void)sys_memory_write(p.memory, i * PAGE, &word, 8);
	p.weak = copy_of(p.memory, (rights_t)~RIGHT_WRITE, 0);
	return p;
}

static bool is_whole(const struct page *p)
{
	uint64_t word[2] = { 0 };

	for (unsigned i = 0; i < 2; i++)
		(void)sys_memory_read(p->memory, i * PAGE, &word[i], 8);
	return word[0] == SECRET && word[1] == SECRET;
}

static void unmap(uint64_t pages)
{
	(void)sys_aspace_unmap(start->aspace, VA, pages);
}

TEST(shared_page_map)
{
	struct page p = new_page();
	cap_t as = start->aspace;

	CHECK(sys_aspace_map(as, p.memory, &(struct aspace_range){ VA, 0, 2 }, RW) == ST_OK);
	unmap(2);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_map, as, p.weak, VA, 0, 2, RW));
	CHECK(REFUSES(ST_NO_RIGHT, aspace_map, as, p.weak, VA, 1, 1, RW));
	CHECK(sys_aspace_map(as, p.weak, &(struct aspace_range){ VA, 0, 2 }, MAP_READ) == ST_OK);
	CHECK(can_read((void *)VA) && !can_write((void *)VA));
	CHECK(is_whole(&p));
}

/* Where writing and executing go together. */
TEST(shared_page_map_in_a_guest)
{
	struct page p = new_page();
	cap_t half = make(SYS_aspace_create, CAP_NONE, ASPACE_PERSONALITY, 0);
	cap_t guest = make(SYS_aspace_create, half, ASPACE_GUEST, 0);
	const struct aspace_range r = { VA, 0, 2 };

	CHECK(sys_aspace_map(guest, p.memory, &r, RW | MAP_EXEC) == ST_OK);
	CHECK(sys_aspace_unmap(guest, VA, 2) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_map, guest, p.weak, VA, 0, 2, RW | MAP_EXEC));
	CHECK(sys_aspace_map(guest, p.weak, &r, MAP_READ | MAP_EXEC) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, guest, VA, 2, RW | MAP_EXEC));
}

TEST(shared_page_protect)
{
	struct page p = new_page();
	cap_t as = start->aspace;
	const struct aspace_range r = { VA, 0, 2 };

	CHECK(sys_aspace_map(as, p.memory, &r, MAP_READ) == ST_OK);
	CHECK(sys_aspace_protect(as, VA, 2, RW) == ST_OK && can_write((char *)VA + 8));
	unmap(2);
	CHECK(sys_aspace_map(as, p.weak, &r, MAP_READ) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, VA, 2, RW));
	CHECK(sys_aspace_protect(as, VA, 1, 0) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, VA, 1, RW));
	/* A piece of a mapping is no more than the whole. */
	CHECK(sys_aspace_unmap(as, VA, 1) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, aspace_protect, as, VA + PAGE, 1, RW));
	CHECK(!can_write((char *)VA + PAGE) && is_whole(&p));
}

/* The CPU itself keeps it: a program that tries faults. */
static void write_twice(struct actor *a)
{
	*(volatile uint64_t *)a->arg[0] = 1;
	a->seen = 1;
	*(volatile uint64_t *)a->arg[1] = 1;
	a->seen = 2;
}

TEST(shared_page_store)
{
	struct page p = new_page();
	struct actor *a = process_new(write_twice);
	cap_t handler = new_endpoint();
	struct message_in m;

	a->arg[0] = (uint64_t)new_pages(1) + 16 * PAGE;
	a->arg[1] = a->arg[0] + 16 * PAGE;
	actor_map(a, new_memory(1), (void *)a->arg[0], 1, RW);
	actor_map(a, p.weak, (void *)a->arg[1], 2, MAP_READ);
	actor_configure(a, CAP_NONE, handler, CAP_NONE);
	actor_start(a);
	CHECK(sys_endpoint_receive(handler, NEVER, &m) == ST_OK && (m.info & MSG_FAULT));
	const struct msg_fault *f = (const struct msg_fault *)own_block();
	CHECK(a->seen == 1 && f->address == a->arg[1] && f->access == FAULT_WRITE);
	CHECK(STATUS(endpoint_reply, start->thread, MSG_INFO(FAULT_STOP, 0, 0)) == ST_OK);
	CHECK(is_whole(&p));
}

TEST(shared_page_memory_write)
{
	struct page p = new_page();
	uint64_t word = SECRET;

	CHECK(sys_memory_write(p.memory, 0, &word, 8) == ST_OK);
	word = 0;
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, p.weak, 0, &word, 8));
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, p.weak, PAGE, &word, 1));
	CHECK(is_whole(&p));
}

TEST(shared_page_share_to)
{
	struct page p = new_page();
	cap_t from = new_memory(1), to = new_memory(2);

	CHECK(sys_memory_commit(from, 0, 1) == ST_OK);
	CHECK(sys_memory_share(to, from, &(struct memory_pages){ 0, 0, 1 }, SHARE_COPY) == ST_OK);
	cap_t weak = copy_of(to, (rights_t)~RIGHT_WRITE, 0);
	CHECK(REFUSES(ST_NO_RIGHT, memory_share, weak, from, 1, 0, 1, SHARE_COPY));
	CHECK(REFUSES(ST_NO_RIGHT, memory_share, weak, from, 1, 0, 1, SHARE_READ_ONLY));
	CHECK(REFUSES(ST_NO_RIGHT, memory_share, p.weak, from, 0, 0, 1, SHARE_COPY));
	CHECK(is_whole(&p));
}

/* Sharing from it gives a copy: what is written there stays there. */
TEST(shared_page_share_from)
{
	struct page p = new_page();
	cap_t to = new_memory(2);
	volatile uint64_t *va = map(to, 2, RW);

	CHECK(sys_memory_share(to, p.weak, &(struct memory_pages){ 0, 0, 2 }, SHARE_COPY) == ST_OK);
	CHECK(va[0] == SECRET && va[512] == SECRET);
	va[0] = 1;
	CHECK(sys_memory_write(to, PAGE, &(uint64_t){ 2 }, 8) == ST_OK);
	CHECK(va[0] == 1 && va[512] == 2 && is_whole(&p));
}

/* Decommit makes zeros of what was there, commit takes a page for it. */
TEST(shared_page_decommit)
{
	struct page p = new_page();
	cap_t other = new_memory(1);

	CHECK(sys_memory_commit(other, 0, 1) == ST_OK && sys_memory_decommit(other, 0, 1) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, memory_decommit, p.weak, 0, 1));
	CHECK(REFUSES(ST_NO_RIGHT, memory_commit, p.weak, 0, 1));
	CHECK(is_whole(&p));
}

/* A view of sealed memory has pages of its own for what is written. */
TEST(shared_page_view)
{
	struct page p = new_page();

	CHECK(sys_memory_seal(p.memory) == ST_OK);
	cap_t view = make(SYS_memory_view, p.weak, 0, 0);
	volatile uint64_t *va = map(view, 2, RW);
	CHECK(va[0] == SECRET);
	va[0] = 1;
	CHECK(sys_memory_write(view, PAGE, &(uint64_t){ 2 }, 8) == ST_OK);
	CHECK(va[0] == 1 && va[512] == 2 && is_whole(&p));
}

TEST(shared_page_message_block)
{
	struct page p = new_page();
	struct actor *a = job_new();
	struct thread_setup s = { .block = p.memory };

	CHECK(sys_thread_configure(a->thread, &s) == ST_OK);
	struct page other = new_page();
	s.block = other.weak;
	CHECK(REFUSES(ST_NO_RIGHT, thread_configure, a->thread, 0, 0, 0, other.weak, 0));
	CHECK(REFUSES(ST_NO_RIGHT, thread_configure, a->thread, 0, 0, 0, other.weak, PAGE));
	CHECK(is_whole(&other));
}

TEST(shared_page_state_page)
{
	cap_t half = make(SYS_aspace_create, CAP_NONE, ASPACE_PERSONALITY, 0);
	cap_t guest = make(SYS_aspace_create, half, ASPACE_GUEST, 0);
	cap_t thread = make(SYS_thread_create, half, new_space(), 0);
	struct page p = new_page(), other = new_page();
	struct guest_setup g = { .aspace = guest, .state = p.memory, .page = 1 };
	cap_t to = new_memory(2);

	CHECK(sys_thread_set_guest(thread, &g) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, thread_set_guest, thread, guest, other.weak, 1));
	CHECK(sys_memory_share(to, other.memory, &(struct memory_pages){ 0, 0, 2 },
			       SHARE_READ_ONLY) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, thread_set_guest, thread, guest, to, 1));
	CHECK(is_whole(&other));
}

TEST(shared_page_dma)
{
	struct page p = new_page(), other = new_page();
	cap_t dma = make(SYS_dma_create, start->node, DMA_PCI(0, 0, 31, 2), 0), to = new_memory(2);
	const uint64_t access[] = { DMA_READ, DMA_WRITE, DMA_READ | DMA_WRITE };
	uint64_t bus;

	CHECK(sys_dma_map(dma, p.memory, &(struct dma_range){ 0, 1 }, DMA_WRITE, &bus) == ST_OK);
	CHECK(sys_memory_share(to, other.memory, &(struct memory_pages){ 0, 0, 2 },
			       SHARE_READ_ONLY) == ST_OK);
	for (unsigned i = 0; i < ARRAY_LEN(access); i++) {
		CHECK(REFUSES(ST_NO_RIGHT, dma_map, dma, other.weak, 0, 1, access[i]));
		CHECK(REFUSES(ST_NO_RIGHT, dma_map, dma, to, 0, 1, access[i]));
	}
	CHECK(is_whole(&other));
}

/* ---- copies by the kernel to an address ---- */

TEST(shared_page_as_a_buffer)
{
	struct page p = new_page();
	char *good = new_pages(1), *bad = map(p.weak, 2, MAP_READ);
	struct sources from = { new_memory(1), job_new()->thread };

	for (unsigned i = 0; i < WRITING_CALLS; i++) {
		CHECK(write_by_call(i, &from, good) == ST_OK);
		CHECK(write_by_call(i, &from, bad) == ST_BAD_ADDRESS);
		CHECK(write_by_call(i, &from, bad + PAGE - 32) == ST_BAD_ADDRESS);
	}
	/* From what can be written into what can't. */
	char *joined = (char *)VA;
	CHECK(sys_aspace_map(start->aspace, new_memory(1), &(struct aspace_range){ VA, 0, 1 },
			     RW) == ST_OK);
	CHECK(sys_aspace_map(start->aspace, p.weak, &(struct aspace_range){ VA + PAGE, 0, 1 },
			     MAP_READ) == ST_OK);
	for (unsigned i = 0; i < WRITING_CALLS; i++)
		CHECK(write_by_call(i, &from, joined + PAGE - 8) == ST_BAD_ADDRESS);
	CHECK(is_whole(&p));
}

/* Pages that were shared read-only stay so for their new owner, whatever his rights are. */
TEST(shared_page_after_read_only_share)
{
	struct page p = new_page();
	cap_t to = new_memory(2);
	struct actor *a = job_new();
	struct sources from = { new_memory(1), a->thread };
	const struct memory_pages all = { 0, 0, 2 };

	CHECK(sys_memory_share(to, p.memory, &all, SHARE_READ_ONLY) == ST_OK);
	char *va = map(to, 2, RW);
	CHECK(can_read(va) && !can_write(va) && !can_write(va + PAGE));
	CHECK(REFUSES(ST_NO_RIGHT, thread_configure, a->thread, 0, 0, 0, to, 0));
	for (unsigned i = 0; i < WRITING_CALLS; i++)
		CHECK(write_by_call(i, &from, va) == ST_BAD_ADDRESS);
	CHECK(is_whole(&p));
}

/* ---- the right does not come back ---- */

TEST(shared_page_right_does_not_come_back)
{
	struct page p = new_page();
	cap_t s = start->cspace, space = new_space(), a, b;

	CHECK(sys_cap_copy(s, s, p.weak, 0xffff, 0, &a) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, a, 0, &a, 8));
	CHECK(sys_cap_copy(s, s, p.weak, RIGHT_WRITE, 0, &a) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, a, 0, &a, 8));
	CHECK(sys_cap_copy(s, s, p.weak, 0xffff, 0ull << 32 | 2, &a) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, a, 0, &a, 8));
	CHECK(sys_cap_move(space, s, a, &b) == ST_OK && sys_cap_move(s, space, b, &a) == ST_OK);
	CHECK(REFUSES(ST_NO_RIGHT, memory_write, a, 0, &a, 8));
	CHECK(is_whole(&p));
}
