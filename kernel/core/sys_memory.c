/* SPDX-License-Identifier: MIT */
/* Calls on memory objects and address spaces. What works on many pages does some at a time, and
 * leaves in the arguments what is left to do. */
#include <core/aspace.h>
#include <core/sys_cap.h>
#include <core/user.h>

#define PIECE 512 /* bytes that are copied at a time, */
#define BATCH 8   /* so many of them between two preemption points */

_Static_assert(MEMORY_PAGE == FRAME_SIZE, "the ABI tells it");

/* ---- memory objects ---- */

status_t sys_memory_create(struct syscall *c)
{
	struct memory *m;
	status_t st = memory_create(sys_payer(c), c->arg[1], c->arg[2], &m);

	return st != ST_OK ? st : sys_publish(c, &m->obj);
}

status_t sys_memory_view(struct syscall *c)
{
	struct memory *m;

	if (!(token_rights(c->cap[1].token) & RIGHT_READ))
		return ST_NO_RIGHT;
	status_t st = memory_create_view(sys_payer(c), &c->cap[1], &m);
	return st != ST_OK ? st : sys_publish(c, &m->obj);
}

/* Commits or decommits the pages in arguments 1 and 2; those that were done are taken off.
 * Meanwhile the object's lock may be let go and taken again. */
static status_t change_pages(struct syscall *c, bool commit)
{
	const struct cap_ref *by = &c->cap[0];
	struct memory *m = memory_of(by);
	uint64_t page = c->arg[1], done = 0;

	if (!memory_range(m, by->badge, &page, c->arg[2]))
		return ST_BAD_ARG;
	status_t st = commit ? memory_commit(m, page, c->arg[2], &done)
			     : memory_decommit(by, page, c->arg[2], &done);
	c->arg[1] += done;
	c->arg[2] -= done;
	return st;
}

status_t sys_memory_commit(struct syscall *c)
{
	return change_pages(c, true);
}

status_t sys_memory_decommit(struct syscall *c)
{
	return change_pages(c, false);
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
		st = memory_copy(m, page * FRAME_SIZE + in_page, piece, size, out);
	}
	spin_unlock(&m->obj.lock);
	return st;
}

/* Bytes go between the caller's memory and a piece without a lock. */
static status_t copy_some(struct syscall *c, bool out)
{
	char piece[PIECE];

	for (unsigned n = 0; n < BATCH; n++) {
		size_t size = least(least(PIECE, FRAME_SIZE - c->arg[1] % FRAME_SIZE), c->arg[3]);
		status_t st = ST_OK;

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
status_t sys_memory_seal(struct syscall *c)
{
	return c->cap[0].badge != 0 ? ST_BAD_ARG : memory_seal(memory_of(&c->cap[0]));
}

/* ---- address spaces ---- */

status_t sys_aspace_create(struct syscall *c)
{
	const struct cap_ref *half = c->cap[1].object != NULL ? &c->cap[1] : NULL;
	struct aspace *as;
	status_t st = aspace_create(sys_payer(c), c->arg[2], half, &as);

	return st != ST_OK ? st : sys_publish(c, &as->obj);
}

status_t sys_aspace_map(struct syscall *c)
{
	const struct map_request r = { c->arg[2], c->arg[4], c->arg[5], c->arg[3] };

	return aspace_map(&c->cap[0], &c->cap[1], &r);
}

status_t sys_aspace_unmap(struct syscall *c)
{
	return aspace_unmap(&c->cap[0], c->arg[1], c->arg[2]);
}

status_t sys_aspace_protect(struct syscall *c)
{
	struct map_request r = { c->arg[1], c->arg[2], c->arg[3], 0 };
	status_t st = aspace_protect(&c->cap[0], &r);

	c->arg[1] = r.va;
	c->arg[2] = r.count;
	return st;
}

status_t sys_aspace_scan(struct syscall *c)
{
	uint8_t pages[SCAN_MAX];
	status_t st = aspace_scan(&c->cap[0], c->arg[1], c->arg[2], pages);

	return st != ST_OK ? st : user_copy_out(c->self, c->arg[3], pages, c->arg[2]);
}
