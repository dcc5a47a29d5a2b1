/* SPDX-License-Identifier: MIT */
#include <core/quota.h>
#include <core/assert.h>
#include <core/grace.h>

struct quota *quota_root;

/* ---- charges ---- */

/* Takes at least `min` and at most `want` bytes; 0: refused, nothing has changed. What
 * lacks is drawn from the parent while `min` is in `used` already: nobody else can take
 * what is drawn for it. Recursion is bounded by QUOTA_DEPTH. */
static uint64_t quota_take(struct quota *q, uint64_t min, uint64_t want)
{
	spin_lock(&q->obj.lock);
	if (min > q->limit - q->used) {
		spin_unlock(&q->obj.lock);
		return 0;
	}
	uint64_t here = q->drawn > q->used ? q->drawn - q->used : 0;
	uint64_t taken = here < min ? min : least(here, want);
	q->used += taken;
	q->peak = most(q->peak, q->used);
	uint64_t lack = here < min ? min - here : 0;
	uint64_t draw = least(ALIGN_UP(lack, (uint64_t)QUOTA_CHUNK), q->limit - q->drawn);
	spin_unlock(&q->obj.lock);
	if (LIKELY(lack == 0))
		return taken;

	uint64_t drawn = q->parent == NULL ? 0 : quota_take(q->parent, lack, draw);
	spin_lock(&q->obj.lock);
	q->drawn += drawn;
	uint64_t excess = q->drawn > q->limit ? q->drawn - q->limit : 0; /* others drew too */
	q->drawn -= excess;
	q->used -= drawn == 0 ? taken : 0;
	spin_unlock(&q->obj.lock);
	if (excess > 0)
		quota_refund(q->parent, excess);
	return drawn == 0 ? 0 : taken;
}

bool quota_charge(struct quota *q, uint64_t bytes)
{
	return !arch_fail_step() && quota_take(q, bytes, bytes) != 0;
}

bool quota_charge_trim(struct quota *q, uint64_t bytes)
{
	if (UNLIKELY(arch_fail_step()))
		return false;
	if (LIKELY(quota_take(q, bytes, bytes) != 0))
		return true;
	quota_trim(q);
	return quota_take(q, bytes, bytes) != 0;
}

/* Takes what the parent gets back out of `drawn`: all that is neither used nor reserved when
 * nothing is used, else what exceeds two chunks, but for one. */
static uint64_t quota_cut_surplus(struct quota *q) REQUIRES(q->obj.lock)
{
	uint64_t free = q->drawn - least(q->drawn, most(q->used, q->reservation));
	uint64_t kept = q->used == 0 ? 0 : QUOTA_CHUNK;

	if (q->parent == NULL || (kept > 0 && free <= 2 * QUOTA_CHUNK))
		return 0;
	q->drawn -= free - kept;
	return free - kept;
}

void quota_refund(struct quota *q, uint64_t bytes)
{
	while (bytes > 0) {
		spin_lock(&q->obj.lock);
		ASSERT(bytes <= q->used);
		q->used -= bytes;
		bytes = quota_cut_surplus(q);
		spin_unlock(&q->obj.lock);
		q = q->parent;
	}
}

bool quota_frame_take(struct quota *q, unsigned order, enum frame_want want, paddr_t *out)
{
	if (!quota_charge(q, FRAME_SIZE << order))
		return false;
	if (!frame_alloc(order, want, out)) {
		quota_refund(q, FRAME_SIZE << order);
		return false;
	}
	frame_of(*out)->payer = object_id(&q->obj);
	return true;
}

bool quota_frame_alloc(struct quota *q, paddr_t *out)
{
	if (!quota_frame_take(q, 0, FRAME_ANY, out))
		return false;
	frame_zero(*out, 0);
	return true;
}

void quota_frame_free(struct quota *q, paddr_t pa)
{
	unsigned order = frame_of(pa)->order;

	frame_free(pa, order);
	quota_refund(q, FRAME_SIZE << order);
}

/* ---- the tree ---- */

static void quota_init_caches(struct quota *q)
{
	for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
		slab_cache_init(&q->slab[kind], q, kind, object_ops[kind]->size);
}

void quota_init(void)
{
	static struct slab_cache cache; /* of the root alone; nobody pays */
	struct frame_stats stats;

	slab_cache_init(&cache, NULL, OBJ_QUOTA, quota_ops.size);
	struct object *o = slab_alloc(&cache);
	ASSERT(o != NULL);
	frame_stats(&stats);

	struct quota *q = container_of(o, struct quota, obj);
	q->limit = (stats.free + stats.loader) * FRAME_SIZE;
	q->reservation = q->drawn = q->limit;
	quota_init_caches(q);
	o->flags = OBJECT_NEW;
	quota_root = q;
}

