/* SPDX-License-Identifier: MIT */
/* kernel/core/sys_cap.h - what the handlers of system calls share, and work that outlasts the
 * capability that it was begun with. */
#pragma once
#include <core/quota.h>
#include <core/syscall.h>

/* The quota that the call names first: who pays for what it makes. */
static inline struct quota *sys_payer(const struct syscall *c)
{
	return container_of(c->cap[0].object, struct quota, obj);
}

/* Every right that a capability to an object of some type can carry. */
extern const rights_t type_rights[OBJ_TYPES];

/* Gives the caller the first capability, with every right, to the new object `o`; its handle
 * is the call's first result. On failure the object is discarded. */
status_t sys_publish(struct syscall *c, struct object *o) MUST_CHECK;

/* The caller is in the middle of a destruction or a revoke (thread.work). True: the call, which is
 * of this number, goes on with it, and that gave `*st`. Else (another call, or the same with
 * another handle: registers can be written meanwhile) what was begun is left to the reaper, or
 * abandoned, and the call is a new one. */
bool sys_work_goes_on(struct syscall *c, uint64_t number, status_t *st);

/* The same for a thread that dies, or does something else. */
void sys_work_abandon(struct thread *t);
