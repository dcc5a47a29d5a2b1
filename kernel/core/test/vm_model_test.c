/* SPDX-License-Identifier: MIT */
/* Random calls on memory objects and address spaces, compared after each with a small
 * specification that says what every page holds, which frame has it, who pays for that,
 * and what every address shows. It knows no page tables, no transitions and no TLB. */
#include "chance.h"
#include "vm.h"
#include <core/assert.h>
#include <test/test.h>
#include <string.h>

#define OBJECTS 7
#define PAGES   40 /* of the largest; fewer than MEMORY_BATCH, so that calls are whole */
#define CAPS    3  /* of each object: the first, and two derived from it */
#define SPACES  3
#define WINDOW  64 /* pages of each space */
#define BASE    0x120000000ull
#define QUOTAS  2
#define FRAMES  512 /* more than all pages */

/* A page's contents are one number, in every word. */
struct spec_frame {
	uint64_t content;
	unsigned slots, payer, payer_slots;
};

struct spec_page {
	unsigned frame; /* 0: none of its own */
	bool ro;
	unsigned pins; /* that keep it */
};

struct spec_object {
	bool live, sealed;
	cap_t cap[CAPS];
	uint64_t first[CAPS], count[CAPS]; /* the range that it names */
	rights_t rights[CAPS];
	unsigned quota;
	enum memory_kind kind;
	uint64_t pages;
	struct spec_page page[PAGES];
	uint64_t block[PAGES]; /* contents of a BLOCK */
	unsigned source;       /* VIEW: object, */
	uint64_t source_first; /* first page in it, */
	unsigned source_cap;   /* through which capability; */
	bool cut;              /* it shows no more of it */
	unsigned pins;
	uint64_t pin[8]; /* pages */
};

struct spec_map {
	bool mapped;
	unsigned object, cap;
	uint64_t page;
	unsigned access, allowed;
};

static struct spec_object object[OBJECTS];
static struct spec_frame frame[FRAMES];
static struct spec_map space[SPACES][WINDOW];
static struct quota *quota[QUOTAS];
static cap_t space_cap[SPACES], half;
static struct chance chance;
static uint64_t contents; /* the last number used */
static unsigned touched;  /* the object that a step is about */
static const char *doing; /* for who looks at a failure in the debugger */

static uint64_t below(uint64_t n)
{
	return chance_below(&chance, n);
}

/* ---- the specification: frames ---- */

static unsigned frame_new(unsigned q, uint64_t content)
{
	for (unsigned i = 1; i < FRAMES; i++) {
		if (frame[i].slots == 0) {
			frame[i] = (struct spec_frame){ content, 1, q, 1 };
			return i;
		}
	}
	ASSERT(false);
	return 0;
}

/* Each slot remembers whether it was the payer's when it joined: it is that for good. */
static bool joined_as_payer[OBJECTS][PAGES];

static void slot_join(unsigned o, uint64_t page, unsigned f)
{
	bool payer = frame[f].payer == object[o].quota && frame[f].payer_slots > 0;

	object[o].page[page].frame = f;
	joined_as_payer[o][page] = payer;
	frame[f].slots++;
	frame[f].payer_slots += payer;
}

static void slot_fill(unsigned o, uint64_t page, uint64_t content)
{
	object[o].page[page].frame = frame_new(object[o].quota, content);
	joined_as_payer[o][page] = true;
}

static void slot_leave(unsigned o, uint64_t page)
{
	unsigned f = object[o].page[page].frame;

	object[o].page[page].frame = 0;
	object[o].page[page].ro = false;
	if (f == 0)
		return;
	frame[f].slots--;
	frame[f].payer_slots -= joined_as_payer[o][page];
}

