/* SPDX-License-Identifier: MIT */
/* kernel/core/test/cap_spec.h - what capabilities mean, as a program: arrays without
 * locks, generations, batches or memory. The kernel is compared with it. */
#pragma once
#include <abi/rights.h>
#include <abi/status.h>
#include <core/types.h>

#define SPEC_OBJECTS  40
#define SPEC_CAPS     400
#define SPEC_BINDINGS 4  /* of one object */
#define SPEC_DEPTH    64 /* of capabilities; bindings may be one deeper */
#define NONE          (-1)

struct spec_object {
	bool live;
	unsigned type;
	int payer; /* a quota object */
};

/* A capability in a space, or a binding, which is the same in an object. */
struct spec_cap {
	bool live;
	bool binding;
	bool revoking;
	int object;
	int place;  /* the space, or the object that has the binding */
	int which;  /* of its bindings */
	int parent; /* NONE: the object's first */
	rights_t rights;
	uint64_t badge;
};

struct spec {
	struct spec_object object[SPEC_OBJECTS];
	struct spec_cap cap[SPEC_CAPS];
};

extern struct spec spec;

/* Where there is place for another; NONE: nowhere. */
int spec_free_object(void);
int spec_free_cap(void);

/* An object with its first capability. */
void spec_make(int object, unsigned type, int payer, int cap, int space, rights_t rights);

/* All say what the kernel must answer; only with ST_OK has anything changed. */
status_t spec_derive(int from, int to_space, rights_t mask, uint64_t word, int new_cap);
status_t spec_move(int cap, int to_space);
status_t spec_drop(int cap);
status_t spec_revoke(int cap);
status_t spec_destroy(int object);
status_t spec_bind(int cap, int owner, int which);
void spec_unbind(int owner, int which);

/* True if `cap` was derived from `from`, directly or not. */
bool spec_below(int cap, int from);

/* The binding of an object, or NONE. */
int spec_binding(int owner, int which);
