/* SPDX-License-Identifier: MIT */
#include <core/memory.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/quota.h>

#define NODE_BITS 9
#define NODE_MASK 511u

static paddr_t zero_frame; /* of zeros, never written; names no slot */

void memory_init(void)
{
	if (!frame_alloc(0, FRAME_ANY, &zero_frame))
		panic("no frame for the page of zeros");
	frame_zero(zero_frame, 0);
}

/* ---- frames: who pays ----
 *
 * frame.uses = slots that name the frame, and above them, how many of those are the
 * payer's. Both change in one compare-and-exchange, by any number of CPUs that hold
 * the locks of different objects. What quota Q is charged for a frame is
 *
 *	1 if Q is the payer and has slots, + the slots of Q without MEMORY_SLOT_PAYER
 *
 * and each step below changes charges and counts alike:
 * - The payer is written once, when the frame is taken and nobody else knows it.
 * - Its count never rises from 0: whoever joins as the payer's sees it above 0 in the
 *   very exchange that counts him. So it falls to 0 once, for one CPU, which gives
 *   back the payer's charge; who joins later is charged for his own slot.
 * - A slot holds its frame: it is counted before it can be seen, and until it is let go
 *   of. So the frame is freed once, by the CPU that takes the last slot away.
 */
#define USES_PAYER (1ull << 32)
#define USES_MAX   UINT32_MAX

static bool is_alone(uint64_t slot)
{
	const struct frame *f = frame_of(slot & MEMORY_SLOT_FRAME);

	return (uint32_t)atomic_load_explicit(&f->uses, memory_order_acquire) == 1;
}

/* A frame with whatever its last owner left, for one slot of `q`: 0 if there is none. */
static uint64_t frame_take(struct quota *q)
{
	paddr_t pa;

	if (!quota_charge(q, FRAME_SIZE))
		return 0;
	if (!frame_alloc(0, FRAME_ANY, &pa)) {
		quota_refund(q, FRAME_SIZE);
		return 0;
	}
	struct frame *f = frame_of(pa);
	f->payer = object_id(&q->obj);
	atomic_store_explicit(&f->uses, USES_PAYER + 1, memory_order_relaxed);
	return pa | MEMORY_SLOT_HERE | MEMORY_SLOT_PAYER;
}

/* One more slot, of `q`, for a frame that cannot go meanwhile: 0 if `q` can't pay. */
static uint64_t frame_join(paddr_t pa, struct quota *q)
{
	struct frame *f = frame_of(pa);
	uint64_t uses = atomic_load_explicit(&f->uses, memory_order_relaxed);
	bool payer = f->payer == object_id(&q->obj);
	bool charged = false;

	do {
		if (uses < USES_PAYER)
			payer = false;
		if (!payer && !charged) {
			if (!quota_charge(q, FRAME_SIZE))
				return 0;
			charged = true;
		}
		if ((uint32_t)uses == USES_MAX) {
			if (charged)
				quota_refund(q, FRAME_SIZE);
			return 0;
		}
	} while (!atomic_compare_exchange_weak(&f->uses, &uses,
					       uses + 1 + (payer ? USES_PAYER : 0)));
	return pa | MEMORY_SLOT_HERE | (payer ? MEMORY_SLOT_PAYER : 0);
}

/* Lets go of the frame of a slot of `q`, which no CPU has cached any more. */
static void frame_leave(uint64_t slot, struct quota *q)
{
	paddr_t pa = slot & MEMORY_SLOT_FRAME;
	bool payer = slot & MEMORY_SLOT_PAYER;
	uint64_t change = 1 + (payer ? USES_PAYER : 0);
	uint64_t left = atomic_fetch_sub(&frame_of(pa)->uses, change) - change;

	if ((uint32_t)left == 0)
		quota_frame_free(q, pa);
	else if (!payer || left < USES_PAYER)
		quota_refund(q, FRAME_SIZE);
}

/* ---- slots ---- */