/* Bytes that a quota is charged for frames. */
static uint64_t charged(unsigned q)
{
	uint64_t pages = 0;

	for (unsigned i = 1; i < FRAMES; i++)
		pages += frame[i].slots > 0 && frame[i].payer == q && frame[i].payer_slots > 0;
	for (unsigned o = 0; o < OBJECTS; o++) {
		for (uint64_t p = 0; object[o].live && object[o].quota == q && p < object[o].pages;
		     p++)
			pages += object[o].page[p].frame != 0 && !joined_as_payer[o][p];
	}
	return pages * PAGE;
}

/* ---- the specification: pages ---- */

static bool has_slots(const struct spec_object *o)
{
	return o->kind == MEMORY_ANON || o->kind == MEMORY_VIEW;
}

/* What a page without a frame shows: a frame of the sealed object, or 0 and *content. */
static status_t shown(const struct spec_object *o, uint64_t page, unsigned *f, uint64_t *content)
{
	*f = 0;
	*content = 0;
	if (o->kind != MEMORY_VIEW)
		return ST_OK;
	if (o->cut)
		return ST_PEER_GONE;
	const struct spec_object *s = &object[o->source];
	if (s->kind == MEMORY_BLOCK) {
		*content = s->block[o->source_first + page];
		return ST_OK;
	}
	*f = s->page[o->source_first + page].frame;
	*content = *f != 0 ? frame[*f].content : 0;
	return ST_OK;
}

static status_t content_of(const struct spec_object *o, uint64_t page, uint64_t *content)
{
	unsigned f = o->page[page].frame;

	if (o->kind == MEMORY_BLOCK) {
		*content = o->block[page];
		return ST_OK;
	}
	if (f == 0)
		return shown(o, page, &f, content);
	*content = frame[f].content;
	return ST_OK;
}

/* Before a write. */
static status_t make_private(unsigned i, uint64_t page)
{
	struct spec_object *o = &object[i];
	uint64_t content;

	if (o->sealed)
		return ST_BAD_STATE;
	if (!has_slots(o))
		return ST_OK;
	if (o->page[page].ro)
		return ST_NO_RIGHT;
	if (o->page[page].frame != 0 && frame[o->page[page].frame].slots == 1)
		return ST_OK;
	status_t st = content_of(o, page, &content);
	if (st != ST_OK)
		return st;
	slot_leave(i, page);
	slot_fill(i, page, content);
	return ST_OK;
}

static void write_page(unsigned i, uint64_t page, uint64_t content)
{
	if (object[i].kind == MEMORY_BLOCK)
		object[i].block[page] = content;
	else
		frame[object[i].page[page].frame].content = content;
}

/* ---- checks ---- */

static bool is_filled_with(const uint64_t *word, uint64_t content)
{
	return word[0] == content && memcmp(word, word + 1, PAGE - 8) == 0;
}

static void fill_with(uint64_t *word, uint64_t content)
{
	word[0] = content;
	for (unsigned n = 1; n < PAGE / 8; n *= 2)
		memcpy(word + n, word, n * 8);
}

static bool object_agrees(unsigned i)
{
	struct spec_object *o = &object[i];
	struct memory *m = vm_object(o->cap[0]);
	static uint64_t word[PAGE / 8];
	uint64_t committed = 0;

	if (!vm_memory_ok(o->cap[0]) || !cap_tree_ok(&m->obj) || m->sealed != o->sealed)
		return false;
	for (uint64_t p = 0; p < o->pages; p++) {
		uint64_t content;

		spin_lock(&m->obj.lock);
		status_t st = memory_copy(m, p * PAGE, word, PAGE, true);
		spin_unlock(&m->obj.lock);
		if (st != content_of(o, p, &content) ||
		    (st == ST_OK && !is_filled_with(word, content)))
			return false;
		committed += o->page[p].frame != 0;
	}
	return vm_committed(m) == committed && vm_pins(m) == o->pins;
}

