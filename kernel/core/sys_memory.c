/* SPDX-License-Identifier: MIT */
/* Calls on memory objects and address spaces. What works on many pages does some at a time, and
 * leaves in the arguments what is left to do. */
#include <core/aspace.h>
#include <core/memory.h>
#include <core/quota.h>
#include <core/sys_cap.h>
#include <core/user.h>

#define PIECE 512 /* bytes that are copied at a time, */
#define BATCH 8   /* so many of them between two preemption points */

_Static_assert(SCAN_MAX == ASPACE_BATCH && SCAN_ACCESSED == PAGETABLE_ACCESSED &&
		       SCAN_DIRTY == PAGETABLE_DIRTY && SCAN_PRESENT == PAGETABLE_PRESENT,
	       "the ABI tells them");
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

UNCHECKED_LOCKS status_t sys_memory_commit(struct syscall *c)
{
	uint64_t page, done = 0;
	status_t st = pages_lock(c, &page);

	if (st != ST_OK)
		return st;
	st = memory_commit(memory_of(&c->cap[0]), page, c->arg[2], &done);
	spin_unlock(&c->cap[0].object->lock);
	c->arg[1] += done;
	c->arg[2] -= done;
	return st;
}

UNCHECKED_LOCKS status_t sys_memory_decommit(struct syscall *c)
{
	uint64_t page, done = 0;
	status_t st = pages_lock(c, &page);

	if (st != ST_OK)
		return st;
	st = memory_decommit(&c->cap[0], page, c->arg[2], &done);
	spin_unlock(&c->cap[0].object->lock);
	c->arg[1] += done;
	c->arg[2] -= done;
	return st;
}

/* A piece of the bytes [arg 1, + arg 3) of the range of the first capability: up to PIECE, not
 * across a page. Locks the memory. */
MUST_CHECK UNCHECKED_LOCKS static status_t bytes_lock(const struct syscall *c,
						      struct memory_bytes *b)
{
	uint64_t offset = c->arg[1], size = c->arg[3];
	uint64_t page = offset / FRAME_SIZE;

	if (size > UINT64_MAX - FRAME_SIZE - offset)
		return ST_BAD_ARG;
	status_t st = cap_ref_lock(&c->cap[0]);
	if (st != ST_OK)
		return st;
	uint64_t pages = (offset % FRAME_SIZE + size + FRAME_SIZE - 1) / FRAME_SIZE;
	if (!memory_range(memory_of(&c->cap[0]), c->cap[0].badge, &page, pages)) {
		spin_unlock(&c->cap[0].object->lock);
		return ST_BAD_ARG;
	}
	b->offset = page * FRAME_SIZE + offset % FRAME_SIZE;
	b->size = FRAME_SIZE - offset % FRAME_SIZE;
	if (b->size > PIECE)
		b->size = PIECE;
	if (b->size > size)
		b->size = size;
	return ST_OK;
}

UNCHECKED_LOCKS static status_t read_piece(struct syscall *c)
{
	char piece[PIECE];
	struct memory_bytes b = { .bytes = piece };
	status_t st = bytes_lock(c, &b);

	if (st != ST_OK)
		return st;
	st = memory_copy_out(memory_of(&c->cap[0]), &b);
	spin_unlock(&c->cap[0].object->lock);
	if (st == ST_OK)
		st = user_copy_out(c->self, c->arg[2], piece, b.size);
	if (st != ST_OK)
		return st;
	c->arg[1] += b.size;
	c->arg[2] += b.size;
	c->arg[3] -= b.size;
	return ST_OK;
}

/* The bytes are copied out of the caller's memory before the object is locked. */
UNCHECKED_LOCKS static status_t write_piece(struct syscall *c)
{
	char piece[PIECE];
	struct memory_bytes b = { .bytes = piece };
	status_t st = bytes_lock(c, &b);

	if (st != ST_OK)
		return st;
	spin_unlock(&c->cap[0].object->lock);
	st = user_copy_in(c->self, piece, c->arg[2], b.size);
	if (st == ST_OK)
		st = cap_ref_lock(&c->cap[0]);
	if (st != ST_OK)
		return st;
	st = memory_copy_in(&c->cap[0], &b);
	spin_unlock(&c->cap[0].object->lock);
	if (st != ST_OK)
		return st;
	c->arg[1] += b.size;
	c->arg[2] += b.size;
	c->arg[3] -= b.size;
	return ST_OK;
}

static status_t copy_some(struct syscall *c, status_t (*copy_piece)(struct syscall *))
{
	for (unsigned n = 0; n < BATCH; n++) {
		status_t st = copy_piece(c);
		if (st != ST_OK || c->arg[3] == 0)
			return st;
	}
	return ST_LATER;
}

status_t sys_memory_read(struct syscall *c)
{
	return copy_some(c, read_piece);
}

status_t sys_memory_write(struct syscall *c)
{
	return copy_some(c, write_piece);
}

/* Locks two objects of one rank, if both capabilities stand. */
MUST_CHECK UNCHECKED_LOCKS static status_t lock_both(const struct cap_ref *a,
						     const struct cap_ref *b)
{
	const bool swap = a->object > b->object;

	spin_lock(swap ? &b->object->lock : &a->object->lock);
	spin_lock_second(swap ? &a->object->lock : &b->object->lock);
	if (cap_still(a) && cap_still(b))
		return ST_OK;
	spin_unlock(&a->object->lock);
	spin_unlock(&b->object->lock);
	return ST_BAD_CAP;
}

UNCHECKED_LOCKS status_t sys_memory_share(struct syscall *c)
{
	struct memory_share s = {
		.to = &c->cap[0],
		.from = &c->cap[1],
		.to_page = c->arg[2],
		.from_page = c->arg[3],
		.count = c->arg[4],
		.read_only = c->arg[5] == SHARE_READ_ONLY,
	};
	uint64_t done = 0;

	if (!(token_rights(s.from->token) & RIGHT_READ))
		return ST_NO_RIGHT;
	if (c->arg[5] > SHARE_READ_ONLY || s.to->object == s.from->object)
		return ST_BAD_ARG;
	status_t st = lock_both(s.to, s.from);
	if (st != ST_OK)
		return st;
	if (memory_range(memory_of(s.to), s.to->badge, &s.to_page, s.count) &&
	    memory_range(memory_of(s.from), s.from->badge, &s.from_page, s.count))
		st = memory_share(&s, &done);
	else
		st = ST_BAD_ARG;
	spin_unlock(&s.to->object->lock);
	spin_unlock(&s.from->object->lock);
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
	const struct protect_request r = {
		.va = c->arg[1],
		.pages = c->arg[2],
		.access = (unsigned)c->arg[3],
	};
	uint64_t done = 0;

	if (c->arg[3] > UINT32_MAX)
		return ST_BAD_ARG;
	status_t st = aspace_protect(&c->cap[0], &r, &done);
	c->arg[1] += done * FRAME_SIZE;
	c->arg[2] -= done;
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