static uint64_t slot_load(const _Atomic uint64_t *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static void slot_store(_Atomic uint64_t *slot, uint64_t value)
{
	atomic_store_explicit(slot, value, memory_order_release);
}

static uint64_t slot_pins(uint64_t slot)
{
	return slot / MEMORY_SLOT_PIN;
}

/* Pages that one entry of a node of `level` stands for; 0: it is a slot. */
static uint64_t level_pages(unsigned level)
{
	return 1ull << (NODE_BITS * level);
}

/* The slot of `page`, or NULL: then *skip pages from there on have none. */
static _Atomic uint64_t *slot_find(struct memory *m, uint64_t page, uint64_t *skip)
{
	_Atomic uint64_t *entry = &m->slot[m->levels == 0 ? page : 0];

	for (unsigned level = m->levels; level > 0; level--) {
		uint64_t node = slot_load(entry);

		if (node == 0) {
			*skip = level_pages(level) - (page & (level_pages(level) - 1));
			return NULL;
		}
		entry = arch_phys_to_virt(node);
		entry += page >> (NODE_BITS * (level - 1)) & NODE_MASK;
	}
	return entry;
}

/* The same, with the nodes on the way made. NULL: no memory. */
static _Atomic uint64_t *slot_make(struct memory *m, uint64_t page)
{
	_Atomic uint64_t *entry = &m->slot[m->levels == 0 ? page : 0];

	for (unsigned level = m->levels; level > 0; level--) {
		paddr_t node = slot_load(entry);

		if (node == 0) {
			if (!quota_frame_alloc(m->obj.quota, &node))
				return NULL;
			slot_store(entry, node);
		}
		entry = arch_phys_to_virt(node);
		entry += page >> (NODE_BITS * (level - 1)) & NODE_MASK;
	}
	return entry;
}

static uint64_t slot_at(struct memory *m, uint64_t page)
{
	uint64_t skip;
	const _Atomic uint64_t *slot = slot_find(m, page, &skip);

	return slot != NULL ? slot_load(slot) : 0;
}

static void slot_clear(struct memory *m, _Atomic uint64_t *slot)
{
	uint64_t old = slot_load(slot);

	slot_store(slot, 0);
	if (old & MEMORY_SLOT_HERE) {
		frame_leave(old, m->obj.quota);
		m->committed--;
	}
}

static bool has_slots(const struct memory *m)
{
	return m->kind == MEMORY_ANON || m->kind == MEMORY_VIEW;
}

/* What a page without a slot shows. */
static status_t backing(const struct memory *m, uint64_t page, paddr_t *pa)
{
	struct memory *s = m->source;

	*pa = zero_frame;
	if (m->kind != MEMORY_VIEW)
		return ST_OK;
	if (m->cut)
		return ST_PEER_GONE;
	if (s->kind == MEMORY_BLOCK) {
		*pa = s->base + (m->first + page) * FRAME_SIZE;
		return ST_OK;
	}
	uint64_t slot = slot_at(s, m->first + page);
	if (slot & MEMORY_SLOT_HERE)
		*pa = slot & MEMORY_SLOT_FRAME;
	return ST_OK;
}

static void page_fill(paddr_t to, paddr_t from)
{
	if (from == zero_frame)
		frame_zero(to, 0);
	else
		__builtin_memcpy(arch_phys_to_virt(to), arch_phys_to_virt(from), FRAME_SIZE);
}

/* A frame of its own for `q` with what `from` holds: 0 if there is none. */
static uint64_t frame_copy(paddr_t from, struct quota *q)
{
	uint64_t slot = frame_take(q);

	if (slot != 0)
		page_fill(slot & MEMORY_SLOT_FRAME, from);
	return slot;
}

/* ---- transitions ---- */

static struct mapping *mapping_of(struct tree_node *n)
{
	return n != NULL ? container_of(n, struct mapping, pagewise) : NULL;
}

static bool is_mapped(const struct memory *m, uint64_t page, uint64_t count)
{
	return tree_overlap(&m->mappings, page, page + count - 1) != NULL;
}

/* True if none of the pages is in transition by another CPU; a transition that was
 * left alone gives way. */
static bool is_settled(struct memory *m, uint64_t page, uint64_t count)
{
	if (m->transit.count == 0 || page >= m->transit.page + m->transit.count ||
	    page + count <= m->transit.page)
		return true;
	if (m->transit.running)
		return false;
	m->transit.count = 0;
	return true;
}

/* Goes to the first mapping: what was done stays done, nothing is to be flushed twice. */
static void transit_restart(struct memory *m)
{
	m->transit.at = m->transit.page;
	m->transit.next = mapping_of(tree_overlap(&m->mappings, m->transit.page,
						  m->transit.page + m->transit.count - 1));
}

/* Goes to the mapping behind transit.next. */
static void transit_advance(struct memory *m)
{
	m->transit.next = mapping_of(tree_overlap_next(&m->transit.next->pagewise, m->transit.page,
						       m->transit.page + m->transit.count - 1));
	m->transit.at = m->transit.page;
}

/* Takes access through one mapping away on every CPU; the lock is let go for that. Uses up to
 * `budget` and says what is left of it. */
REQUIRES(m->obj.lock) static unsigned transit_step(struct memory *m, unsigned budget)
{
	struct mapping *map = m->transit.next;
	struct pagetable *table = &map->aspace->table;
	uint64_t end = m->transit.page + m->transit.count;
	uint64_t from = m->transit.at > map->first ? m->transit.at : map->first;
	struct pagetable_cut cut;

	if (end > map->first + map->pages)
		end = map->first + map->pages;
	vaddr_t va = map->base + (from - map->first) * FRAME_SIZE;
	pagetable_cut_init(&cut, table, budget);
	uint64_t n = pagetable_restrict(table, va, end - from, m->transit.keep, &cut);
	if (map->busy)
		tlb_batch_add(&cut.flush, va, n * FRAME_SIZE);
	m->transit.at = from + n;
	if (m->transit.at >= end)
		transit_advance(m);
	if (cut.flush.count > 0) {
		uint64_t where = pagetable_where(table);
		spin_unlock(&m->obj.lock);
		tlb_flush(&cut.flush, where);
		spin_lock(&m->obj.lock);
	}
	return cut.budget > MEMORY_HEAVY ? cut.budget - MEMORY_HEAVY : 0;
}

/* Takes all access but `keep` to the pages away on every CPU. The object's lock is let go
 * while CPUs are waited for. ST_OK: the pages stay in transition until transit_end.
 * ST_LATER: look at everything again and come back. */
UNCHECKED_LOCKS
static status_t transit(struct memory *m, uint64_t page, uint64_t count, unsigned keep)
{
	unsigned budget = MEMORY_WALK;

	if (m->transit.running)
		return ST_LATER;
	if (m->transit.page != page || m->transit.count != count || m->transit.keep != keep) {
		m->transit.page = page;
		m->transit.count = count;
		m->transit.keep = keep;
		transit_restart(m);
	}
	m->transit.running = true;
	while (m->transit.next != NULL && budget > 0)
		budget = transit_step(m, budget);
	if (m->transit.next == NULL)
		return ST_OK;
	m->transit.running = false;
	return ST_LATER;
}

static void transit_end(struct memory *m)
{
	m->transit.running = false;
	m->transit.count = 0;
}

void memory_map_add(struct memory *m, struct mapping *map)
{
	tree_insert(&m->mappings, &map->pagewise, map->first, map->first + map->pages - 1);
	if (m->transit.count > 0)
		transit_restart(m);
}

void memory_map_remove(struct memory *m, struct mapping *map)
{
	if (m->transit.count > 0 && m->transit.next == map)
		transit_advance(m);
	tree_remove(&m->mappings, &map->pagewise);
}

/* ---- making a page one's own ---- */

/* Puts a frame of its own into the slot, with what the page shows now. No CPU has a
 * translation of the page. */
static status_t slot_replace(struct memory *m, uint64_t page, _Atomic uint64_t *slot)
{
	uint64_t old = slot_load(slot);
	paddr_t from = old & MEMORY_SLOT_FRAME;

	if ((old & MEMORY_SLOT_HERE) && is_alone(old))
		return ST_OK; /* the others have left meanwhile */
	if (!(old & MEMORY_SLOT_HERE)) {
		status_t st = backing(m, page, &from);
		if (st != ST_OK)
			return st;
	}
	uint64_t new = frame_copy(from, m->obj.quota);
	if (new == 0)
		return ST_NO_MEMORY;
	slot_store(slot, new);
	if (old & MEMORY_SLOT_HERE)
		frame_leave(old, m->obj.quota);
	else
		m->committed++;
	return ST_OK;
}

/* Makes the slot of `page` name a frame that no other slot names. ST_WOULD_BLOCK: the lock has
 * to be let go for that. What the page holds stays the same, so it is nobody's loss
 * if the one who wanted to write has lost his right meanwhile. */
static status_t make_private(struct memory *m, uint64_t page, bool may_let_go)
{
	if (m->sealed)
		return ST_BAD_STATE;
	if (!is_settled(m, page, 1))
		return ST_LATER;
	_Atomic uint64_t *slot = slot_make(m, page);
	if (slot == NULL)
		return ST_NO_MEMORY;
	uint64_t old = slot_load(slot);
	if (old & MEMORY_SLOT_RO)
		return ST_NO_RIGHT;
	if ((old & MEMORY_SLOT_HERE) && is_alone(old))
		return ST_OK;
	if (!((old & MEMORY_SLOT_HERE) || m->lent) || !is_mapped(m, page, 1))
		return slot_replace(m, page, slot);
	if (!may_let_go)
		return ST_WOULD_BLOCK;

	status_t st = transit(m, page, 1, 0);
	if (st != ST_OK)
		return st;
	st = slot_replace(m, page, slot);
	transit_end(m);
	return st;
}

/* Zeroes more of a BLOCK; true when the first `pages` are. */
static bool block_zero(struct memory *m, uint64_t pages)
{
	for (unsigned n = 0; n < MEMORY_BATCH / MEMORY_HEAVY && m->zeroed < pages; n++)
		frame_zero(m->base + m->zeroed++ * FRAME_SIZE, 0);
	return m->zeroed >= pages;
}

/* Pages of a BLOCK are zeroed so far ahead that they can be mapped as large ones. */
static uint64_t block_ahead(const struct memory *m, uint64_t page)
{
	uint64_t end = ALIGN_UP(page + 1, NODE_MASK + 1ull);

	return end < m->pages ? end : m->pages;
}

/* ---- faults ---- */

/* True for pages that programs may use as a device's: neither RAM nor the kernel's own. */
static bool is_device(paddr_t pa)
{
	return !frame_exists(pa) && !arch_device_is_taken(pa);
}

/* The largest page, around `page`, that the frames allow. */
static unsigned largest_level(const struct memory *m, uint64_t page)
{
	const uint64_t base = m->base / FRAME_SIZE;
	unsigned level = 0;

	for (unsigned next = 1; next <= (m->kind == MEMORY_BLOCK ? 2 : 1); next++) {
		uint64_t span = level_pages(next);
		uint64_t first = ALIGN_DOWN(base + page, span);

		if (first < base || first + span > base + m->pages)
			break;
		if (m->kind == MEMORY_BLOCK && m->zeroed < first + span - base)
			break;
		for (uint64_t i = 0; m->kind == MEMORY_DEVICE && i < span; i++) {
			if (!is_device((first + i) * FRAME_SIZE))
				return level;
		}
		level = next;
	}
	return level;
}

static status_t look_contiguous(struct memory *m, uint64_t page, struct memory_page *out)
{
	out->pa = m->base + page * FRAME_SIZE;
	out->level = largest_level(m, page);
	if (m->kind == MEMORY_DEVICE) {
		out->keep = ARCH_READ | ARCH_WRITE | ARCH_DEVICE;
		return is_device(out->pa) ? ST_OK : ST_BAD_ADDRESS;
	}
	out->keep = ARCH_READ | ARCH_EXEC | (m->sealed ? 0 : ARCH_WRITE);
	return m->zeroed < block_ahead(m, page) ? ST_WOULD_BLOCK : ST_OK;
}

status_t memory_look(struct memory *m, uint64_t page, bool write, struct memory_page *out)
{
	status_t st = ST_OK;

	if (!is_settled(m, page, 1))
		return ST_LATER;
	if (!has_slots(m))
		return look_contiguous(m, page, out);
	if (write)
		st = make_private(m, page, false);
	if (st != ST_OK)
		return st;
	uint64_t slot = slot_at(m, page);
	out->level = 0;
	out->keep = ARCH_READ | ARCH_EXEC;
	if (slot & MEMORY_SLOT_HERE) {
		out->pa = slot & MEMORY_SLOT_FRAME;
		if (!m->sealed && !(slot & MEMORY_SLOT_RO) && is_alone(slot))
			out->keep |= ARCH_WRITE;
		return ST_OK;
	}
	m->lent = true;
	return backing(m, page, &out->pa);
}

status_t memory_prepare(struct memory *m, uint64_t page, bool write)
{
	if (m->kind == MEMORY_BLOCK)
		return block_zero(m, block_ahead(m, page)) ? ST_OK : ST_LATER;
	return write && has_slots(m) ? make_private(m, page, true) : ST_OK;
}

/* ---- commit, decommit, bytes, pins ---- */

/* What the badge word of a capability says; a count of 0 is all of it. */
static uint64_t range_of(const struct memory *m, uint64_t badge, uint64_t *first)
{
	*first = (uint32_t)badge == 0 ? 0 : badge >> 32;
	return (uint32_t)badge == 0 ? m->pages : (uint32_t)badge;
}

bool memory_range(const struct memory *m, uint64_t badge, uint64_t *page, uint64_t count)
{
	uint64_t first;
	uint64_t pages = range_of(m, badge, &first);

	if (first > m->pages || pages > m->pages - first || *page > pages || count > pages - *page)
		return false;
	*page += first;
	return true;
}

/* OK or LATER. */
static status_t progress(uint64_t done, uint64_t count)
{
	return done == count ? ST_OK : ST_LATER;
}

status_t memory_commit(struct memory *m, uint64_t page, uint64_t count, uint64_t *done)
{
	*done = 0;
	if (m->kind == MEMORY_BLOCK) {
		if (block_zero(m, page + count))
			*done = count;
		return progress(*done, count);
	}
	if (!has_slots(m) || m->sealed)
		return ST_BAD_STATE;
	for (unsigned work = 0; *done < count && work < MEMORY_BATCH; ++*done) {
		uint64_t slot = slot_at(m, page + *done);

		work++;
		if (slot & (MEMORY_SLOT_HERE | MEMORY_SLOT_RO))
			continue;
		work += MEMORY_HEAVY;
		status_t st = make_private(m, page + *done, false);
		if (st == ST_WOULD_BLOCK) {
			st = make_private(m, page + *done, true);
			if (st == ST_OK)
				return progress(++*done, count);
		}
		if (st != ST_OK)
			return st;
	}
	return progress(*done, count);
}

static struct memory *memory_of(const struct cap_ref *by)
{
	return container_of(by->object, struct memory, obj);
}

/* What decommit finds in a run of slots. */
static status_t decommit_check(struct memory *m, uint64_t page, uint64_t count, bool *any)
{
	*any = false;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t slot = slot_at(m, page + i);

		if (slot_pins(slot) > 0)
			return ST_BAD_STATE;
		*any |= (slot & MEMORY_SLOT_HERE) != 0;
	}
	return ST_OK;
}