/* Frames of the object but for those of its slots. */
static uint64_t nodes_of(unsigned i)
{
	uint64_t paying = 0;

	for (uint64_t p = 0; p < object[i].pages; p++)
		paying += object[i].page[p].frame != 0 && !joined_as_payer[i][p];
	return vm_memory_frames(vm_object(object[i].cap[0])) - paying;
}

static bool books_agree(unsigned q)
{
	uint64_t used = charged(q);

	for (unsigned kind = 0; kind < OBJECT_KINDS; kind++)
		used += quota[q]->slab[kind].pages * PAGE;
	for (unsigned o = 0; o < OBJECTS; o++) {
		if (object[o].live && object[o].quota == q)
			used += nodes_of(o) * PAGE;
	}
	for (unsigned s = 0; s < SPACES && q == 0; s++)
		used += vm_table_frames(vm_space(space_cap[s])) * PAGE;
	return used + (q == 0 ? vm_table_frames(vm_space(half)) * PAGE : 0) == quota[q]->used;
}

static bool space_agrees(unsigned s)
{
	uint64_t mapped = 0;

	for (unsigned i = 0; i < WINDOW; i++)
		mapped += space[s][i].mapped;
	return vm_aspace_ok(space_cap[s]) && vm_tlb_ok(vm_space(space_cap[s])) &&
	       vm_mapped(vm_space(space_cap[s])) == mapped;
}

/* The books and two objects after each step, everything after each eighth. */
static bool all_agree(uint64_t round)
{
	for (unsigned o = 0; o < OBJECTS; o++) {
		bool now = round % 8 == 0 || o == round % OBJECTS || o == touched;

		if (now && object[o].live && !object_agrees(o))
			return false;
	}
	for (unsigned s = 0; s < SPACES; s++) {
		if (!space_agrees(s))
			return false;
	}
	return books_agree(0) && books_agree(1);
}

/* ---- calls: each makes one on both sides and says whether they agree ---- */

static unsigned writers_of(unsigned i)
{
	unsigned n = object[i].pins;

	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned p = 0; p < WINDOW; p++)
			n += space[s][p].mapped && space[s][p].object == i &&
			     (space[s][p].access & MAP_WRITE);
	}
	return n;
}

static bool do_create(unsigned i)
{
	struct spec_object *o = &object[i];
	unsigned source = (unsigned)below(OBJECTS), through = (unsigned)below(CAPS);

	memset(o, 0, sizeof(*o));
	o->quota = (unsigned)below(QUOTAS);
	o->kind = below(4) == 0 ? MEMORY_BLOCK : MEMORY_ANON;
	o->pages = below(2) ? 1 + below(MEMORY_FEW) : MEMORY_FEW + 1 + below(PAGES - MEMORY_FEW);
	if (below(2) && object[source].live && object[source].cap[through] != CAP_NONE) {
		const struct spec_object *from = &object[source];
		bool may = (from->rights[through] & (RIGHT_MAP | RIGHT_READ)) ==
			   (RIGHT_MAP | RIGHT_READ);

		o->cap[0] = vm_view(quota[o->quota], from->cap[through]);
		if (!may || !from->sealed)
			return o->cap[0] == CAP_NONE &&
			       vm_status == (may ? ST_BAD_STATE : ST_NO_RIGHT);
		o->kind = MEMORY_VIEW;
		o->pages = from->count[through];
		o->source = source;
		o->source_cap = through;
		o->source_first = from->first[through];
	} else {
		o->cap[0] = vm_memory(quota[o->quota], o->pages, o->kind);
	}
	o->live = o->cap[0] != CAP_NONE;
	o->count[0] = o->pages;
	o->rights[0] = RIGHTS_ALL;
	return o->live && (o->kind != MEMORY_BLOCK || vm_commit(o->cap[0], 0, o->pages) == ST_OK);
}

