/* SPDX-License-Identifier: MIT */
/* What every call does with capabilities that it can't take, for each capability argument that
 * abi/syscall.def names: a status, a count, and nothing else.
 *
 * The names are "<way>_<call>_argument_<n>", and "all_right_<call>" for what goes past the checks.
 */
#include "table.h"
#include "refuse.h"
#include <abi/device.h>
#include <abi/node.h>

#define CAPS     5
#define ARGS     6
#define SMALL    3 /* an argument that is no handle, and a deadline that is over */
#define NAME_MAX 80
#define POOR_MAX 64 /* no object takes as many pages */

struct need {
	uint8_t type;
	rights_t right;
	bool optional;
};

struct line {
	const char *name;
	unsigned number, caps;
	struct need need[CAPS];
};

#define C(type, right) { OBJ_##type, RIGHT_##right, false },
#define O(type, right) { OBJ_##type, RIGHT_##right, true },

static const struct line lines[] = {
#define SYSCALL(number, name, mode, list)                                                          \
	{ #name, number, sizeof((const struct need[]){ list }) / sizeof(struct need), { list } },
#include <abi/syscall.def>
#undef SYSCALL
};

/* The argument that a case is about. */
static const struct line *line;
static unsigned argument;

/* ---- one object of each type ---- */

static cap_t object[OBJ_TYPES];
static cap_t inner; /* what object[OBJ_CSPACE] holds: an endpoint */

static cap_t new_object(enum object_type type)
{
	static uint16_t device; /* no two objects are of one */

	switch (type) {
	case OBJ_QUOTA:
		return new_quota(1 << 20);
	case OBJ_CSPACE:
		return new_space();
	case OBJ_MEMORY:
		return new_memory(4);
	case OBJ_ASPACE:
		return make(SYS_aspace_create, CAP_NONE, ASPACE_PLAIN, 0);
	case OBJ_THREAD:
		return make(SYS_thread_create, object[OBJ_ASPACE], object[OBJ_CSPACE], 0);
	case OBJ_ENDPOINT:
		return new_endpoint();
	case OBJ_REPLY:
		return make(SYS_reply_create, 0, 0, 0);
	case OBJ_NOTIFICATION:
		return new_notification();
	case OBJ_IRQ:
		return make(SYS_irq_create, start->node, IRQ_MESSAGE, 0);
	case OBJ_TIMER:
		return make(SYS_timer_create, object[OBJ_NOTIFICATION], 1, 0);
	case OBJ_SCHED:
		return make(SYS_sched_create, start->sched, 0, 0);
	case OBJ_IOPORT:
		return copy_of(start->ports, 0xffff, 0);
	case OBJ_NODE:
		return copy_of(start->node, 0xffff, 0);
	case OBJ_DMA:
		return make(SYS_dma_create, start->node, ++device, 0);
	case OBJ_NONE:
	case OBJ_TYPES:
	case OBJ_ANY:
		break;
	}
	return CAP_NONE;
}

static void new_objects(void)
{
	for (unsigned t = OBJ_NONE + 1; t < OBJ_TYPES; t++)
		object[t] = new_object(t);
	inner = SYS(cap_copy, object[OBJ_CSPACE], start->cspace, object[OBJ_ENDPOINT], 0xffff)
			.out[0];
	/* Any other type will do where the table does not care. */
	object[OBJ_NONE] = object[OBJ_MEMORY];
}

/* What does not die with the case's quota. */
static void drop_objects(void)
{
	static const enum object_type types[] = { OBJ_IOPORT, OBJ_NODE };

	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		SYS(cap_revoke, start->cspace, object[types[i]]);
		SYS(cap_drop, start->cspace, object[types[i]]);
	}
}

static cap_t object_for(const struct need *need)
{
	return need->type == OBJ_ANY ? object[OBJ_MEMORY] : object[need->type];
}

/* ---- what can be seen of a call ---- */

struct picture {
	uint64_t quota[3], child[3], type[OBJ_TYPES], rights[OBJ_TYPES];
	uint32_t free_slot;
};

static uint32_t slot_of(cap_t handle)
{
	return (uint32_t)handle;
}

static void look(struct picture *p)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->quota, SYS(quota_read, quota).out, sizeof(p->quota));
	memcpy(p->child, SYS(quota_read, object[OBJ_QUOTA]).out, sizeof(p->child));
	for (unsigned t = 0; t < OBJ_TYPES; t++) {
		struct sys_result r = SYS(cap_inspect, start->cspace, object[t]);
		p->type[t] = r.out[0];
		p->rights[t] = r.out[1];
	}
	cap_t probe = copy_of(quota, 0, 0);
	p->free_slot = slot_of(probe);
	SYS(cap_drop, start->cspace, probe);
}