/* Sets so much of the parent's reservation aside for its children, or (negative) no longer. */
static bool quota_promise(struct quota *parent, int64_t bytes)
{
	spin_lock(&parent->obj.lock);
	bool fits = bytes <= (int64_t)(parent->reservation - parent->promised);
	if (fits)
		parent->promised += (uint64_t)bytes;
	spin_unlock(&parent->obj.lock);
	return fits;
}

status_t quota_create(struct quota *parent, uint64_t limit, uint64_t reservation,
		      struct quota **out)
{
	if (parent->depth == QUOTA_DEPTH)
		return ST_TOO_BIG;
	struct object *o = object_create(parent, OBJ_QUOTA);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct quota *q = container_of(o, struct quota, obj);
	q->parent = parent;
	q->depth = (uint8_t)(parent->depth + 1);
	quota_init_caches(q);
	status_t st = quota_resize(q, limit, reservation);
	if (st == ST_OK)
		*out = q;
	else
		object_discard(o);
	return st;
}

status_t quota_resize(struct quota *q, uint64_t limit, uint64_t reservation)
{
	uint64_t lack = 0, held = 0; /* drawn for it, but not in q->drawn yet */
	status_t st;

	if (limit % FRAME_SIZE != 0 || reservation % FRAME_SIZE != 0 || reservation > limit)
		return ST_BAD_ARG;
	if (q->parent == NULL)
		return ST_BAD_STATE;
	uint64_t before = __atomic_load_n(&q->reservation, __ATOMIC_RELAXED);
	uint64_t more = reservation > before ? reservation - before : 0;
	if (more > INT64_MAX || !quota_promise(q->parent, (int64_t)more))
		return ST_NO_MEMORY;
	do {
		held += lack;
		spin_lock(&q->obj.lock);
		st = q->reservation != before ? ST_LATER : ST_OK;
		if (limit < q->used || reservation < q->promised)
			st = ST_BAD_STATE;
		lack = reservation - least(reservation, q->drawn + held);
		if (st == ST_OK && lack == 0) {
			__atomic_store_n(&q->reservation, reservation, __ATOMIC_RELAXED);
			q->limit = limit;
			more = before - least(before, reservation);
			q->drawn += held;
			held = q->drawn - least(q->drawn, limit);
			q->drawn -= held;
			held += quota_cut_surplus(q);
		}
		spin_unlock(&q->obj.lock);
		if (st == ST_OK && lack > 0 && !quota_charge(q->parent, lack))
			st = ST_NO_MEMORY;
	} while (st == ST_OK && lack > 0);
	quota_refund(q->parent, held);
	(void)quota_promise(q->parent, -(int64_t)more);
	return st;
}

/* ---- destruction ---- */

unsigned quota_trim(struct quota *q)
{
	unsigned left = 0, budget = SLAB_BATCH;

	grace_poll();
	for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
		left += slab_reclaim(&q->slab[kind], false, &budget);
	grace_poll();
	return left;
}

/* What can run or is large goes first. Kinds that no capability names go with others. */
static const uint8_t close_order[] = {
	OBJ_QUOTA, OBJ_THREAD, OBJ_ASPACE, OBJ_MEMORY,   OBJ_DMA,
	OBJ_IRQ,   OBJ_TIMER,  OBJ_REPLY,  OBJ_ENDPOINT, OBJ_NOTIFICATION,
	OBJ_SCHED, OBJ_NODE,   OBJ_IOPORT, OBJ_NONE,     OBJ_CSPACE,
};

_Static_assert(ARRAY_LEN(close_order) == OBJ_TYPES, "every type is destroyed");

/* One piece of one object after the other, kind by kind. */
static bool quota_close(struct object *o)
{
	struct quota *q = container_of(o, struct quota, obj);

	if (!(o->flags & OBJECT_NEW)) {
		for (unsigned kind = 0; q->ticket == 0 && kind < OBJECT_KINDS; kind++)
			slab_close(&q->slab[kind]);
		bool over = grace_passed(&q->ticket);
		for (; q->stage < ARRAY_LEN(close_order); q->stage++) {
			struct object *victim =
				slab_next(&q->slab[close_order[q->stage]], &q->cursor);

			if (victim != NULL) {
				object_demolish(victim);
				return false;
			}
		}
		/* Somebody may have looked the quota up before it died and be about
		 * to charge something to it. */
		if (quota_trim(q) > 0 || !over)
			return false;
	}
	ASSERT(q->used == 0);
	(void)quota_promise(q->parent, -(int64_t)q->reservation);
	quota_refund(q->parent, q->drawn);
	return true;
}

const struct object_ops quota_ops = OBJECT_OPS("quota", struct quota, LOCK_QUOTA, quota_close);

/* No other is made of this kind. */
extern const struct object_ops test_ops __attribute__((weak, alias("quota_ops")));
