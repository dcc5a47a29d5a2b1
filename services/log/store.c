/* SPDX-License-Identifier: MIT */
#include "store.h"
#include <stdatomic.h>
#include <string.h>

#define MAGIC     0x31474f4c454d4854ull /* "THEMLOG1" read as little-endian text */
#define NUMBERS   (1ull << 62)          /* and all counts of bytes stay below */
#define AREAS     4096u
#define NO_WRITER STORE_WRITERS

_Static_assert(sizeof(struct store_memory) <= AREAS, "the heads fit before the areas");
_Static_assert(sizeof(struct store_entry) == 40, "entries have no padding");
_Static_assert(STORE_PART >= 4 * (sizeof(struct store_entry) + LOG_TEXT), "some entries fit");

/* ---- bytes of a part ---- */

static uint64_t area_size(unsigned writer)
{
	return writer == STORE_KERNEL ? 4 * STORE_PART : STORE_PART;
}

static uint64_t parts_before(unsigned writer)
{
	return writer > STORE_KERNEL ? writer - 1 + 4 : writer;
}

static uint8_t *area(const struct store *s, unsigned writer)
{
	return (uint8_t *)s->memory + AREAS + parts_before(writer) * STORE_PART;
}

static void put(const struct store *s, unsigned writer, uint64_t at, const void *from, size_t size)
{
	uint64_t all = area_size(writer), begin = at % all;
	size_t first = size < all - begin ? size : (size_t)(all - begin);

	memcpy(area(s, writer) + begin, from, first);
	memcpy(area(s, writer), (const uint8_t *)from + first, size - first);
}

static void get(const struct store *s, unsigned writer, uint64_t at, void *to, size_t size)
{
	uint64_t all = area_size(writer), begin = at % all;
	size_t first = size < all - begin ? size : (size_t)(all - begin);

	memcpy(to, area(s, writer) + begin, first);
	memcpy((uint8_t *)to + first, area(s, writer), size - first);
}

static uint64_t length_of(const struct store_entry *e)
{
	return sizeof(*e) + (e->size + 7u) / 8 * 8;
}

/* The entry at a place before the part's head; false: it can't be one. */
static bool read(const struct store *s, unsigned writer, uint64_t at, struct store_entry *e)
{
	uint64_t left = s->part[writer].at.head - at;

	if (left < sizeof(*e))
		return false;
	get(s, writer, at, e, sizeof(*e));
	return e->size <= LOG_TEXT && length_of(e) <= left && e->number > 0 &&
	       e->number < NUMBERS && e->level >= LOG_ERROR && e->level <= LOG_DEBUG;
}

void store_pages(unsigned writer, uint64_t *page, uint64_t *count)
{
	*page = (AREAS + parts_before(writer) * STORE_PART) / 4096;
	*count = area_size(writer) / 4096;
}

/* ---- what an earlier incarnation has left ---- */

/* Entries of the part, if all is as it can be; else -1. */
static int count(struct store *s, unsigned writer)
{
	const struct store_part *p = &s->part[writer].at;
	struct store_entry e;
	uint64_t last = 0;
	int n = 0;

	if (p->head >= NUMBERS || p->head - p->tail > area_size(writer) || p->head % 8 != 0 ||
	    p->tail % 8 != 0)
		return -1;
	for (uint64_t at = p->tail; at < p->head; at += length_of(&e), n++) {
		if (!read(s, writer, at, &e) || e.number <= last)
			return -1;
		last = e.number;
	}
	if (n == 0)
		return 0;
	s->part[writer].last = last;
	s->part[writer].source = e.source;
	s->part[writer].incarnation = e.incarnation;
	if (last >= s->next)
		s->next = last + 1;
	return n;
}

static void clear(struct store *s, unsigned writer)
{
	s->memory->part[writer] = (struct store_part){ 0 };
	memset(&s->part[writer], 0, sizeof(s->part[writer]));
}