static bool do_derive_some(unsigned i)
{
	struct spec_object *o = &object[i];
	unsigned c = 1 + (unsigned)below(CAPS - 1);
	rights_t rights = RIGHTS_ALL;

	if (o->cap[c] != CAP_NONE)
		return true;
	if (below(2))
		rights &= (rights_t) ~(below(2) ? RIGHT_WRITE : RIGHT_READ | RIGHT_EXEC);
	o->rights[c] = rights;
	o->first[c] = below(o->pages);
	o->count[c] = 1 + below(o->pages - o->first[c]);
	return do_derive(home, home, o->cap[0], rights, CAP_RANGE(o->first[c], o->count[c]),
			 &o->cap[c]) == ST_OK;
}

/* Mappings and views made through capability `c` go (CAPS: through any). */
static void lose(unsigned i, unsigned c)
{
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned p = 0; p < WINDOW; p++) {
			if (space[s][p].object == i && (c == CAPS || space[s][p].cap == c))
				space[s][p].mapped = false;
		}
	}
	for (unsigned o = 0; o < OBJECTS; o++) {
		if (object[o].live && object[o].kind == MEMORY_VIEW && object[o].source == i &&
		    (c == CAPS || object[o].source_cap == c))
			object[o].cut = true;
	}
}

static bool do_revoke_some_cap(unsigned i)
{
	struct spec_object *o = &object[i];
	unsigned c = (unsigned)below(CAPS);

	if (o->cap[c] == CAP_NONE)
		return true;
	if (do_revoke(home, o->cap[c]) != ST_OK)
		return false;
	lose(i, c == 0 ? CAPS : c);
	for (unsigned d = 1; c == 0 && d < CAPS; d++)
		o->cap[d] = CAP_NONE;
	return true;
}

/* What was made through it belongs to the first one then. */
static bool do_drop_cap(unsigned i)
{
	struct spec_object *o = &object[i];
	unsigned c = 1 + (unsigned)below(CAPS - 1);

	if (o->cap[c] == CAP_NONE)
		return true;
	if (do_drop(home, o->cap[c]) != ST_OK)
		return false;
	o->cap[c] = CAP_NONE;
	for (unsigned s = 0; s < SPACES; s++) {
		for (unsigned p = 0; p < WINDOW; p++) {
			if (space[s][p].mapped && space[s][p].object == i && space[s][p].cap == c)
				space[s][p].cap = 0;
		}
	}
	for (unsigned v = 0; v < OBJECTS; v++) {
		if (object[v].kind == MEMORY_VIEW && object[v].source == i &&
		    object[v].source_cap == c)
			object[v].source_cap = 0;
	}
	return true;
}

static bool do_destroy_object(unsigned i)
{
	struct spec_object *o = &object[i];

	if (o->pins > 0)
		return true; /* their holders' bindings would go first */
	if (!do_destroy(&vm_object(o->cap[0])->obj))
		return false;
	lose(i, CAPS);
	for (uint64_t p = 0; p < o->pages; p++)
		slot_leave(i, p);
	o->live = false;
	return true;
}

static bool do_map(unsigned i)
{
	struct spec_object *o = &object[i];
	static const unsigned accesses[] = { 0, 1, 3, 5, 7, 2, 3, 3 };
	unsigned s = (unsigned)below(SPACES), c = (unsigned)below(CAPS),
		 at = (unsigned)below(WINDOW);
	struct map_request r = { .va = BASE + at * PAGE,
				 .page = below(o->pages),
				 .count = 1 + below(12) };
	unsigned allowed;
	status_t want = ST_OK;

	r.access = accesses[below(ARRAY_LEN(accesses))];
	if (o->cap[c] == CAP_NONE || at + r.count > WINDOW)
		return true;
	allowed = (o->rights[c] & RIGHT_READ ? MAP_READ : 0) |
		  (o->rights[c] & RIGHT_WRITE ? MAP_WRITE : 0) |
		  (o->rights[c] & RIGHT_EXEC ? MAP_EXEC : 0);
	if (r.access == MAP_WRITE || (r.access == 7 && s != 1))
		want = ST_BAD_ARG;
	else if (r.page > o->count[c] || r.count > o->count[c] - r.page)
		want = ST_BAD_ARG;
	else if (r.access & ~allowed)
		want = ST_NO_RIGHT;
	else if ((r.access & MAP_WRITE) && o->sealed)
		want = ST_BAD_STATE;
	for (uint64_t p = 0; want == ST_OK && p < r.count; p++) {
		if (space[s][at + p].mapped)
			want = ST_EXISTS;
	}
	status_t st = vm_map_at(space_cap[s], o->cap[c], &r);
	for (uint64_t p = 0; st == ST_OK && p < r.count; p++)
		space[s][at + p] = (struct spec_map){
			true, i, c, o->first[c] + r.page + p, (unsigned)r.access, allowed
		};
	return st == want;
}

