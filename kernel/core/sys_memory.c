/* SPDX-License-Identifier: MIT */
/* Calls on memory objects and address spaces. What works on many pages does some at a time, and
 * leaves in the arguments what is left to do. */
#include <core/aspace.h>
#include <core/sys_cap.h>
#include <core/user.h>

#define PIECE 512 /* bytes that are copied at a time, */
#define BATCH 8   /* so many of them between two preemption points */

_Static_assert(MEMORY_PAGE == FRAME_SIZE, "the ABI tells it");

static struct quota *payer_of(const struct syscall *c)
{
	return container_of(c->cap[0].object, struct quota, obj);
}

static struct memory *memory_of(const struct cap_ref *ref)
{
	return container_of(ref->object, struct memory, obj);
}

/* ---- memory objects ---- */

status_t sys_memory_create(struct syscall *c)
{
	uint64_t flags = c->arg[2];
	struct memory *m;

	if (flags != 0 && flags != MEMORY_CONTIGUOUS &&
	    flags != (MEMORY_CONTIGUOUS | MEMORY_BELOW_4G))
		return ST_BAD_ARG;
	status_t st = memory_create(payer_of(c), c->arg[1], flags ? MEMORY_BLOCK : MEMORY_ANON,
				    flags & MEMORY_BELOW_4G, &m);
	return st != ST_OK ? st : sys_publish(c, &m->obj);
}

status_t sys_memory_view(struct syscall *c)
{
	struct memory *m;

	if (!(token_rights(c->cap[1].token) & RIGHT_READ))
		return ST_NO_RIGHT;
	status_t st = memory_create_view(payer_of(c), &c->cap[1], &m);
	return st != ST_OK ? st : sys_publish(c, &m->obj);
}

/* Locks the memory of the first capability if the pages in arguments 1 and 2 are within its
 * range; *page is the first. */
MUST_CHECK UNCHECKED_LOCKS static status_t pages_lock(const struct syscall *c, uint64_t *page)
{
	status_t st = cap_ref_lock(&c->cap[0]);

	if (st != ST_OK)
		return st;
	*page = c->arg[1];
	if (memory_range(memory_of(&c->cap[0]), c->cap[0].badge, page, c->arg[2]))
		return ST_OK;
	spin_unlock(&c->cap[0].object->lock);
	return ST_BAD_ARG;
}

/* The pages that were done are taken off the arguments. */
UNCHECKED_LOCKS static void pages_unlock(struct syscall *c, uint64_t done)
{
	spin_unlock(&c->cap[0].object->lock);
	c->arg[1] += done;
	c->arg[2] -= done;
}

UNCHECKED_LOCKS status_t sys_memory_commit(struct syscall *c)
{
	uint64_t page, done;
	status_t st = pages_lock(c, &page);

	if (st != ST_OK)
		return st;
	st = memory_commit(memory_of(&c->cap[0]), page, c->arg[2], &done);
	pages_unlock(c, done);
	return st;
}

UNCHECKED_LOCKS status_t sys_memory_decommit(struct syscall *c)
{
	uint64_t page, done;
	status_t st = pages_lock(c, &page);

	if (st != ST_OK)
		return st;
	st = memory_decommit(&c->cap[0], page, c->arg[2], &done);
	pages_unlock(c, done);
	return st;
}

/* Copies a piece of the bytes [arg 1, + arg 3) of the range of the first capability, up to PIECE
 * and not across a page: out to `piece`, or in. */
UNCHECKED_LOCKS static status_t bytes_copy(const struct syscall *c, char *piece, size_t size,
					   bool out)
{
	uint64_t in_page = c->arg[1] % FRAME_SIZE, page = c->arg[1] / FRAME_SIZE;
	struct memory *m = memory_of(&c->cap[0]);
	status_t st = cap_ref_lock(&c->cap[0]);

	if (st != ST_OK)
		return st;
	if (c->arg[3] > MEMORY_PAGES_MAX * FRAME_SIZE ||
	    !memory_range(m, c->cap[0].badge, &page,
			  (in_page + c->arg[3] + FRAME_SIZE - 1) / FRAME_SIZE)) {
		st = ST_BAD_ARG;
	} else if (size > 0) {
		struct memory_bytes b = { page * FRAME_SIZE + in_page, piece, size };
		st = memory_copy(m, &b, out);
	}
	spin_unlock(&m->obj.lock);
	return st;
}