static void decommit_run(struct memory *m, uint64_t page, uint64_t count)
{
	uint64_t skip;

	for (uint64_t i = 0; i < count; i++) {
		_Atomic uint64_t *slot = slot_find(m, page + i, &skip);
		if (slot != NULL)
			slot_clear(m, slot);
	}
}

status_t memory_decommit(const struct cap_ref *by, uint64_t page, uint64_t count, uint64_t *done)
{
	struct memory *m = memory_of(by);
	uint64_t n = 0;
	bool any;

	*done = 0;
	if (!has_slots(m) || m->sealed)
		return ST_BAD_STATE;
	if (count == 0)
		return ST_OK;
	if (slot_find(m, page, &n) == NULL) {
		*done = n < count ? n : count;
		return progress(*done, count);
	}
	n = count < MEMORY_BATCH ? count : MEMORY_BATCH;
	if (!is_settled(m, page, n))
		return ST_LATER;
	status_t st = decommit_check(m, page, n, &any);
	if (st != ST_OK)
		return st;
	if (!any || !is_mapped(m, page, n)) {
		decommit_run(m, page, n);
	} else {
		st = transit(m, page, n, 0);
		if (st != ST_OK)
			return st;
		if (cap_still(by))
			decommit_run(m, page, n);
		else
			st = ST_BAD_CAP;
		transit_end(m);
	}
	if (st == ST_OK)
		*done = n;
	return st == ST_OK ? progress(n, count) : st;
}

