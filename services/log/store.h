/* SPDX-License-Identifier: MIT */
/* services/log/store.h - the entries, in memory that outlives the log.
 *
 * The memory is divided once and for all: each writer has a part, a ring of bytes with entries of
 * any length one behind the other. A new entry pushes out the oldest of its own part. Entries are
 * numbered through all parts, from 1 on.
 *
 * Life    attached to memory that is new (zeros), or that an earlier incarnation has left at any
 *         moment: an entry is there as soon as `head` says so, and what is pushed out goes
 *         before anything is written over it.
 * Owns    nothing. The memory is the caller's, and nobody else writes it meanwhile.
 *
 * What lies in the memory is checked when it is attached, every field of every entry: a part
 * where something can't be begins anew. Where the parts begin and end is kept apart from then on,
 * and an entry is copied out before it is looked at.
 */
#pragma once
#include <proto/log.h>
#include <stdbool.h>

#define STORE_WRITERS 51 /* programs, init, the kernel, the log itself */
#define STORE_PART    8192u
#define STORE_KERNEL  49 /* this part is larger */
#define STORE_SIZE    (4096u + (STORE_WRITERS - 1) * STORE_PART + 4 * STORE_PART)

/* What an entry has besides its text. It lies before it in the memory. */
struct store_entry {
	uint64_t number; /* given by store_append */
	uint64_t time;
	uint64_t source; /* the writer's own number; rising within an incarnation of it */
	uint32_t incarnation;
	uint16_t level; /* enum log_level */
	uint16_t cpu;
	uint16_t size; /* bytes of text */
	uint16_t reserved[3];
};

struct store_part {
	uint64_t head, tail; /* bytes ever written, and pushed out */
	uint64_t dropped;    /* entries pushed out */
};

struct store_memory {
	uint64_t magic;
	uint64_t next; /* number of the next entry */
	struct store_part part[STORE_WRITERS];
};

struct store {
	struct store_memory *memory;
	uint64_t next;
	struct {
		struct store_part at; /* as in the memory, which is not read again */
		uint64_t last;        /* number of the newest entry; 0: none */
		uint64_t source;
		uint32_t incarnation;
		/* Entries before this place have lower numbers than this. */
		uint64_t seen_at, seen_number;
	} part[STORE_WRITERS];
};

enum store_found { STORE_NEW, STORE_WHOLE, STORE_DAMAGED };

/* Takes `memory` of STORE_SIZE bytes, aligned to 8. *kept: how many entries are in it. */
enum store_found store_attach(struct store *s, void *memory, unsigned *kept);

/* Adds an entry of the writer, whose number it sets. False: others were pushed out. */
bool store_append(struct store *s, unsigned writer, struct store_entry *e, const char *text);

/* Where in the memory the writer's part lies: it is not touched before there is an entry. */
void store_pages(unsigned writer, uint64_t *page, uint64_t *count);

/* Whether the writer's entry `source` is there, or was, as this incarnation's. */
bool store_has(const struct store *s, unsigned writer, uint32_t incarnation, uint64_t source);

/* The first entry from `number` on; false: there is none. `text` has room for LOG_TEXT bytes. */
bool store_find(struct store *s, uint64_t number, unsigned *writer, struct store_entry *e,
		char *text);