static void clear_all(struct store *s)
{
	memset(s->memory, 0, sizeof(*s->memory));
	s->memory->magic = MAGIC;
	s->memory->next = s->next = 1;
}

enum store_found store_attach(struct store *s, void *memory, unsigned *kept)
{
	enum store_found found = STORE_WHOLE;

	*kept = 0;
	*s = (struct store){ .memory = memory };
	if (s->memory->magic != MAGIC || s->memory->next == 0 || s->memory->next >= NUMBERS) {
		bool is_new = s->memory->magic == 0 && s->memory->next == 0;
		clear_all(s);
		return is_new ? STORE_NEW : STORE_DAMAGED;
	}
	s->next = s->memory->next;
	for (unsigned i = 0; i < STORE_WRITERS; i++) {
		s->part[i].at = s->memory->part[i];
		int n = count(s, i);
		if (n < 0) {
			clear(s, i);
			found = STORE_DAMAGED;
		} else {
			*kept += (unsigned)n;
		}
	}
	s->memory->next = s->next;
	return found;
}

/* ---- entries ---- */

/* What is written to the memory before stays before what is written after: whoever finds it sees
 * what this thread did in order, wherever it was ended. */
static void settle(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* Makes room for `length` bytes; false: entries had to go for it. */
static bool make_room(struct store *s, unsigned writer, uint64_t length)
{
	struct store_part *p = &s->part[writer].at;
	struct store_entry e;
	bool had_room = true;

	while (p->head + length - p->tail > area_size(writer)) {
		had_room = false;
		p->dropped++;
		p->tail = read(s, writer, p->tail, &e) ? p->tail + length_of(&e) : p->head;
	}
	s->memory->part[writer] = *p;
	settle();
	return had_room;
}

bool store_append(struct store *s, unsigned writer, struct store_entry *e, const char *text)
{
	struct store_part *p = &s->part[writer].at;
	bool had_room = make_room(s, writer, length_of(e));

	e->number = s->next++;
	put(s, writer, p->head, e, sizeof(*e));
	put(s, writer, p->head + sizeof(*e), text, e->size);
	settle();
	p->head += length_of(e);
	s->memory->part[writer].head = p->head;
	settle();
	s->memory->next = s->next;
	s->part[writer].last = e->number;
	s->part[writer].source = e->source;
	s->part[writer].incarnation = e->incarnation;
	return had_room;
}

bool store_has(const struct store *s, unsigned writer, uint32_t incarnation, uint64_t source)
{
	return s->part[writer].last != 0 && s->part[writer].incarnation == incarnation &&
	       s->part[writer].source >= source;
}

/* The place of the writer's first entry from `number` on, which there is; and the entry. Readers
 * mostly go on from where they were, so that place is kept. */
static bool seek(struct store *s, unsigned writer, uint64_t number, uint64_t *place,
		 struct store_entry *e)
{
	const struct store_part *p = &s->part[writer].at;
	uint64_t at = p->tail;

	if (s->part[writer].seen_number <= number && s->part[writer].seen_at > at)
		at = s->part[writer].seen_at;
	for (; at < p->head; at += length_of(e)) {
		if (!read(s, writer, at, e))
			return false;
		if (e->number < number)
			continue;
		s->part[writer].seen_at = *place = at;
		s->part[writer].seen_number = number;
		return true;
	}
	return false;
}

bool store_find(struct store *s, uint64_t number, unsigned *writer, struct store_entry *e,
		char *text)
{
	struct store_entry one;
	uint64_t place = 0, at;

	*writer = NO_WRITER;
	for (unsigned i = 0; i < STORE_WRITERS; i++) {
		if (s->part[i].last < number || !seek(s, i, number, &at, &one))
			continue;
		if (*writer != NO_WRITER && one.number >= e->number)
			continue;
		*writer = i;
		*e = one;
		place = at;
	}
	if (*writer == NO_WRITER)
		return false;
	get(s, *writer, place + sizeof(*e), text, e->size);
	return true;
}