static bool bytes_ok(const struct memory *m, const struct memory_bytes *b)
{
	return b->size <= FRAME_SIZE - b->offset % FRAME_SIZE && b->offset / FRAME_SIZE < m->pages;
}

status_t memory_copy_out(struct memory *m, const struct memory_bytes *b)
{
	uint64_t page = b->offset / FRAME_SIZE;
	paddr_t pa;

	if (!bytes_ok(m, b))
		return ST_BAD_ARG;
	if (m->kind == MEMORY_DEVICE)
		return ST_BAD_STATE;
	if (m->kind == MEMORY_BLOCK) {
		pa = page < m->zeroed ? m->base + page * FRAME_SIZE : zero_frame;
	} else {
		uint64_t slot = slot_at(m, page);
		status_t st = ST_OK;

		pa = slot & MEMORY_SLOT_FRAME;
		if (!(slot & MEMORY_SLOT_HERE))
			st = backing(m, page, &pa);
		if (st != ST_OK)
			return st;
	}
	const char *from = arch_phys_to_virt(pa);
	__builtin_memcpy(b->bytes, from + b->offset % FRAME_SIZE, b->size);
	return ST_OK;
}

/* The address of a page that may be written from now on, as long as the lock is held. */
static status_t page_own(struct memory *m, uint64_t page, paddr_t *pa)
{
	if (m->kind == MEMORY_DEVICE || m->sealed)
		return ST_BAD_STATE;
	if (m->kind == MEMORY_BLOCK) {
		*pa = m->base + page * FRAME_SIZE;
		return block_zero(m, page + 1) ? ST_OK : ST_LATER;
	}
	status_t st = make_private(m, page, true);
	if (st == ST_OK)
		*pa = slot_at(m, page) & MEMORY_SLOT_FRAME;
	return st;
}