/* The call of the case with everything right but its argument, which is `handle`; arguments that
 * are no capabilities are `other`. */
static struct sys_result call_with(cap_t handle, uint64_t other)
{
	uint64_t a[ARGS];

	for (unsigned i = 0; i < ARGS; i++)
		a[i] = i < line->caps ? object_for(&line->need[i]) : other;
	a[argument] = handle;
	return sys_call6(line->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void refused_with(cap_t handle, uint64_t other, status_t status)
{
	const unsigned looks = line->number == SYS_node_counters ? start->cpus : 0;
	struct picture before, after;
	struct counts old, new;

	look(&before);
	count_calls(&old, line->number);
	struct sys_result r = call_with(handle, other);
	count_calls(&new, line->number);
	look(&after);
	CHECK(r.status == status);
	CHECK(r.out[0] == 0 && r.out[1] == 0 && r.out[2] == 0);
	CHECK(new.refused == old.refused + 1);
	CHECK(new.one == old.one + 1 + looks);
	CHECK(memcmp(&before, &after, sizeof(before)) == 0);
}

/* The call refuses `handle` with `status`, whatever its other arguments are: small numbers, or
 * handles for those calls that take further ones. */
static void refused(cap_t handle, status_t status)
{
	refused_with(handle, SMALL, status);
	refused_with(handle, inner, status);
}

/* ---- ways to be wrong ---- */

static void wrong_type(const struct need *need)
{
	for (unsigned t = OBJ_NONE + 1; t < OBJ_TYPES; t++) {
		if (t != need->type)
			refused(object[t], ST_BAD_TYPE);
	}
}

/* Every right but the one. */
static void missing_right(const struct need *need)
{
	refused(copy_of(object_for(need), (rights_t)~need->right, 0), ST_NO_RIGHT);
	refused(copy_of(object_for(need), 0, 0), ST_NO_RIGHT);
}

/* A handle of another time; its slot is in use. */
static void stale_handle(const struct need *need)
{
	cap_t old = copy_of(object_for(need), 0xffff, 0);

	CHECK(STATUS(cap_drop, start->cspace, old) == ST_OK);
	refused(old, ST_BAD_CAP); /* empty */
	cap_t now = copy_of(object_for(need), 0xffff, 0);
	CHECK(slot_of(now) == slot_of(old) && now != old);
	refused(old, ST_BAD_CAP);
	refused(now + (1ull << 32), ST_BAD_CAP);
	refused(slot_of(now), ST_BAD_CAP);
	refused(slot_of(now) | 0xffffffffull << 32, ST_BAD_CAP);
}

static void revoked(const struct need *need)
{
	cap_t parent = copy_of(object_for(need), 0xffff, 0), child = copy_of(parent, 0xffff, 0);

	CHECK(STATUS(cap_revoke, start->cspace, parent) == ST_OK);
	refused(child, ST_BAD_CAP);
}

/* One of its own: the others are still needed. */
static void destroyed(const struct need *need)
{
	cap_t o = new_object(need->type == OBJ_ANY ? OBJ_MEMORY : need->type);

	CHECK(STATUS(object_destroy, o) == ST_OK);
	refused(o, ST_BAD_CAP);
}

/* Slots that the space has not got; they differ from a live handle in one bit. */
static void out_of_range(const struct need *need)
{
	for (unsigned bit = 14; bit < 32; bit++) {
		refused(object_for(need) | 1ull << bit, ST_BAD_CAP);
		refused(start->quota | 1ull << bit, ST_BAD_CAP); /* an old one */
	}
	refused(UINT64_MAX, ST_BAD_CAP);
	refused(UINT32_MAX, ST_BAD_CAP);
	refused(1ull << 32, ST_BAD_CAP); /* slot 0 */
}

static void none(const struct need *need)
{
	(void)need;
	refused(CAP_NONE, ST_BAD_CAP);
}

/* Past the checks: whatever the handler says then, it is not about a capability. */
static bool is_past(status_t st)
{
	return st != ST_BAD_CAP && st != ST_BAD_TYPE && st != ST_NO_RIGHT && st != ST_BAD_SYSCALL;
}

/* Calls on capabilities want a handle besides: here is one. */
static void goes_past(cap_t handle)
{
	status_t st = call_with(handle, SMALL).status;

	if (st == ST_BAD_CAP)
		st = call_with(handle, inner).status;
	CHECK(is_past(st));
}

/* With a quota that has no byte, one page, two, ... until it is enough: a call that fails at
 * whichever step leaves nothing behind. */
static void poor(const struct need *need)
{
	uint64_t before = 0;

	(void)need;
	for (uint64_t pages = 0; pages < POOR_MAX; pages++) {
		struct picture old, new;
		cap_t q = new_quota(pages * MEMORY_PAGE);

		look(&old);
		status_t st = call_with(q, SMALL).status;
		look(&new);
		if (st != ST_NO_MEMORY) {
			CHECK(is_past(st));
			return;
		}
		/* Its quota may keep a page for the next object as long as it lives. */
		memcpy(new.quota, old.quota, sizeof(new.quota));
		CHECK(memcmp(&old, &new, sizeof(old)) == 0);
		CHECK(STATUS(object_destroy, q) == ST_OK);
		if (pages > 0)
			CHECK(used_of(quota) == before);
		before = used_of(quota);
	}
	test_fail(__FILE__, __LINE__, "it takes that much");
}

static void none_is_allowed(const struct need *need)
{
	(void)need;
	goes_past(CAP_NONE);
}

static void all_right(const struct need *need)
{
	goes_past(object_for(need));
}

/* ---- cases ---- */

static bool fits_all(const struct need *need)
{
	(void)need;
	return true;
}

/* Of cases that are about the call as a whole. */
static bool is_first(const struct need *need)
{
	return need == line->need;
}

static bool has_type(const struct need *need)
{
	return need->type != OBJ_ANY;
}

static bool can_be_destroyed(const struct need *need)
{
	return need->type != OBJ_NODE && need->type != OBJ_IOPORT;
}

static bool pays(const struct need *need)
{
	return need->type == OBJ_QUOTA && need->right == RIGHT_CREATE;
}

static bool is_needed(const struct need *need)
{
	return !need->optional;
}

static bool is_optional(const struct need *need)
{
	return need->optional;
}

static const struct way {
	const char *name;
	void (*run)(const struct need *need);
	bool (*fits)(const struct need *need);
} ways[] = {
	{ "all_right", all_right, is_first },
	{ "wrong_type", wrong_type, has_type },
	{ "missing_right", missing_right, fits_all },
	{ "stale_handle", stale_handle, fits_all },
	{ "revoked", revoked, fits_all },
	{ "destroyed", destroyed, can_be_destroyed },
	{ "out_of_range", out_of_range, fits_all },
	{ "none", none, is_needed },
	{ "none_is_allowed", none_is_allowed, is_optional },
	{ "poor", poor, pays },
};

static const struct way *way; /* of the case */

static void run(void)
{
	new_objects();
	way->run(&line->need[argument]);
	drop_objects();
}

static char *append(char *at, const char *text)
{
	while (*text != '\0')
		*at++ = *text++;
	*at = '\0';
	return at;
}

static const char *case_name(void)
{
	static char name[NAME_MAX];
	char *at = append(append(append(name, way->name), "_"), line->name);

	if (way->fits != is_first) {
		const char number[] = { (char)('0' + argument), '\0' };
		append(append(at, "_argument_"), number);
	}
	return name;
}

/* Steps through the ways, then the arguments, then the lines. False at the end. */
static bool step(void)
{
	static unsigned next;
	unsigned n = next++;

	way = &ways[n % ARRAY_LEN(ways)];
	argument = n / ARRAY_LEN(ways) % CAPS;
	n /= ARRAY_LEN(ways) * CAPS;
	line = n < ARRAY_LEN(lines) ? &lines[n] : NULL;
	return line != NULL;
}

bool table_next(struct test_case *out)
{
	while (step()) {
		if (argument < line->caps && way->fits(&line->need[argument])) {
			*out = (struct test_case){ case_name(), run };
			return true;
		}
	}
	return false;
}

/* ---- numbers ---- */

/* They are counted as refused, and as calls of no number. */
TEST(table_unknown_numbers_are_counted)
{
	static const uint64_t numbers[] = { 64, 65, 1 << 16, 1ull << 32, 1ull << 63, UINT64_MAX };
	struct counts old, new;

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		count_calls(&old, NODE_CALLS);
		struct sys_result r = sys_call6(numbers[i], start->quota, start->quota, 1, 1, 1, 1);
		count_calls(&new, NODE_CALLS);
		CHECK(r.status == ST_BAD_SYSCALL);
		CHECK(r.out[0] == 0 && r.out[1] == 0 && r.out[2] == 0);
		CHECK(new.refused == old.refused + 1);
		CHECK(new.all == old.all);
	}
}

TEST(table_lines_have_their_numbers)
{
	CHECK(ARRAY_LEN(lines) <= 64);
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		CHECK(lines[i].number == i);
		CHECK(lines[i].caps > 0);
	}
}