/* Bytes go between the caller's memory and a piece without a lock. */
static status_t copy_some(struct syscall *c, bool out)
{
	char piece[PIECE];

	for (unsigned n = 0; n < BATCH; n++) {
		size_t size = FRAME_SIZE - c->arg[1] % FRAME_SIZE;
		status_t st = ST_OK;

		size = size < PIECE ? size : PIECE;
		size = size < c->arg[3] ? size : c->arg[3];
		if (!out)
			st = user_copy_in(c->self, piece, c->arg[2], size);
		if (st == ST_OK)
			st = bytes_copy(c, piece, size, out);
		if (st == ST_OK && out)
			st = user_copy_out(c->self, c->arg[2], piece, size);
		if (st != ST_OK)
			return st;
		c->arg[1] += size;
		c->arg[2] += size;
		c->arg[3] -= size;
		if (c->arg[3] == 0)
			return ST_OK;
	}
	return ST_LATER;
}

status_t sys_memory_read(struct syscall *c)
{
	return copy_some(c, true);
}

status_t sys_memory_write(struct syscall *c)
{
	return copy_some(c, false);
}

status_t sys_memory_share(struct syscall *c)
{
	const struct memory_share s = { &c->cap[0], &c->cap[1], c->arg[2],
					c->arg[3],  c->arg[4],  c->arg[5] == SHARE_READ_ONLY };
	uint64_t done;

	if (!(token_rights(s.from->token) & RIGHT_READ))
		return ST_NO_RIGHT;
	if (c->arg[5] > SHARE_READ_ONLY)
		return ST_BAD_ARG;
	status_t st = memory_share(&s, &done);
	c->arg[2] += done;
	c->arg[3] += done;
	c->arg[4] -= done;
	return st;
}

/* The whole object, so whoever has a part of it only can't. */
UNCHECKED_LOCKS status_t sys_memory_seal(struct syscall *c)
{
	if (c->cap[0].badge != 0)
		return ST_BAD_ARG;
	status_t st = cap_ref_lock(&c->cap[0]);
	if (st != ST_OK)
		return st;
	st = memory_seal(memory_of(&c->cap[0]));
	spin_unlock(&c->cap[0].object->lock);
	return st;
}

/* ---- address spaces ---- */

status_t sys_aspace_create(struct syscall *c)
{
	const struct cap_ref *half = c->cap[1].object != NULL ? &c->cap[1] : NULL;
	struct aspace *as;

	if (c->arg[2] > ASPACE_GUEST || (c->arg[2] == ASPACE_GUEST) != (half != NULL))
		return ST_BAD_ARG;
	status_t st = aspace_create(payer_of(c), (enum aspace_kind)c->arg[2], half, &as);
	return st != ST_OK ? st : sys_publish(c, &as->obj);
}

status_t sys_aspace_map(struct syscall *c)
{
	const struct map_request r = {
		.va = c->arg[2],
		.page = c->arg[3],
		.count = c->arg[4],
		.access = (unsigned)c->arg[5],
	};

	return c->arg[5] > UINT32_MAX ? ST_BAD_ARG : aspace_map(&c->cap[0], &c->cap[1], &r);
}

status_t sys_aspace_unmap(struct syscall *c)
{
	return aspace_unmap(&c->cap[0], c->arg[1], c->arg[2]);
}

status_t sys_aspace_protect(struct syscall *c)
{
	struct map_request r = { c->arg[1], c->arg[2], (unsigned)c->arg[3], 0 };

	if (c->arg[3] > UINT32_MAX)
		return ST_BAD_ARG;
	status_t st = aspace_protect(&c->cap[0], &r);
	c->arg[1] = r.va;
	c->arg[2] = r.count;
	return st;
}

status_t sys_aspace_scan(struct syscall *c)
{
	uint8_t pages[SCAN_MAX];

	if (c->arg[2] > SCAN_MAX)
		return ST_TOO_BIG;
	status_t st = aspace_scan(&c->cap[0], c->arg[1], c->arg[2], pages);
	return st != ST_OK ? st : user_copy_out(c->self, c->arg[3], pages, c->arg[2]);
}