status_t memory_copy_in(const struct cap_ref *by, const struct memory_bytes *b)
{
	struct memory *m = memory_of(by);
	paddr_t pa;

	if (!bytes_ok(m, b))
		return ST_BAD_ARG;
	status_t st = page_own(m, b->offset / FRAME_SIZE, &pa);
	if (st != ST_OK)
		return st;
	if (!cap_still(by))
		return ST_BAD_CAP;
	char *to = arch_phys_to_virt(pa);
	__builtin_memcpy(to + b->offset % FRAME_SIZE, b->bytes, b->size);
	return ST_OK;
}

/* A page that nobody will write, as it is now. A sealed object's slots don't change, so
 * they need no count of their own. */
static status_t pin_constant(struct memory *m, uint64_t page, paddr_t *out)
{
	uint64_t slot = slot_at(m, page);

	if (slot & MEMORY_SLOT_HERE)
		*out = slot & MEMORY_SLOT_FRAME;
	else
		*out = zero_frame;
	return (slot & MEMORY_SLOT_HERE) || m->sealed ? ST_OK : ST_BAD_STATE;
}

status_t memory_pin(struct memory *m, uint64_t page, bool write, paddr_t *out)
{
	uint64_t slot = has_slots(m) ? slot_at(m, page) : 0;
	status_t st;

	if (!is_settled(m, page, 1))
		return ST_LATER;
	if (slot_pins(slot) == UINT64_MAX / MEMORY_SLOT_PIN)
		return ST_NO_QUOTA;
	if (!write && has_slots(m) && (m->sealed || (slot & MEMORY_SLOT_RO)))
		st = pin_constant(m, page, out);
	else if (!write && m->kind == MEMORY_BLOCK && m->sealed)
		st = ST_OK;
	else
		st = page_own(m, page, out);
	if (st != ST_OK)
		return st;
	if (has_slots(m) && !m->sealed) {
		uint64_t skip;
		_Atomic uint64_t *s = slot_find(m, page, &skip);

		slot_store(s, slot_load(s) + MEMORY_SLOT_PIN);
	}
	if (m->kind == MEMORY_BLOCK)
		*out = m->base + page * FRAME_SIZE;
	m->pins++;
	m->writers += write;
	return ST_OK;
}

void memory_unpin(struct memory *m, uint64_t page, bool write)
{
	uint64_t skip;
	_Atomic uint64_t *s = has_slots(m) ? slot_find(m, page, &skip) : NULL;

	ASSERT(m->pins > 0 && m->writers >= write);
	if (s != NULL && slot_pins(slot_load(s)) > 0)
		slot_store(s, slot_load(s) - MEMORY_SLOT_PIN);
	m->pins--;
	m->writers -= write;
}