static bool do_unmap(void)
{
	unsigned s = (unsigned)below(SPACES), at = (unsigned)below(WINDOW);
	uint64_t most = below(8) == 0 ? WINDOW - at : 1 + below(WINDOW - at) / 8;
	uint64_t count = 1 + below(most);

	for (uint64_t p = 0; p < count; p++)
		space[s][at + p].mapped = false;
	return vm_unmap(space_cap[s], BASE + at * PAGE, count) == ST_OK;
}

static bool do_protect(void)
{
	unsigned s = (unsigned)below(SPACES), at = (unsigned)below(WINDOW);
	static const unsigned accesses[] = { 0, 1, 1, 3, 5, 7 };
	unsigned access = accesses[below(ARRAY_LEN(accesses))];
	uint64_t count = 1 + below(WINDOW - at < 12 ? WINDOW - at : 12);
	status_t want = access == 7 && s != 1 ? ST_BAD_ARG : ST_OK;

	for (uint64_t p = 0; want == ST_OK && p < count; p++) {
		const struct spec_map *m = &space[s][at + p];

		if (!m->mapped)
			want = ST_BAD_ADDRESS;
		else if (access & ~m->allowed)
			want = ST_NO_RIGHT;
		else if ((access & MAP_WRITE) && object[m->object].sealed)
			want = ST_BAD_STATE;
	}
	for (uint64_t p = 0; want == ST_OK && p < count; p++)
		space[s][at + p].access = access;
	return vm_protect(space_cap[s], BASE + at * PAGE, count, access) == want;
}

static bool do_user(bool write)
{
	unsigned s = (unsigned)below(SPACES), at = (unsigned)below(WINDOW);
	const struct spec_map *m = &space[s][at];
	status_t want = ST_OK;
	uint64_t content = 0;
	paddr_t pa;

	if (!m->mapped)
		want = ST_BAD_ADDRESS;
	else if (!(m->access & (write ? MAP_WRITE : MAP_READ)))
		want = ST_NO_RIGHT;
	else
		want = write ? make_private(m->object, m->page)
			     : content_of(&object[m->object], m->page, &content);
	status_t st = vm_touch(vm_space(space_cap[s]), BASE + at * PAGE,
			       write ? MAP_WRITE : MAP_READ, &pa);
	if (st != want || st != ST_OK)
		return st == want;
	uint64_t *word = arch_phys_to_virt(pa);
	if (!write)
		return is_filled_with(word, content);
	write_page(m->object, m->page, ++contents);
	fill_with(word, contents);
	return true;
}

static bool do_copy_in(unsigned i)
{
	static uint64_t word[PAGE / 8];
	uint64_t page = below(object[i].pages);
	struct cap_ref ref;
	status_t st;

	fill_with(word, ++contents);
	if (ref_lock(home, object[i].cap[0], OBJ_MEMORY, 0, &ref) != ST_OK)
		return false;
	do
		st = memory_copy(memory_of(&ref), page * PAGE, word, PAGE, false);
	while (st == ST_LATER);
	spin_unlock(&ref.object->lock);
	status_t want = make_private(i, page);
	if (want == ST_OK)
		write_page(i, page, contents);
	return st == want;
}

