/* SPDX-License-Identifier: MIT */
#include <core/memory.h>
#include <core/aspace.h>
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

static uint64_t slot_pins(uint64_t slot)
{
	return slot / MEMORY_SLOT_PIN;
}

/* No other slot names the frame. That of a pinned slot was made so, and stays so; devices may hold
 * it besides. */
static bool is_alone(uint64_t slot)
{
	return slot_pins(slot) > 0 || (uint32_t)frame_of(slot & MEMORY_SLOT_FRAME)->uses == 1;
}

/* A frame, or more, with whatever its last owner left, for one slot of `q`: 0 if there is none. */
static uint64_t frame_take(struct quota *q, unsigned order, enum frame_want want)
{
	paddr_t pa;

	if (!quota_frame_take(q, order, want, &pa))
		return 0;
	atomic_store_explicit(&frame_of(pa)->uses, USES_PAYER + 1, memory_order_relaxed);
	return pa | MEMORY_SLOT_HERE | MEMORY_SLOT_PAYER;
}

/* One more slot, of `q`, for a frame that cannot go meanwhile: 0 if `q` can't pay, or if the
 * count is full but for those whom other CPUs may be adding. */
static uint64_t frame_join(paddr_t pa, struct quota *q)
{
	struct frame *f = frame_of(pa);
	uint64_t uses = f->uses;
	bool payer = f->payer == object_id(&q->obj);
	bool charged = false;

	if ((uint32_t)uses > UINT32_MAX - CPU_MAX)
		return 0;
	do {
		if (uses < USES_PAYER)
			payer = false;
		if (!payer && !charged && !quota_charge(q, FRAME_SIZE << f->order))
			return 0;
		charged = !payer;
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
	uint64_t bytes = FRAME_SIZE << frame_of(pa)->order;
	uint64_t left = atomic_fetch_sub(&frame_of(pa)->uses, change) - change;

	if ((uint32_t)left == 0)
		quota_frame_free(q, pa);
	else if (!payer || left < USES_PAYER)
		quota_refund(q, bytes);
}

/* ---- slots ---- */

/* Pages that one entry of a node of `level` stands for; 0: it is a slot. */
static uint64_t level_pages(unsigned level)
{
	return 1ull << (NODE_BITS * level);
}

/* The slot of `page`. NULL: it has none, nor have the others of its node; or, with `make`,
 * there is no memory for the nodes on the way. */
static _Atomic uint64_t *slot_find(struct memory *m, uint64_t page, bool make)
{
	_Atomic uint64_t *entry = &m->slot[m->levels == 0 ? page : 0];

	for (unsigned level = m->levels; level > 0; level--) {
		paddr_t node = *entry;

		if (node == 0) {
			if (!make || !quota_frame_alloc(m->obj.quota, &node))
				return NULL;
			STORE(*entry, node);
		}
		entry = arch_phys_to_virt(node);
		entry += page >> (NODE_BITS * (level - 1)) & NODE_MASK;
	}
	return entry;
}

static uint64_t slot_at(struct memory *m, uint64_t page)
{
	const _Atomic uint64_t *slot = slot_find(m, page, false);

	return slot != NULL ? *slot : 0;
}

static void slot_clear(struct memory *m, _Atomic uint64_t *slot)
{
	uint64_t old = *slot;

	STORE(*slot, 0);
	if (old & MEMORY_SLOT_HERE)
		frame_leave(old, m->obj.quota);
}

static bool has_slots(const struct memory *m)
{
	return m->kind == MEMORY_ANON || m->kind == MEMORY_VIEW;
}

/* The frame that has what `page` holds if it has no slot. Of a view's object only what is sealed
 * is read. */
static status_t page_below(struct memory *m, uint64_t page, paddr_t *pa)
{
	uint64_t slot = 0;

	if (m->kind == MEMORY_VIEW) {
		if (m->cut)
			return ST_PEER_GONE;
		page += m->first;
		m = m->source;
		slot = has_slots(m) ? slot_at(m, page) : 0;
	}
	*pa = m->kind == MEMORY_BLOCK && page < m->zeroed ? m->base + page * FRAME_SIZE
							  : zero_frame;
	if (slot & MEMORY_SLOT_HERE)
		*pa = slot & MEMORY_SLOT_FRAME;
	return ST_OK;
}

/* The frame that has what `page` holds now; *slot is its own, if it names that. */
static status_t page_shown(struct memory *m, uint64_t page, uint64_t *slot, paddr_t *pa)
{
	*slot = has_slots(m) ? slot_at(m, page) : 0;
	*pa = *slot & MEMORY_SLOT_FRAME;
	return *slot & MEMORY_SLOT_HERE ? ST_OK : page_below(m, page, pa);
}

/* A frame of its own for `q` with what `from` holds: 0 if there is none. */
static uint64_t frame_copy(paddr_t from, struct quota *q)
{
	uint64_t slot = frame_take(q, 0, FRAME_ANY);
	paddr_t to = slot & MEMORY_SLOT_FRAME;

	if (slot != 0 && from == zero_frame)
		frame_zero(to, 0);
	else if (slot != 0)
		__builtin_memcpy(arch_phys_to_virt(to), arch_phys_to_virt(from), FRAME_SIZE);
	return slot;
}

/* ---- transitions ---- */

static struct mapping *mapping_of(struct tree_node *n)
{
	return n != NULL ? container_of(n, struct mapping, pagewise) : NULL;
}

/* The first mapping that has some of the pages. */
static struct mapping *mapping_in(const struct memory *m, uint64_t page, uint64_t count)
{
	return mapping_of(tree_overlap(&m->mappings, page, page + count - 1));
}

/* True if this very transition is what the object is waiting to go on with. */
static bool transit_waits(const struct memory *m, uint64_t page, uint64_t count,
			  enum memory_transit kind)
{
	return !m->transit.running && m->transit.page == page && m->transit.count == count &&
	       m->transit.kind == kind;
}

/* True if some of the pages are in transition. One that nobody is at is given up in the end:
 * whoever began it comes back soon, or never; so many may find it in their way first. */
static bool is_in_transit(struct memory *m, uint64_t page, uint64_t count)
{
	if (m->transit.count == 0 || page >= m->transit.page + m->transit.count ||
	    page + count <= m->transit.page)
		return false;
	if (m->transit.running || ++m->transit.visits < MEMORY_PATIENCE)
		return true;
	m->transit.count = 0;
	return false;
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
static unsigned transit_step(struct memory *m, unsigned budget) REQUIRES(m->obj.lock)
{
	struct mapping *map = m->transit.next;
	struct pagetable *table = &map->aspace->table;
	uint64_t end = least(m->transit.page + m->transit.count, map->first + map->pages);
	uint64_t from = least(most(m->transit.at, map->first), end); /* it may have been split */
	vaddr_t va = map->base + (from - map->first) * FRAME_SIZE;
	struct pagetable_cut cut UNINITIALIZED;

	pagetable_cut_init(&cut, table, budget);
	unsigned keep = m->transit.kind == TRANSIT_SHARE ? ARCH_READ | ARCH_EXEC : 0;
	uint64_t n = pagetable_restrict(table, va, end - from, keep, &cut);
	if (map->busy)
		tlb_batch_add(&cut.flush, va, n * FRAME_SIZE);
	m->transit.at = from + n;
	if (m->transit.at >= end)
		transit_advance(m);
	if (cut.flush.count > 0) {
		uint64_t where = pagetable_flush_begin(table);
		spin_unlock(&m->obj.lock);
		pagetable_flush(&cut, where);
		spin_lock(&m->obj.lock);
	}
	return cut.budget > 2 * MEMORY_HEAVY ? cut.budget - 2 * MEMORY_HEAVY : 0;
}

/* Takes access to the pages away on every CPU, all or, to share them, that of writing. The
 * object's lock is let go while CPUs are waited for. ST_OK: the pages stay in transition
 * until transit_end. ST_LATER: look at everything again and come back. */
UNCHECKED_LOCKS static status_t transit(struct memory *m, uint64_t page, uint64_t count,
					enum memory_transit kind)
{
	unsigned budget = MEMORY_WALK;

	if (!transit_waits(m, page, count, kind)) {
		if (is_in_transit(m, 0, m->pages))
			return ST_LATER;
		m->transit.page = page;
		m->transit.count = count;
		m->transit.kind = (uint8_t)kind;
		m->transit.at = page;
		m->transit.next = mapping_in(m, page, count);
	}
	if (kind == TRANSIT_SHARE && m->writers == 0)
		m->transit.next = NULL; /* nothing to take */
	m->transit.visits = 0;
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
	uint64_t old;
	paddr_t from;
	status_t st = page_shown(m, page, &old, &from);

	if (st != ST_OK || ((old & MEMORY_SLOT_HERE) && is_alone(old)))
		return st; /* the others have left meanwhile */
	uint64_t new = frame_copy(from, m->obj.quota);
	if (new == 0)
		return ST_NO_MEMORY;
	STORE(*slot, new);
	if (old & MEMORY_SLOT_HERE)
		frame_leave(old, m->obj.quota);
	return ST_OK;
}

/* Makes the slot of `page` name a frame that no other slot names. Who has had to let go of the
 * lock for that answers ST_LATER: all is to be looked at again. */
static status_t make_private(struct memory *m, uint64_t page)
{
	if (m->sealed)
		return ST_BAD_STATE;
	bool waits = transit_waits(m, page, 1, TRANSIT_REPLACE);
	if (!waits && is_in_transit(m, page, 1))
		return ST_LATER;
	_Atomic uint64_t *slot = slot_find(m, page, true);
	if (slot == NULL)
		return ST_NO_MEMORY;
	uint64_t old = *slot;
	if (old & MEMORY_SLOT_RO)
		return ST_NO_RIGHT;
	bool here = old & MEMORY_SLOT_HERE;
	if ((here && is_alone(old)) || !(here || m->lent) || mapping_in(m, page, 1) == NULL) {
		if (waits)
			m->transit.count = 0; /* begun, and not needed any more */
		return slot_replace(m, page, slot);
	}
	status_t st = transit(m, page, 1, TRANSIT_REPLACE);
	if (st != ST_OK)
		return st;
	st = slot_replace(m, page, slot);
	transit_end(m);
	return st == ST_OK ? ST_LATER : st;
}

/* Zeroes more of a BLOCK; true when nothing is left to do. */
static bool block_zero(struct memory *m)
{
	for (unsigned n = 0; n < MEMORY_BATCH / MEMORY_HEAVY && m->zeroed < m->pages; n++)
		frame_zero(m->base + m->zeroed++ * FRAME_SIZE, 0);
	return m->zeroed == m->pages;
}

/* ---- faults ---- */

/* True if programs may use it as a device's: neither RAM nor the kernel's own. */
static bool is_device(paddr_t pa, uint64_t size)
{
	return !frame_exists_in(pa, size) && !arch_device_is_taken(pa, size);
}

/* The largest page, around `page`, that the frames allow. */
static unsigned largest_level(const struct memory *m, uint64_t page)
{
	for (unsigned level = 2; level > 0; level--) {
		uint64_t span = pagetable_span(level);
		paddr_t pa = ALIGN_DOWN(m->base + page * FRAME_SIZE, span);

		if (pa >= m->base && pa + span <= m->base + m->pages * FRAME_SIZE &&
		    (m->kind != MEMORY_DEVICE || is_device(pa, span)))
			return level;
	}
	return 0;
}

static status_t look_contiguous(struct memory *m, uint64_t page, struct pagetable_page *out)
{
	out->pa = m->base + page * FRAME_SIZE;
	out->access = ARCH_READ | ARCH_WRITE | ARCH_DEVICE;
	if (m->kind == MEMORY_DEVICE && !is_device(out->pa, FRAME_SIZE))
		return ST_BAD_ADDRESS;
	if (m->kind == MEMORY_BLOCK) {
		out->access = ARCH_READ | ARCH_EXEC | (m->sealed ? 0 : ARCH_WRITE);
		if (!block_zero(m))
			return ST_LATER;
	}
	out->level = largest_level(m, page);
	return ST_OK;
}

status_t memory_look(struct memory *m, uint64_t page, bool write, struct pagetable_page *out)
{
	status_t st = ST_OK;
	uint64_t slot;

	if (!has_slots(m))
		return look_contiguous(m, page, out);
	if (write)
		st = make_private(m, page);
	else if (is_in_transit(m, page, 1))
		st = ST_LATER;
	if (st == ST_OK)
		st = page_shown(m, page, &slot, &out->pa);
	if (st != ST_OK)
		return st;
	out->level = 0;
	out->access = ARCH_READ | ARCH_EXEC;
	if (!(slot & MEMORY_SLOT_HERE))
		m->lent = true;
	else if (!m->sealed && !(slot & MEMORY_SLOT_RO) && is_alone(slot))
		out->access |= ARCH_WRITE;
	return ST_OK;
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
		*done = block_zero(m) ? count : 0;
		return progress(*done, count);
	}
	if (!has_slots(m) || m->sealed)
		return ST_BAD_STATE;
	for (unsigned work = 0; *done < count && work < MEMORY_BATCH; work++) {
		if (!(slot_at(m, page + *done) & (MEMORY_SLOT_HERE | MEMORY_SLOT_RO))) {
			status_t st = make_private(m, page + *done);
			if (st != ST_OK)
				return st;
			work += MEMORY_HEAVY;
		}
		++*done;
	}
	return progress(*done, count);
}

status_t memory_decommit(const struct cap_ref *by, uint64_t page, uint64_t count, uint64_t *done)
{
	struct memory *m = memory_of(by);
	uint64_t any = 0;

	*done = 0;
	if (!has_slots(m) || m->sealed)
		return ST_BAD_STATE;
	for (unsigned i = 0; i < MEMORY_BATCH && *done < count; i++) {
		if (slot_find(m, page + *done, false) != NULL)
			break;
		*done += level_pages(1) - ((page + *done) & NODE_MASK); /* no node, no slots */
	}
	*done = least(*done, count);
	if (*done > 0 || count == 0)
		return progress(*done, count);
	uint64_t n = least(count, MEMORY_BATCH);
	for (uint64_t i = 0; i < n; i++) {
		any |= slot_at(m, page + i);
		if (slot_pins(any) > 0)
			return ST_BAD_STATE;
	}
	status_t st = transit(m, page, n, TRANSIT_DECOMMIT);
	if (st != ST_OK)
		return st;
	bool still = cap_still(by);
	for (uint64_t i = 0; still && i < n; i++) {
		_Atomic uint64_t *slot = slot_find(m, page + i, false);
		if (slot != NULL)
			slot_clear(m, slot);
	}
	transit_end(m);
	if (!still)
		return ST_BAD_CAP;
	*done = n;
	return progress(n, count);
}

/* The address of a page that may be written from now on, as long as the lock is held. */
static status_t page_own(struct memory *m, uint64_t page, paddr_t *pa)
{
	if (m->kind == MEMORY_DEVICE || m->sealed)
		return ST_BAD_STATE;
	if (m->kind == MEMORY_BLOCK) {
		*pa = m->base + page * FRAME_SIZE;
		return block_zero(m) ? ST_OK : ST_LATER;
	}
	status_t st = make_private(m, page);
	if (st == ST_OK)
		*pa = slot_at(m, page) & MEMORY_SLOT_FRAME;
	return st;
}

status_t memory_copy(struct memory *m, uint64_t offset, void *bytes, size_t size, bool out)
{
	uint64_t page = offset / FRAME_SIZE, in_page = offset % FRAME_SIZE;
	uint64_t slot;
	paddr_t pa;

	if (size > FRAME_SIZE - in_page || page >= m->pages)
		return ST_BAD_ARG;
	if (m->kind == MEMORY_DEVICE)
		return ST_BAD_STATE;
	status_t st = out ? page_shown(m, page, &slot, &pa) : page_own(m, page, &pa);
	if (st != ST_OK)
		return st;
	char *at = (char *)arch_phys_to_virt(pa) + in_page;
	__builtin_memcpy(out ? bytes : at, out ? at : bytes, size);
	return ST_OK;
}

status_t memory_pin(struct memory *m, uint64_t page, paddr_t *out)
{
	status_t st = page_own(m, page, out);

	if (st != ST_OK)
		return st;
	if (has_slots(m)) {
		_Atomic uint64_t *slot = slot_find(m, page, false);

		if (slot_pins(*slot) == UINT64_MAX / MEMORY_SLOT_PIN)
			return ST_NO_QUOTA;
		STORE(*slot, *slot + MEMORY_SLOT_PIN);
	}
	m->writers++;
	return ST_OK;
}

void memory_unpin(struct memory *m, uint64_t page)
{
	ASSERT(m->writers > 0);
	if (has_slots(m)) {
		_Atomic uint64_t *slot = slot_find(m, page, false);

		STORE(*slot, *slot - MEMORY_SLOT_PIN);
	}
	m->writers--;
}

status_t memory_hold(struct memory *m, uint64_t page, struct quota *q, struct memory_hold *h)
{
	status_t st = memory_pin(m, page, &h->pa);

	if (st != ST_OK)
		return st;
	h->frame = frame_join(m->kind == MEMORY_BLOCK ? m->base : h->pa, q);
	if (h->frame == 0) {
		memory_unpin(m, page);
		return ST_NO_MEMORY;
	}
	STORE(h->memory, m);
	tree_insert(&m->holds, &h->node, page, page);
	return ST_OK;
}

static void hold_forget(struct memory *m, struct memory_hold *h)
{
	memory_unpin(m, h->node.key);
	tree_remove(&m->holds, &h->node);
	STORE(h->memory, NULL);
}

UNCHECKED_LOCKS void memory_let_go(struct memory_hold *h, struct quota *q)
{
	struct memory *m = LOAD(h->memory); /* its slot stays one until we leave the kernel */

	if (m != NULL) {
		spin_lock(&m->obj.lock);
		if (h->memory == m)
			hold_forget(m, h);
		spin_unlock(&m->obj.lock);
	}
	if (h->frame != 0)
		frame_leave(h->frame, q);
	h->frame = 0;
}

/* ---- share, seal ---- */

/* One side of a share. */
struct side {
	const struct cap_ref *ref;
	uint64_t page; /* of the object */
	enum memory_transit kind;
	bool began; /* the pages are in transition for us */
};

/* Puts the pages of one side in transition: nobody can write what is shared, nor sees what it
 * comes in place of. What is sealed, or has no slots, never needs that. */
UNCHECKED_LOCKS static status_t side_begin(struct side *p, uint64_t count)
{
	struct memory *m = memory_of(p->ref);
	bool receives = p->kind == TRANSIT_RECEIVE;
	status_t st = cap_ref_lock(p->ref);

	if (st != ST_OK)
		return st;
	if (!memory_range(m, p->ref->badge, &p->page, count) || m->kind == MEMORY_DEVICE ||
	    (receives && !has_slots(m))) {
		st = ST_BAD_ARG;
	} else if (receives && m->sealed) {
		st = ST_BAD_STATE;
	} else if (count > 0 && has_slots(m) && !m->sealed) {
		st = transit(m, p->page, least(count, MEMORY_BATCH), p->kind);
		p->began = st == ST_OK;
	}
	spin_unlock(&m->obj.lock);
	return st;
}

/* The side is locked. With `waits` the pages stay as they are until the call comes back. */
UNCHECKED_LOCKS static void side_end(struct side *p, bool waits)
{
	struct memory *m = memory_of(p->ref);

	if (p->began && waits)
		m->transit.running = false;
	else if (p->began)
		transit_end(m);
	spin_unlock(&m->obj.lock);
}

/* Shares the next page. Frames that no slot names (of a BLOCK, or the one of zeros) are copied, and
 * so is what may be written at any time. */
static status_t share_page(struct side *into, struct side *of, bool read_only, unsigned *work)
{
	struct memory *to = memory_of(into->ref), *from = memory_of(of->ref);
	uint64_t page = into->page++, value = 0, source;
	_Atomic uint64_t *slot = slot_find(to, page, false);
	paddr_t shows, pa;

	if (slot != NULL && *slot != 0)
		return ST_EXISTS;
	if (page_below(to, page, &shows) != ST_OK)
		shows = 0;
	status_t st = page_shown(from, of->page++, &source, &pa);
	if (st != ST_OK)
		return st;
	bool counted = (source & MEMORY_SLOT_HERE) ||
		       (from->kind == MEMORY_VIEW && from->source->kind == MEMORY_ANON &&
			pa != zero_frame);
	bool constant = slot_pins(source) == 0;
	/* It may show that already. */
	if (!constant || !(counted || pa == zero_frame) || shows != pa) {
		value = constant && counted ? frame_join(pa, to->obj.quota)
					    : frame_copy(pa, to->obj.quota);
		if (value == 0)
			return ST_NO_MEMORY;
	}
	*work += value != 0 && is_alone(value) ? MEMORY_HEAVY : 1;
	if (read_only)
		value |= MEMORY_SLOT_RO;
	if (value == 0)
		return ST_OK;
	if (slot == NULL)
		slot = slot_find(to, page, true);
	if (slot != NULL)
		STORE(*slot, value);
	else if (value & MEMORY_SLOT_HERE)
		frame_leave(value, to->obj.quota);
	return slot != NULL ? ST_OK : ST_NO_MEMORY;
}

/* Shares some pages, all of which are in transition. */
static status_t share_some(const struct memory_share *s, struct side *to, struct side *from,
			   uint64_t *done)
{
	uint64_t count = least(s->count, MEMORY_BATCH);

	if (!cap_still(s->to) || !cap_still(s->from))
		return ST_BAD_CAP;
	for (unsigned work = 0; *done < count && work < MEMORY_BATCH; ++*done) {
		status_t st = share_page(to, from, s->read_only, &work);

		if (st != ST_OK)
			return st;
	}
	return progress(*done, s->count);
}

UNCHECKED_LOCKS status_t memory_share(const struct memory_share *s, uint64_t *done)
{
	struct side to = { s->to, s->to_page, TRANSIT_RECEIVE, false };
	struct side from = { s->from, s->from_page, TRANSIT_SHARE, false };
	bool swap = s->to->object > s->from->object;
	struct side *first = swap ? &from : &to, *second = swap ? &to : &from;

	*done = 0;
	if (s->to->object == s->from->object)
		return ST_BAD_ARG;
	status_t st = side_begin(first, s->count);
	if (st == ST_OK)
		st = side_begin(second, s->count);
	bool waits = st == ST_LATER;
	spin_lock(&first->ref->object->lock);
	spin_lock_second(&second->ref->object->lock);
	if (st == ST_OK)
		st = share_some(s, &to, &from, done);
	side_end(first, waits);
	side_end(second, waits);
	return st;
}

status_t memory_seal(struct memory *m)
{
	if (m->kind != MEMORY_ANON && m->kind != MEMORY_BLOCK)
		return ST_BAD_STATE;
	if (is_in_transit(m, 0, m->pages))
		return ST_LATER;
	if (m->writers > 0)
		return ST_BAD_STATE;
	if (m->kind == MEMORY_BLOCK && !block_zero(m))
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
	while (has_slots(m) && pages > MEMORY_FEW && level_pages(m->levels) < pages)
		m->levels++;
	return m;
}

status_t memory_create(struct quota *q, uint64_t pages, uint64_t flags, struct memory **out)
{
	enum memory_kind kind = flags & MEMORY_CONTIGUOUS ? MEMORY_BLOCK : MEMORY_ANON;
	enum frame_want want = flags & MEMORY_BELOW_4G ? FRAME_BELOW_4G : FRAME_ANY;
	unsigned order = 0;

	if (pages == 0 || flags == MEMORY_BELOW_4G ||
	    (flags & ~(uint64_t)(MEMORY_CONTIGUOUS | MEMORY_BELOW_4G)))
		return ST_BAD_ARG;
	if (pages > (kind == MEMORY_BLOCK ? 1ull << FRAME_ORDER_MAX : MEMORY_PAGES_MAX))
		return ST_TOO_BIG;
	struct memory *m = memory_alloc(q, pages, kind);
	if (m == NULL)
		return ST_NO_MEMORY;
	while (kind == MEMORY_BLOCK && 1ull << order < pages)
		order++;
	if (kind == MEMORY_BLOCK)
		m->base = frame_take(q, order, want) & MEMORY_SLOT_FRAME;
	if (kind == MEMORY_BLOCK && m->base == 0) {
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

UNCHECKED_LOCKS status_t memory_create_view(struct quota *q, const struct cap_ref *sealed,
					    struct memory **out)
{
	struct memory *source = memory_of(sealed);
	uint64_t first, none = 0;
	uint64_t pages = range_of(source, sealed->badge, &first);
	struct memory *m = memory_alloc(q, pages, MEMORY_VIEW);

	if (m == NULL)
		return ST_NO_MEMORY;
	m->source = source;
	m->first = first;
	status_t st = cap_ref_lock(sealed);
	if (st == ST_OK) {
		/* A capability may name pages that there are not. */
		if (!memory_range(source, sealed->badge, &none, 0))
			st = ST_BAD_ARG;
		else if (!source->sealed)
			st = ST_BAD_STATE;
		spin_unlock(&source->obj.lock);
	}
	if (st == ST_OK)
		st = cap_bind(sealed, &m->obj, m->obj.gen, BIND_VIEW_TARGET, &m->target);
	if (st != ST_OK) {
		object_discard(&m->obj);
		return st;
	}
	*out = m;
	return ST_OK;
}

bool memory_cut(struct cap_slot *binding)
{
	struct memory *view = container_of(binding, struct memory, target);

	spin_lock(&view->obj.lock);
	view->cut = true;
	status_t st = transit(view, 0, view->pages, TRANSIT_CUT);
	if (st == ST_OK)
		transit_end(view);
	spin_unlock(&view->obj.lock);
	return st == ST_OK;
}

/* Lets go of all below an entry, from the cursor on; false when the budget ends first. */
static bool entry_clear(struct memory *m, _Atomic uint64_t *entry, unsigned level, uint64_t base,
			unsigned *budget)
{
	paddr_t node = *entry;

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
	STORE(*entry, 0);
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
	bool held = m->holds.root != NULL; /* what devices hold is theirs alone from now on */
	if (held)
		hold_forget(m, container_of(tree_first(&m->holds), struct memory_hold, node));
	bool done = !held && !m->transit.running && (!has_slots(m) || slots_clear(m));
	spin_unlock(&o->lock);
	if (!done)
		return false;
	ASSERT(m->mappings.root == NULL && m->writers == 0);
	if (m->kind == MEMORY_BLOCK && m->base != 0)
		frame_leave(m->base | MEMORY_SLOT_PAYER, o->quota);
	return m->kind != MEMORY_VIEW || cap_unbind(&m->target);
}

const struct object_ops memory_ops = OBJECT_OPS("memory", struct memory, LOCK_MEMORY, memory_close);