/* ---- share, seal ---- */

static status_t share_check(const struct memory *to, const struct memory *from)
{
	if (to == from || !has_slots(to) || from->kind == MEMORY_DEVICE)
		return ST_BAD_ARG;
	return to->sealed ? ST_BAD_STATE : ST_OK;
}

/* True if some page of the range can be written through a mapping, and its frame is about to
 * be named by two slots. */
static bool share_must_protect(struct memory *from, uint64_t page, uint64_t count)
{
	if (from->writers == 0 || !has_slots(from) || !is_mapped(from, page, count))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t slot = slot_at(from, page + i);
		if ((slot & MEMORY_SLOT_HERE) && is_alone(slot))
			return true;
	}
	return false;
}

/* What the new slot of one page is to be; ST_NO_MEMORY. *work tells what it cost. */
static status_t share_value(const struct memory *to, uint64_t to_page, struct memory *from,
			    uint64_t page, uint64_t *value)
{
	struct quota *q = to->obj.quota;
	uint64_t slot = has_slots(from) ? slot_at(from, page) : 0;
	paddr_t pa = slot & MEMORY_SLOT_FRAME;
	bool may_join = from->sealed || (slot & MEMORY_SLOT_RO) || slot_pins(slot) == 0;

	if (from->kind == MEMORY_BLOCK) {
		pa = page < from->zeroed ? from->base + page * FRAME_SIZE : zero_frame;
		may_join = pa == zero_frame;
	} else if (!(slot & MEMORY_SLOT_HERE)) {
		status_t st = backing(from, page, &pa);
		if (st != ST_OK)
			return st;
		may_join = pa == zero_frame || from->source->kind != MEMORY_BLOCK;
	}
	paddr_t shows;
	if (may_join && backing(to, to_page, &shows) == ST_OK && shows == pa) {
		*value = 0; /* the page shows that already */
		return ST_OK;
	}
	*value = may_join && pa != zero_frame ? frame_join(pa, q) : frame_copy(pa, q);
	return *value != 0 ? ST_OK : ST_NO_MEMORY;
}

static status_t share_page(const struct memory_share *s, uint64_t i, bool *heavy)
{
	struct memory *to = memory_of(s->to);
	uint64_t value;

	if (slot_at(to, s->to_page + i) != 0)
		return ST_EXISTS;
	status_t st = share_value(to, s->to_page + i, memory_of(s->from), s->from_page + i, &value);
	if (st != ST_OK)
		return st;
	*heavy = value != 0 && is_alone(value);
	if (s->read_only)
		value |= MEMORY_SLOT_RO;
	if (value == 0)
		return ST_OK;
	_Atomic uint64_t *slot = slot_make(to, s->to_page + i);
	if (slot == NULL) {
		if (value & MEMORY_SLOT_HERE)
			frame_leave(value, to->obj.quota);
		return ST_NO_MEMORY;
	}
	slot_store(slot, value);
	to->committed += value & MEMORY_SLOT_HERE;
	return ST_OK;
}

static status_t share_some(const struct memory_share *s, uint64_t count, uint64_t *done)
{
	for (unsigned work = 0; *done < count && work < MEMORY_BATCH; ++*done) {
		bool heavy = false;
		status_t st = share_page(s, *done, &heavy);

		if (st != ST_OK)
			return st;
		work += heavy ? MEMORY_HEAVY : 1;
	}
	return progress(*done, s->count);
}

/* Two objects, in the order of their addresses. */
UNCHECKED_LOCKS static void lock_both(struct memory *a, struct memory *b)
{
	spin_lock(a < b ? &a->obj.lock : &b->obj.lock);
	spin_lock_second(a < b ? &b->obj.lock : &a->obj.lock);
}

/* transit of one of two locked objects, which are locked again on return. */
UNCHECKED_LOCKS static status_t transit_of(struct memory *m, struct memory *other,
					   const struct memory_share *s, uint64_t count)
{
	bool is_target = m == memory_of(s->to);

	spin_unlock(&other->obj.lock);
	status_t st = transit(m, is_target ? s->to_page : s->from_page, count,
			      is_target ? 0 : ARCH_READ | ARCH_EXEC);
	spin_unlock(&m->obj.lock);
	lock_both(m, other);
	return st;
}

status_t memory_share(const struct memory_share *s, uint64_t *done)
{
	struct memory *to = memory_of(s->to);
	struct memory *from = memory_of(s->from);
	uint64_t n = s->count < MEMORY_BATCH ? s->count : MEMORY_BATCH;

	*done = 0;
	status_t st = share_check(to, from);
	if (st != ST_OK || n == 0)
		return st;
	if (!is_settled(to, s->to_page, n) || !is_settled(from, s->from_page, n))
		return ST_LATER;

	/* The target's pages may be mapped as what they show without a slot. */
	bool clear = to->lent && is_mapped(to, s->to_page, n);
	if (clear)
		st = transit_of(to, from, s, n);
	if (st != ST_OK)
		return st;
	bool protect = share_must_protect(from, s->from_page, n);
	if (protect)
		st = transit_of(from, to, s, n);
	if (st == ST_OK) {
		if ((clear || protect) && !(cap_still(s->to) && cap_still(s->from)))
			st = ST_BAD_CAP;
		else if (!is_settled(from, s->from_page, n) && !protect)
			st = ST_LATER;
		else
			st = share_some(s, n, done);
		if (protect)
			transit_end(from);
	}
	if (clear)
		transit_end(to);
	return st;
}