static bool do_commit(unsigned i)
{
	struct spec_object *o = &object[i];
	uint64_t page = below(o->pages), count = 1 + below(o->pages - page);
	status_t want = has_slots(o) && o->sealed ? ST_BAD_STATE : ST_OK;

	for (uint64_t p = page; has_slots(o) && want == ST_OK && p < page + count; p++) {
		if (o->page[p].frame == 0 && !o->page[p].ro)
			want = make_private(i, p);
	}
	return vm_commit(o->cap[0], page, count) == want;
}

static bool do_decommit(unsigned i)
{
	struct spec_object *o = &object[i];
	uint64_t page = below(o->pages), count = 1 + below(o->pages - page) / 4;
	status_t want = !has_slots(o) || o->sealed ? ST_BAD_STATE : ST_OK;

	/* Without a table there is nothing to look at. */
	for (uint64_t p = page; p < page + count; p++) {
		if (o->page[p].pins > 0)
			want = ST_BAD_STATE;
	}
	for (uint64_t p = page; want == ST_OK && p < page + count; p++)
		slot_leave(i, p);
	return vm_decommit(o->cap[0], page, count) == want;
}

static bool do_seal(unsigned i)
{
	struct spec_object *o = &object[i];
	status_t want = o->kind == MEMORY_VIEW || writers_of(i) > 0 ? ST_BAD_STATE : ST_OK;

	if (want == ST_OK)
		o->sealed = true;
	return vm_seal(o->cap[0]) == want;
}

static bool do_pin(unsigned i)
{
	struct spec_object *o = &object[i];
	uint64_t page = below(o->pages), content;
	paddr_t pa;

	if (o->pins == ARRAY_LEN(o->pin))
		return true;
	status_t want = make_private(i, page);
	if (vm_pin(o->cap[0], page, &pa) != want)
		return false;
	if (want != ST_OK)
		return true;
	o->page[page].pins += has_slots(o);
	o->pin[o->pins++] = page;
	return content_of(o, page, &content) == ST_OK &&
	       is_filled_with(arch_phys_to_virt(pa), content);
}

static bool do_unpin(unsigned i)
{
	struct spec_object *o = &object[i];

	if (o->pins == 0)
		return true;
	unsigned k = (unsigned)below(o->pins);
	vm_unpin(o->cap[0], o->pin[k]);
	o->page[o->pin[k]].pins -= has_slots(o);
	o->pin[k] = o->pin[--o->pins];
	return true;
}

/* The new slot of one page. */
static status_t share_page(unsigned t, uint64_t to, unsigned f, uint64_t from, bool read_only)
{
	struct spec_object *target = &object[t], *source = &object[f];
	unsigned id = source->page[from].frame, there = 0;
	bool copy = source->kind == MEMORY_BLOCK;
	uint64_t content, ignored;

	if (target->page[to].frame != 0 || target->page[to].ro)
		return ST_EXISTS;
	status_t st = content_of(source, from, &content);
	if (st != ST_OK)
		return st;
	if (id != 0 && source->page[from].pins > 0)
		copy = true;
	if (!copy && id == 0) {
		st = shown(source, from, &id, &content);
		copy = source->kind == MEMORY_VIEW && object[source->source].kind == MEMORY_BLOCK;
	}
	st = shown(target, to, &there, &ignored);
	bool block_there =
		target->kind == MEMORY_VIEW && object[target->source].kind == MEMORY_BLOCK;
	if (!copy && st == ST_OK && there == id && !block_there)
		; /* it shows that already */
	else if (copy || id == 0)
		slot_fill(t, to, content);
	else
		slot_join(t, to, id);
	target->page[to].ro = read_only;
	return ST_OK;
}

