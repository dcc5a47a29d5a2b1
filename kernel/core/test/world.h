/* SPDX-License-Identifier: MIT */
/* kernel/core/test/world.h - a machine with quotas, spaces and objects, for tests of
 * capabilities; and what the system-call layer does around the calls of cap.h. */
#pragma once
#include "ok.h"
#include <arch/host/host.h>
#include <core/cap.h>
#include <core/cspace.h>
#include <core/object.h>
#include <core/quota.h>

#define RIGHTS_ALL ((rights_t)0xffff)

/* The usual machine and the root quota, whose generations wrap where the masks say
 * (0: as on a real machine). */
void world_boot(uint16_t object_gen_mask, uint32_t slot_gen_max);
void world_boot_on(const struct boot_info *info, uint16_t object_gen_mask, uint32_t slot_gen_max);

/* The unit tests' own type of object: the kind OBJ_NONE. */
struct test_object {
	struct object obj;
	struct cap_slot binding[4];
	unsigned pieces; /* of close */
	_Atomic unsigned cuts;
	unsigned cut_pieces;
	_Atomic uint64_t uses;
	uint64_t value;
};

extern _Atomic unsigned test_objects_closed;
extern void (*test_cut_hook)(struct cap_slot *binding); /* called by the cut, if set */

/* The test object that begins with `o`. */
struct test_object *test_object_of(struct object *o);

/* A new object with its first capability in `cs`; NULL if that does not work. */
struct object *test_object_make(struct quota *q, struct cspace *cs, rights_t rights, cap_t *out);

/* A space and a quota, live, whose first capability is in `home` (a space below the root
 * quota that world_boot makes). They abort when there is no memory. */
extern struct cspace *home;
struct cspace *test_space(struct quota *q);
struct quota *test_quota(struct quota *parent, uint64_t limit, uint64_t reservation);

/* ---- calls by handle ---- */

/* cap_find, lock, cap_still: on ST_OK the object is locked and alive. */
status_t ref_lock(const struct cspace *cs, cap_t handle, enum object_type type, rights_t need,
		  struct cap_ref *out) MUST_CHECK UNCHECKED_LOCKS;

/* cap_transfer of one: a copy, or the capability itself. */
status_t ref_derive(struct cspace *to, const struct cap_ref *from, rights_t mask, uint64_t word,
		    cap_t *out) MUST_CHECK;
status_t ref_move(struct cspace *to, const struct cap_ref *from, cap_t *out) MUST_CHECK;

/* cap_find, then ref_derive. */
status_t do_derive(struct cspace *to, struct cspace *from, cap_t handle, rights_t mask,
		   uint64_t word, cap_t *out);

/* cap_find, then ref_move. */
status_t do_move(struct cspace *to, struct cspace *from, cap_t handle, cap_t *out);

/* cap_find, then cap_drop. */
status_t do_drop(struct cspace *cs, cap_t handle);

/* cap_find, then one piece of cap_revoke; and all pieces of it. */
status_t do_revoke_some(struct cspace *cs, cap_t handle);
status_t do_revoke(struct cspace *cs, cap_t handle);

/* Binds binding `i` of the test object `owner`. */
status_t do_bind(struct cspace *cs, cap_t handle, struct object *owner, unsigned i);

/* ST_OK if the handle names a live capability; its object, rights and badge. */
status_t do_look(struct cspace *cs, cap_t handle, struct object **o, rights_t *rights,
		 uint64_t *badge);

/* object_kill, with the lock that it needs. */
uint64_t do_kill(struct object *o);

/* Kills and destroys to the end. False: it was dead already. */
bool do_destroy(struct object *o);

/* Gives the reapers all the time that they need, and grace periods time to pass. */
void settle(void);

/* Gives back what is kept for later, with `some`, which tells how much is left, until it gets no
 * less however often this CPU leaves the kernel. */
unsigned give_back_all(unsigned (*some)(struct quota *q), struct quota *q);

/* Bytes used of `q`, after everything that is merely kept for later went back. */
uint64_t used_after_all(struct quota *q);