status_t memory_seal(struct memory *m)
{
	if (m->kind != MEMORY_ANON && m->kind != MEMORY_BLOCK)
		return ST_BAD_STATE;
	if (!is_settled(m, 0, m->pages))
		return ST_LATER;
	if (m->writers > 0)
		return ST_BAD_STATE;
	if (m->kind == MEMORY_BLOCK && !block_zero(m, m->pages))
		return ST_LATER;
	m->sealed = true;
	return ST_OK;
}

/* ---- life ---- */

static struct memory *memory_alloc(struct quota *q, uint64_t pages, enum memory_kind kind)
{
	struct object *o = object_create(q, OBJ_MEMORY);

	if (o == NULL)
		return NULL;
	struct memory *m = container_of(o, struct memory, obj);
	m->kind = (uint8_t)kind;
	m->pages = pages;
	if (pages > MEMORY_FEW && (kind == MEMORY_ANON || kind == MEMORY_VIEW)) {
		while (level_pages(m->levels) < pages)
			m->levels++;
	}
	return m;
}

static bool block_alloc(struct memory *m, bool below_4g)
{
	uint64_t bytes;

	while (level_pages(0) << m->order < m->pages)
		m->order++;
	bytes = FRAME_SIZE << m->order;
	if (!quota_charge(m->obj.quota, bytes))
		return false;
	if (frame_alloc(m->order, below_4g ? FRAME_BELOW_4G : FRAME_ANY, &m->base))
		return true;
	quota_refund(m->obj.quota, bytes);
	return false;
}

status_t memory_create(struct quota *q, uint64_t pages, enum memory_kind kind, bool below_4g,
		       struct memory **out)
{
	if (pages == 0 || (kind != MEMORY_ANON && kind != MEMORY_BLOCK))
		return ST_BAD_ARG;
	if (pages > (kind == MEMORY_BLOCK ? 1ull << FRAME_ORDER_MAX : MEMORY_PAGES_MAX))
		return ST_TOO_BIG;
	struct memory *m = memory_alloc(q, pages, kind);
	if (m == NULL)
		return ST_NO_MEMORY;
	if (kind == MEMORY_BLOCK && !block_alloc(m, below_4g)) {
		object_discard(&m->obj);
		return ST_NO_MEMORY;
	}
	*out = m;
	return ST_OK;
}

status_t memory_create_device(struct quota *q, paddr_t base, uint64_t pages, struct memory **out)
{
	const uint64_t end = MEMORY_SLOT_FRAME + FRAME_SIZE;

	if (pages == 0 || base % FRAME_SIZE != 0 || base >= end ||
	    pages > (end - base) / FRAME_SIZE)
		return ST_BAD_ARG;
	struct memory *m = memory_alloc(q, pages, MEMORY_DEVICE);
	if (m == NULL)
		return ST_NO_MEMORY;
	m->base = base;
	*out = m;
	return ST_OK;
}

/* Fills in what the view shows; its capability may have gone again. */
UNCHECKED_LOCKS static status_t view_attach(struct memory *view)
{
	struct object *o = cap_binding_lock(&view->target);

	if (o == NULL)
		return ST_BAD_CAP;
	struct memory *sealed = container_of(o, struct memory, obj);
	bool ok = sealed->sealed;
	if (ok) {
		view->source = sealed;
		view->pages = range_of(sealed, view->target.badge, &view->first);
	}
	spin_unlock(&o->lock);
	return ok ? ST_OK : ST_BAD_STATE;
}

status_t memory_create_view(struct quota *q, const struct cap_ref *sealed, struct memory **out)
{
	struct memory *m = memory_alloc(q, 1, MEMORY_VIEW);

	if (m == NULL)
		return ST_NO_MEMORY;
	status_t st = cap_bind(sealed, &m->obj, m->obj.gen, BIND_VIEW_TARGET, &m->target);
	if (st == ST_OK)
		st = view_attach(m);
	if (st != ST_OK) {
		object_discard(&m->obj);
		return st;
	}
	while (m->pages > MEMORY_FEW && level_pages(m->levels) < m->pages)
		m->levels++;
	*out = m;
	return ST_OK;
}

bool memory_cut(struct cap_slot *binding)
{
	struct memory *view = container_of(binding, struct memory, target);

	spin_lock(&view->obj.lock);
	view->cut = true;
	status_t st = transit(view, 0, view->pages, 0);
	if (st == ST_OK)
		transit_end(view);
	spin_unlock(&view->obj.lock);
	return st == ST_OK;
}