static bool do_share(unsigned t)
{
	unsigned f = (unsigned)below(OBJECTS);
	struct spec_object *target = &object[t], *source = &object[f];
	status_t want = ST_OK;
	uint64_t done, n = 0;

	if (!source->live)
		return true;
	struct vm_share s = { .to = target->cap[0],
			      .from = source->cap[0],
			      .read_only = below(5) == 0 };
	if (below(2)) {
		s.to_page = below(target->pages);
		s.from_page = below(source->pages);
	}
	s.count = 1 + below(target->pages - s.to_page);
	if (s.count > source->pages - s.from_page)
		s.count = source->pages - s.from_page;
	if (t == f || !has_slots(target))
		want = ST_BAD_ARG;
	else if (target->sealed)
		want = ST_BAD_STATE;
	for (; want == ST_OK && n < s.count; n += want == ST_OK)
		want = share_page(t, s.to_page + n, f, s.from_page + n, s.read_only);
	return vm_share(&s, &done) == want && done == n;
}

static bool do_new_space(void)
{
	unsigned s = (unsigned)below(SPACES);

	if (!do_destroy(&vm_space(space_cap[s])->obj))
		return false;
	memset(space[s], 0, sizeof(space[s]));
	space_cap[s] =
		vm_aspace(quota[0], s == 1 ? ASPACE_GUEST : ASPACE_PLAIN, s == 1 ? half : CAP_NONE);
	return space_cap[s] != CAP_NONE;
}

static bool on_object(unsigned i, uint64_t what)
{
	switch (what) {
	case 0:
		return doing = "destroy", below(8) ? true : do_destroy_object(i);
	case 1:
		return doing = "derive", do_derive_some(i);
	case 2:
		return doing = "revoke", below(6) ? true : do_revoke_some_cap(i);
	case 3:
		return doing = "drop", do_drop_cap(i);
	case 4:
		return doing = "commit", do_commit(i);
	case 5:
		return doing = "decommit", do_decommit(i);
	case 6:
		return doing = "seal", below(9) ? true : do_seal(i);
	case 7:
		return doing = "pin", do_pin(i);
	case 8:
	case 9:
		return doing = "unpin", do_unpin(i);
	case 10:
	case 11:
	case 12:
		return doing = "share", do_share(i);
	case 13:
	case 14:
		return doing = "copy in", do_copy_in(i);
	default:
		return doing = "map", do_map(i);
	}
}

static bool step(void)
{
	unsigned i = (unsigned)below(OBJECTS);
	uint64_t what = below(40);

	touched = i;
	if (what < 20)
		return object[i].live ? on_object(i, what) : (doing = "create", do_create(i));
	if (what < 22)
		return doing = "unmap", do_unmap();
	if (what < 24)
		return doing = "protect", do_protect();
	if (what == 24)
		return doing = "new space", below(20) ? true : do_new_space();
	return doing = "touch", do_user(what % 2);
}

TEST(vm_agrees_with_its_specification)
{
	vm_boot();
	chance.state = test_seed();
	quota[0] = test_quota(quota_root, MIB(16), 0);
	quota[1] = test_quota(quota_root, MIB(16), 0);
	half = vm_aspace(quota[0], ASPACE_PERSONALITY, CAP_NONE);
	for (unsigned s = 0; s < SPACES; s++)
		space_cap[s] = vm_aspace(quota[0], s == 1 ? ASPACE_GUEST : ASPACE_PLAIN,
					 s == 1 ? half : CAP_NONE);
	for (uint64_t i = 0; i < test_rounds(8000); i++) {
		CHECK(step());
		CHECK(all_agree(i));
	}
	for (unsigned o = 0; o < OBJECTS; o++) {
		while (object[o].live && object[o].pins > 0)
			CHECK(do_unpin(o));
	}
	for (unsigned q = 0; q < QUOTAS; q++)
		CHECK(do_destroy(&quota[q]->obj));
	CHECK(vm_payer_frames(quota_root) == 0);
}
