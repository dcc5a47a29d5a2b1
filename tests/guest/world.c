/* SPDX-License-Identifier: MIT */
#include "world.h"
#include "console.h"
#include <lib/sys/program.h>
#include <stdatomic.h>

#define CASE_BYTES  (64ull << 20)
#define FREE_VA     0x1000000000ull /* nothing of the program's own lies from here on */
#define STACK_PAGES 4

/* Pages that were emptied of mappings, which the program's own quota pays for, are given
 * back some at a time when the next mappings go. So many more are seen off; so many pages stay. */
#define SEEN_OFF 256
#define KEPT     (8 * (int64_t)MEMORY_PAGE)

const struct startup *start;
cap_t quota;

static uint64_t next_va;
static uint64_t baseline; /* what the program's quota had used after the first case */
static struct msg_block *block;

void give_up(const char *why, int64_t status)
{
	say("given up: %s (%ld)", why, status);
	SYS(node_power, start->node, NODE_OFF_FAILED);
	for (;;)
		SYS(thread_suspend, start->thread);
}

static void must(status_t st, const char *what)
{
	if (st != ST_OK)
		give_up(what, st);
}

const char *option(const char *name)
{
	const char *at = start->cmdline;

	while (*at != '\0') {
		size_t n = 0;
		while (name[n] != '\0' && at[n] == name[n])
			n++;
		if (name[n] == '\0' && at[n] == '=')
			return at + n + 1;
		while (*at != '\0' && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return NULL;
}

/* ---- objects ---- */

cap_t make(enum sys_number create, uint64_t arg1, uint64_t arg2, uint64_t arg3)
{
	struct sys_result r = sys_call6(create, quota, arg1, arg2, arg3, 0, 0);

	must(r.status, "an object");
	return r.out[0];
}

cap_t new_quota(uint64_t limit)
{
	return make(SYS_quota_create, limit, 0, 0);
}

cap_t new_space(void)
{
	return make(SYS_cspace_create, 0, 0, 0);
}

cap_t new_endpoint(void)
{
	return make(SYS_endpoint_create, 0, 0, 0);
}

cap_t new_notification(void)
{
	return make(SYS_notification_create, 0, 0, 0);
}

cap_t new_memory(uint64_t pages)
{
	return make(SYS_memory_create, pages, 0, 0);
}

cap_t copy_of(cap_t cap, rights_t rights, uint64_t word)
{
	struct sys_result r = SYS(cap_copy, start->cspace, start->cspace, cap, rights, word);

	must(r.status, "a copy");
	return r.out[0];
}

void *map(cap_t memory, uint64_t pages, unsigned access)
{
	uint64_t va = next_va;

	next_va += (pages + 1) * MEMORY_PAGE; /* and a gap */
	must(STATUS(aspace_map, start->aspace, memory, va, 0, pages, access), "a mapping");
	return (void *)va;
}

void *new_pages(uint64_t pages)
{
	return map(new_memory(pages), pages, MAP_READ | MAP_WRITE);
}

uint64_t count_at(uint64_t offset)
{
	struct node_counters n;
	uint64_t sum = 0;

	for (uint64_t cpu = 0; cpu < start->cpus; cpu++) {
		must(STATUS(node_counters, start->node, cpu, &n, sizeof(n)), "counters");
		sum += *(const uint64_t *)((const char *)&n + offset);
	}
	return sum;
}

/* ---- cases ---- */

static uint64_t used(cap_t q)
{
	struct sys_result r = SYS(quota_read, q);

	must(r.status, "the books");
	return r.out[0];
}

static void make_own_block(void)
{
	cap_t memory = new_memory(1);

	block = map(memory, 1, MAP_READ | MAP_WRITE);
	must(STATUS(thread_configure, start->thread, 0, 0, 0, memory, 0), "a message block");
}

struct msg_block *own_block(void)
{
	return block;
}

/* Bytes that the program's own quota has used above the baseline. */
static int64_t left_behind(void)
{
	for (unsigned i = 0; i < SEEN_OFF && (int64_t)(used(start->quota) - baseline) > KEPT; i++) {
		must(STATUS(aspace_map, start->aspace, start->self, FREE_VA, 0, 1, MAP_READ),
		     "a mapping");
		must(STATUS(aspace_unmap, start->aspace, FREE_VA, 1), "its end");
	}
	return (int64_t)(used(start->quota) - baseline);
}

void world_isolate(void (*run)(void))
{
	struct sys_result r = SYS(quota_create, start->quota, CASE_BYTES, 0);

	must(r.status, "a quota for the case");
	quota = r.out[0];
	next_va = FREE_VA;
	make_own_block();
	run();
	must(STATUS(object_destroy, quota), "an end of the case");
	if (baseline == 0)
		baseline = used(start->quota);
	int64_t more = left_behind();
	if (more > KEPT)
		test_fail("left behind", (int)(more / MEMORY_PAGE), "pages");
}

/* ---- actors ---- */

static void actor_main(struct actor *a)
{
	a->run(a);
	atomic_store(&a->done, true);
	for (;;)
		SYS(thread_suspend, a->self);
}

cap_t actor_give(struct actor *a, cap_t cap, rights_t rights, uint64_t word)
{
	struct sys_result r = SYS(cap_copy, a->cspace, start->cspace, cap, rights, word);

	must(r.status, "a capability for an actor");
	return r.out[0];
}

void actor_map(struct actor *a, cap_t memory, const void *va, uint64_t pages, unsigned access)
{
	must(STATUS(aspace_map, a->aspace, memory, va, 0, pages, access), "a mapping for an actor");
}

/* New memory that both see. */
static void *shared_pages(struct actor *a, uint64_t pages, cap_t *memory)
{
	*memory = new_memory(pages);
	void *va = map(*memory, pages, MAP_READ | MAP_WRITE);
	if (a->aspace != start->aspace)
		actor_map(a, *memory, va, pages, MAP_READ | MAP_WRITE);
	return va;
}

static struct actor *make_actor(cap_t aspace, cap_t cspace, void (*run)(struct actor *self))
{
	struct actor a = { .aspace = aspace, .cspace = cspace, .run = run };
	struct sys_result r = SYS(thread_create, quota, aspace, cspace);
	cap_t memory;

	must(r.status, "a thread");
	a.thread = r.out[0];
	struct actor *place = shared_pages(&a, 1, &memory);
	a.stack_top = (uint64_t)shared_pages(&a, STACK_PAGES, &memory) + STACK_PAGES * MEMORY_PAGE;
	a.block = shared_pages(&a, 1, &memory);
	a.self = cspace == start->cspace ? a.thread : actor_give(&a, a.thread, RIGHT_CONTROL, 0);
	must(STATUS(thread_configure, a.thread, start->sched, 0, 0, memory, 0), "a configuration");
	*place = a;
	return place;
}

struct actor *actor_new(void (*run)(struct actor *self))
{
	return make_actor(start->aspace, start->cspace, run);
}

/* The parts of the program: what is not written is shared, of the data there is a copy. */
static void map_program(cap_t aspace)
{
	const uint64_t data_pages = (uint64_t)(program_end - program_relro) / MEMORY_PAGE;
	const cap_t data = new_memory(data_pages);
	const struct {
		cap_t memory;
		char *first, *from, *to; /* `first` is where the memory begins */
		unsigned access;
	} part[] = {
		{ start->segment[0], program_text, program_text, program_rodata,
		  MAP_READ | MAP_EXEC },
		{ start->segment[1], program_rodata, program_rodata, program_relro, MAP_READ },
		{ data, program_relro, program_relro, program_data, MAP_READ },
		{ data, program_relro, program_data, program_end, MAP_READ | MAP_WRITE },
	};

	must(STATUS(memory_share, data, start->segment[2], 0, 0, data_pages, SHARE_COPY), "a copy");
	for (unsigned i = 0; i < ARRAY_LEN(part); i++)
		must(STATUS(aspace_map, aspace, part[i].memory, part[i].from,
			    (uint64_t)(part[i].from - part[i].first) / MEMORY_PAGE,
			    (uint64_t)(part[i].to - part[i].from) / MEMORY_PAGE, part[i].access),
		     "the program");
}

struct actor *process_new(void (*run)(struct actor *self))
{
	cap_t aspace = make(SYS_aspace_create, CAP_NONE, ASPACE_PLAIN, 0);

	map_program(aspace);
	return make_actor(aspace, new_space(), run);
}

struct actor *actor_beside(const struct actor *other, void (*run)(struct actor *self))
{
	return make_actor(other->aspace, other->cspace, run);
}

void actor_configure(struct actor *a, cap_t sched, cap_t fault, cap_t notification)
{
	must(STATUS(thread_configure, a->thread, sched, fault, notification, 0, 0),
	     "a configuration");
}

void actor_start(struct actor *a)
{
	const struct arch_registers regs = {
		.rip = (uint64_t)actor_main,
		.rsp = a->stack_top - 8, /* as behind a call */
		.rdi = (uint64_t)a,
	};

	atomic_store(&a->done, false);
	must(STATUS(thread_write_registers, a->thread, &regs), "registers");
	must(STATUS(thread_resume, a->thread), "a start");
}

void yield(void)
{
	SYS(thread_yield, start->thread);
}

void actor_await(struct actor *a)
{
	while (!atomic_load(&a->done))
		yield();
}