/* Lets go of all below an entry, from the cursor on; false when the budget ends first. */
static bool entry_clear(struct memory *m, _Atomic uint64_t *entry, unsigned level, uint64_t base,
			unsigned *budget)
{
	paddr_t node = slot_load(entry);

	if (*budget <= MEMORY_HEAVY)
		return false;
	*budget -= node == 0 ? 1 : MEMORY_HEAVY;
	if (level == 0)
		slot_clear(m, entry);
	if (level == 0 || node == 0) {
		m->cursor = base + level_pages(level);
		return true;
	}
	const uint64_t step = level_pages(level - 1);
	_Atomic uint64_t *table = arch_phys_to_virt(node);
	while (m->cursor < base + level_pages(level) && m->cursor < m->pages) {
		uint64_t i = (m->cursor - base) / step;
		if (!entry_clear(m, &table[i], level - 1, base + i * step, budget))
			return false;
	}
	quota_frame_free(m->obj.quota, node);
	slot_store(entry, 0);
	return true;
}

static bool slots_clear(struct memory *m)
{
	unsigned budget = MEMORY_WALK;

	if (m->levels > 0)
		return entry_clear(m, &m->slot[0], m->levels, 0, &budget);
	for (uint64_t i = 0; i < MEMORY_FEW; i++)
		slot_clear(m, &m->slot[i]);
	return true;
}

/* Mappings and bindings were swept; so what is running is none of ours, or about to end. */
static bool memory_close(struct object *o)
{
	struct memory *m = container_of(o, struct memory, obj);

	spin_lock(&o->lock);
	bool done = !m->transit.running && (!has_slots(m) || slots_clear(m));
	spin_unlock(&o->lock);
	if (!done)
		return false;
	ASSERT(m->mappings.root == NULL && m->pins == 0);
	if (m->kind == MEMORY_BLOCK && m->base != 0) {
		frame_free(m->base, m->order);
		quota_refund(o->quota, FRAME_SIZE << m->order);
	}
	return m->kind != MEMORY_VIEW || cap_unbind(&m->target);
}

const struct object_ops memory_ops = {
	.name = "memory",
	.size = ALIGN_UP(sizeof(struct memory), OBJECT_GRANULE),
	.rank = LOCK_MEMORY,
	.close = memory_close,
};

/* ---- for tests ---- */

/* The books of one slot, whose object is locked. */
static bool slot_ok(const struct memory *m, uint64_t slot)
{
	if (!(slot & MEMORY_SLOT_HERE))
		return (slot & ~MEMORY_SLOT_RO) == 0;
	const struct frame *f = frame_of(slot & MEMORY_SLOT_FRAME);
	uint64_t uses = f->uses;
	bool payer = slot & MEMORY_SLOT_PAYER;

	if (f->state != FRAME_USED || (uint32_t)uses == 0 || uses >> 32 > (uint32_t)uses)
		return false;
	if (payer && (uses < USES_PAYER || f->payer != object_id(&m->obj.quota->obj)))
		return false;
	return slot_pins(slot) == 0 || m->sealed || (slot & MEMORY_SLOT_RO) || (uint32_t)uses == 1;
}

/* A translation shows what the page holds, and allows writing only to whom it belongs. */
static bool translation_ok(struct memory *m, const struct mapping *map, uint64_t page)
{
	vaddr_t va = map->base + (page - map->first) * FRAME_SIZE;
	uint64_t slot = has_slots(m) ? slot_at(m, page) : 0;
	paddr_t pa = has_slots(m) ? slot & MEMORY_SLOT_FRAME : m->base + page * FRAME_SIZE;
	struct pagetable_page e;

	if (!pagetable_find(&map->aspace->table, va, &e))
		return true;
	if (has_slots(m) && !(slot & MEMORY_SLOT_HERE) &&
	    (!m->lent || backing(m, page, &pa) != ST_OK))
		return false;
	if (e.pa + (va - e.va) != pa)
		return false;
	if (!(e.access & ARCH_WRITE))
		return true;
	return map->writer && !m->sealed &&
	       (!has_slots(m) ||
		((slot & MEMORY_SLOT_HERE) && !(slot & MEMORY_SLOT_RO) && is_alone(slot)));
}

bool memory_ok(struct memory *m)
{
	uint64_t committed = 0, pins = 0, writers = 0, skip = 1;

	if (!tree_ok(&m->mappings))
		return false;
	for (uint64_t page = 0; has_slots(m) && page < m->pages; page += skip) {
		const _Atomic uint64_t *slot = slot_find(m, page, &skip);
		if (slot == NULL)
			continue;
		skip = 1;
		if (!slot_ok(m, *slot))
			return false;
		committed += *slot & MEMORY_SLOT_HERE;
		pins += slot_pins(*slot);
	}
	for (struct tree_node *n = tree_first(&m->mappings); n != NULL; n = tree_next(n)) {
		const struct mapping *map = mapping_of(n);

		if (map->memory != m || map->first + map->pages > m->pages)
			return false;
		for (uint64_t i = 0; i < map->pages && m->transit.count == 0; i++) {
			if (!translation_ok(m, map, map->first + i))
				return false;
		}
		writers += map->writer;
	}
	return committed == m->committed && pins <= m->pins && writers <= m->writers &&
	       m->writers <= writers + m->pins && !(m->sealed && m->writers > 0);
}
