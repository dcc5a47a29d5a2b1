/* SPDX-License-Identifier: MIT */
/* lib/sys/calls.h - every system call as a function, and its contract.
 *
 * abi/syscall.def says which capabilities a call takes, of which type and with which right.
 * The kernel looks at them in the order of the arguments before anything else. That refuses the
 * call with one of these, which are listed below only where a call has other reasons for them:
 *   ST_BAD_CAP   the handle names no live capability of the caller
 *   ST_BAD_TYPE  it names an object of another type
 *   ST_NO_RIGHT  it lacks the right
 *
 * A number that is no call's gets ST_BAD_SYSCALL. Where a capability is optional CAP_NONE stands
 * for none.
 *
 * Whatever answers with an error has changed nothing, unless it says otherwise, and is counted
 * (node_counters). Results are zero then.
 *
 * What is made is paid for by the quota that the call names (ST_NO_MEMORY: that has not got
 * enough), and its first capability, with every right that there is for its type, goes to the
 * caller's own space (ST_NO_SLOTS: that is full).
 *
 * Memory of the caller that a call reads or writes may be anywhere in user space. ST_BAD_ADDRESS:
 * a part of it is not mapped, or not with the access that is needed; ST_NO_MEMORY: a page of it
 * was not there yet, and could not be paid for. Then some of it may have been written.
 *
 * Deadlines are nanoseconds of the clock that starts with the kernel; one that has passed means
 * not to wait, UINT64_MAX to wait for ever.
 *
 * docs/book/calls.md is made of this file and the table by tools/calls.py.
 */
#pragma once
#include <lib/sys/syscall.h>
#include <abi/status.h>
#include <stddef.h>

/* ---- capabilities ---- */

/* Derives a capability in space `to` from `handle` in space `from`, with those of its rights that
 * are in `rights`. `word` 0 keeps the badge or the range; else it is the badge of the new
 * capability, to an endpoint or notification; or the range within the old one, of memory
 * (first page << 32 | pages) or ports (likewise).
 *
 * ST_BAD_CAP: `handle` names nothing in `from`.
 * ST_NO_RIGHT: it lacks RIGHT_COPY.
 * ST_BAD_STATE: a badge is asked for, but it has one.
 * ST_BAD_ARG: there are no such rights; the range is empty or goes beyond the old one; or there are
 *   no badges and ranges for this type.
 * ST_REVOKED: what it was derived from is being revoked.
 * ST_TOO_BIG: it was derived 64 times over.
 * ST_NO_MEMORY: the space can't grow.
 * ST_NO_SLOTS: the space is full. */
static inline status_t sys_cap_copy(cap_t to, cap_t from, cap_t handle, rights_t rights,
				    uint64_t word, cap_t *copy)
{
	struct sys_result r = SYS(cap_copy, to, from, handle, rights, word);

	*copy = r.out[0];
	return r.status;
}

/* Moves a capability to another place, in the same space or not. What was derived from it is
 * derived from it still.
 *
 * ST_BAD_CAP: `handle` names nothing in `from`.
 * ST_TOO_BIG: more capabilities than can change their parent in one piece were derived from it.
 * ST_NO_MEMORY: the space can't grow.
 * ST_NO_SLOTS: the space is full. */
static inline status_t sys_cap_move(cap_t to, cap_t from, cap_t handle, cap_t *moved)
{
	struct sys_result r = SYS(cap_move, to, from, handle);

	*moved = r.out[0];
	return r.status;
}

/* Empties a slot. What was derived from the capability stays; the object of which it was the last
 * capability dies.
 *
 * ST_BAD_CAP: `handle` names nothing in `space`. */
static inline status_t sys_cap_drop(cap_t space, cap_t handle)
{
	return SYS(cap_drop, space, handle).status;
}

/* Takes away everything that was derived from a capability, in every space, with the mappings and
 * bindings made through it, on every CPU. The capability itself stays.
 *
 * ST_BAD_CAP: `handle` names nothing in `space`.
 * ST_NO_RIGHT: it lacks RIGHT_REVOKE. */
static inline status_t sys_cap_revoke(cap_t space, cap_t handle)
{
	return SYS(cap_revoke, space, handle).status;
}

/* Tells the type of the object and the rights, but never the badge. A handle of generation 0,
 * which no capability has, stands for whatever is in that slot.
 *
 * ST_BAD_CAP: `handle` names nothing in `space`. */
static inline status_t sys_cap_inspect(cap_t space, cap_t handle, enum object_type *type,
				       rights_t *rights)
{
	struct sys_result r = SYS(cap_inspect, space, handle);

	*type = (enum object_type)r.out[0];
	*rights = (rights_t)r.out[1];
	return r.status;
}

/* Kills an object of any type. When the call returns no capability to it is left, and its memory
 * is its quota's again. Destroying a quota destroys everything that it paid for. */
static inline status_t sys_object_destroy(cap_t object)
{
	return SYS(object_destroy, object).status;
}

/* ---- quotas ---- */

/* Makes a quota below `parent`: at most `limit` bytes, of which `reservation` are taken at once,
 * out of what was reserved for the parent. Both are whole pages.
 *
 * ST_BAD_ARG: they are not, or the reservation is the larger one.
 * ST_TOO_BIG: 16 levels below the root.
 * ST_NO_MEMORY: the object, or the reservation, does not fit into the parent.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_quota_create(cap_t parent, uint64_t limit, uint64_t reservation,
					cap_t *made)
{
	struct sys_result r = SYS(quota_create, parent, limit, reservation);

	*made = r.out[0];
	return r.status;
}

/* Changes limit and reservation.
 *
 * ST_BAD_ARG: as for quota_create.
 * ST_BAD_STATE: more is in use than the limit, or promised to quotas below than the reservation; or
 *   it is the root.
 * ST_NO_MEMORY: the parent has not got that much, or has promised it. */
static inline status_t sys_quota_resize(cap_t q, uint64_t limit, uint64_t reservation)
{
	return SYS(quota_resize, q, limit, reservation).status;
}

/* Tells how many bytes are in use, how many may be, and how many ever were. */
static inline status_t sys_quota_read(cap_t q, uint64_t *used, uint64_t *limit, uint64_t *peak)
{
	struct sys_result r = SYS(quota_read, q);

	*used = r.out[0];
	*limit = r.out[1];
	*peak = r.out[2];
	return r.status;
}

/* Makes an empty capability space.
 *
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_cspace_create(cap_t payer, cap_t *made)
{
	struct sys_result r = SYS(cspace_create, payer);

	*made = r.out[0];
	return r.status;
}

/* ---- memory ---- */

/* Makes memory that reads as zeros. With flags 0 pages are taken when they are first written;
 * MEMORY_CONTIGUOUS takes them now, as a power of two in a row, and with MEMORY_BELOW_4G below
 * 4 GiB.
 *
 * ST_BAD_ARG: no page, or flags that are none.
 * ST_TOO_BIG: more than 2^32 pages, or more in a row than there can be.
 * ST_NO_MEMORY: the quota has not got enough, or the machine has not got as many in a row.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_memory_create(cap_t payer, uint64_t pages, uint64_t flags, cap_t *made)
{
	struct sys_result r = SYS(memory_create, payer, pages, flags);

	*made = r.out[0];
	return r.status;
}

/* Makes memory that shows the pages of a capability to sealed memory, and has a copy of its own of
 * each page that is written. The capability needs RIGHT_READ as well.
 *
 * ST_NO_RIGHT: it lacks that.
 * ST_BAD_STATE: the memory is not sealed.
 * ST_REVOKED: the capability is being revoked.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_memory_view(cap_t payer, cap_t sealed, cap_t *made)
{
	struct sys_result r = SYS(memory_view, payer, sealed);

	*made = r.out[0];
	return r.status;
}

/* Takes pages now that would be taken when they are first written. Pages that were shared read-only
 * stay as they are.
 *
 * ST_BAD_ARG: the range lies outside of what the capability names.
 * ST_BAD_STATE: the memory is sealed, or a device's.
 * ST_PEER_GONE: the memory is a view, and the memory that it shows is gone.
 * ST_NO_MEMORY: the quota has not got enough; some pages may have been taken. */
static inline status_t sys_memory_commit(cap_t memory, uint64_t page, uint64_t count)
{
	return SYS(memory_commit, memory, page, count).status;
}

/* Gives pages back: they read as zeros from now on, or, in a view, as the sealed memory does.
 *
 * ST_BAD_ARG: the range lies outside of what the capability names.
 * ST_BAD_STATE: the memory is sealed, contiguous, or a device's; or a page is pinned, and those
 *   before it may have been given back. */
static inline status_t sys_memory_decommit(cap_t memory, uint64_t page, uint64_t count)
{
	return SYS(memory_decommit, memory, page, count).status;
}

/* Copies bytes from memory to the caller's own.
 *
 * ST_BAD_ARG: the range lies outside of what the capability names.
 * ST_BAD_STATE: the memory is a device's.
 * ST_PEER_GONE: the memory is a view, and the memory that it shows is gone.
 * ST_BAD_ADDRESS: the caller's memory can't be written.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_memory_read(cap_t memory, uint64_t offset, void *buffer, uint64_t size)
{
	return SYS(memory_read, memory, offset, (uintptr_t)buffer, size).status;
}

/* Copies bytes from the caller's memory.
 *
 * ST_BAD_ARG: the range lies outside of what the capability names.
 * ST_BAD_STATE: the memory is sealed, or a device's.
 * ST_PEER_GONE: the memory is a view, and the memory that it shows is gone.
 * ST_NO_RIGHT: a page was shared read-only; what comes before it may have been written.
 * ST_BAD_ADDRESS: the caller's memory can't be read; what comes before may have been written.
 * ST_NO_MEMORY: a page can't be paid for; what comes before it may have been written. */
static inline status_t sys_memory_write(cap_t memory, uint64_t offset, const void *buffer,
					uint64_t size)
{
	return SYS(memory_write, memory, offset, (uintptr_t)buffer, size).status;
}

/* What pages to share, see sys_memory_share. */
struct memory_pages {
	uint64_t to_page, from_page, count;
};

/* Makes pages of `to`, which have to be empty, show what those of `from` hold now. No frame is
 * copied before one side is written (SHARE_COPY); with SHARE_READ_ONLY they can never be written
 * through `to`. `from` needs RIGHT_READ as well.
 *
 * ST_NO_RIGHT: it lacks that.
 * ST_BAD_ARG: a range lies outside of what its capability names, or both are one memory, or one of
 *   them can't take part: `to` is contiguous or a device's, `from` is a device's.
 * ST_BAD_STATE: `to` is sealed.
 * ST_PEER_GONE: one of the two is a view, and the memory that it shows is gone.
 * ST_EXISTS: a page of `to` is not empty; those before it are shared.
 * ST_NO_MEMORY: the quota of `to` has not got enough; some pages may have been shared. */
static inline status_t sys_memory_share(cap_t to, cap_t from, const struct memory_pages *p,
					uint64_t mode)
{
	return SYS(memory_share, to, from, p->to_page, p->from_page, p->count, mode).status;
}

/* From now on nobody can ever write the memory, by whatever capability.
 *
 * ST_BAD_ARG: the capability names a part of the memory only.
 * ST_BAD_STATE: it is mapped to be written, or pinned for writing; or it is a view, or a
 *   device's. */
static inline status_t sys_memory_seal(cap_t memory)
{
	return SYS(memory_seal, memory).status;
}

/* ---- address spaces ---- */

/* Makes an address space (enum aspace_kind). `half` is for ASPACE_GUEST alone: the personality half
 * that serves it.
 *
 * ST_BAD_ARG: no such kind, or a half where there must be none, none where there must be one, or
 *   one that is of another kind.
 * ST_REVOKED: the capability to the half is being revoked.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_aspace_create(cap_t payer, cap_t half, uint64_t kind, cap_t *made)
{
	struct sys_result r = SYS(aspace_create, payer, half, kind);

	*made = r.out[0];
	return r.status;
}

/* Where to map what, see sys_aspace_map. */
struct aspace_range {
	uint64_t va, page, count;
};

/* Maps pages of the range that `memory` names, with the access given (MAP_READ ...), which its
 * rights must allow. The mapping lasts until it is unmapped, or the capability is revoked.
 *
 * ST_BAD_ARG: addresses that are no whole pages of this kind of space, pages out of range, no page,
 *   access without reading, or writing with executing outside of a guest.
 * ST_NO_RIGHT: the capability does not allow the access.
 * ST_BAD_STATE: sealed memory can't be written.
 * ST_EXISTS: something is mapped there.
 * ST_REVOKED: the capability is being revoked.
 * ST_NO_MEMORY: the quota of the address space has not got enough. */
static inline status_t sys_aspace_map(cap_t aspace, cap_t memory, const struct aspace_range *r,
				      uint64_t access)
{
	return SYS(aspace_map, aspace, memory, r->va, r->page, r->count, access).status;
}

/* Takes away whatever is mapped in the range; returns when no CPU can use it any more.
 *
 * ST_BAD_ARG: addresses that are no whole pages of this kind of space, or no page.
 * ST_NO_MEMORY: a mapping had to be split, and the quota of the address space has not got enough;
 *   what lies before it may be gone. */
static inline status_t sys_aspace_unmap(cap_t aspace, uint64_t va, uint64_t pages)
{
	return SYS(aspace_unmap, aspace, va, pages).status;
}

/* Changes the access to pages that are mapped; 0 takes it all. What is taken is gone on every CPU
 * when the call returns. A call that fails has changed nothing, unless somebody else changed the
 * mappings meanwhile.
 *
 * ST_TOO_BIG: more than PROTECT_MAX mappings.
 * ST_BAD_ARG: addresses that are no whole pages of this kind of space, no page, or access that
 *   can't be.
 * ST_BAD_ADDRESS: a page is not mapped.
 * ST_NO_RIGHT: the capability that made a mapping did not allow the access.
 * ST_BAD_STATE: sealed memory can't be written.
 * ST_NO_MEMORY: a mapping had to be split, and the quota of the address space has not got
 *   enough. */
static inline status_t sys_aspace_protect(cap_t aspace, uint64_t va, uint64_t pages,
					  uint64_t access)
{
	return SYS(aspace_protect, aspace, va, pages, access).status;
}

/* Tells in a byte for each page (SCAN_ACCESSED ...) what happened to it since the last scan.
 *
 * ST_TOO_BIG: more than SCAN_MAX pages.
 * ST_BAD_ARG: addresses that are no whole pages of this kind of space, or no page.
 * ST_BAD_ADDRESS: the caller's memory can't be written; the marks are gone.
 * ST_NO_MEMORY: the caller's memory can't be paid for; the marks are gone. */
static inline status_t sys_aspace_scan(cap_t aspace, uint64_t va, uint64_t pages, uint8_t *bytes)
{
	return SYS(aspace_scan, aspace, va, pages, (uintptr_t)bytes).status;
}

/* ---- threads ---- */

/* Makes a thread that is suspended, has no registers and no sched. It dies with its spaces.
 *
 * ST_REVOKED: one of the capabilities is being revoked.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_thread_create(cap_t payer, cap_t aspace, cap_t cspace, cap_t *made)
{
	struct sys_result r = SYS(thread_create, payer, aspace, cspace);

	*made = r.out[0];
	return r.status;
}

/* What a thread is to have, see sys_thread_configure. CAP_NONE: as it was. */
struct thread_setup {
	cap_t sched, fault, notification, block;
	uint64_t block_offset;
};

/* Gives a stopped thread, or the caller itself, its sched, fault endpoint, notification and
 * message block, all or none. Reports of its faults carry the badge of the endpoint's capability.
 * The block lies at an offset of the memory, a multiple of MSG_BLOCK_ALIGN; its page is pinned. The
 * memory needs RIGHT_READ as well, as its contents are sent.
 *
 * ST_BAD_STATE: the thread is not stopped; or the memory of the block is sealed or a device's.
 * ST_PEER_GONE: the memory of the block is a view, and the memory that it shows is gone.
 * ST_BAD_ARG: the block is not aligned, or outside of what its capability names.
 * ST_NO_RIGHT: the memory lacks RIGHT_READ, or the page of the block was shared read-only.
 * ST_EXISTS: the notification is another thread's.
 * ST_REVOKED: one of the capabilities is being revoked.
 * ST_NO_QUOTA: the page of the block is pinned too often.
 * ST_NO_MEMORY: the page of the block can't be paid for. */
static inline status_t sys_thread_configure(cap_t thread, const struct thread_setup *s)
{
	return SYS(thread_configure, thread, s->sched, s->fault, s->notification, s->block,
		   s->block_offset)
		.status;
}

/* Sets the registers of a thread that is stopped, or waits for the answer to a fault.
 *
 * ST_BAD_ADDRESS: they can't be read.
 * ST_BAD_STATE: it runs, or waits in a call.
 * ST_BAD_ARG: addresses in them that user mode can't have.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_thread_write_registers(cap_t thread, const struct arch_registers *r)
{
	return SYS(thread_write_registers, thread, (uintptr_t)r).status;
}

/* Tells the registers of a thread that does not run.
 *
 * ST_BAD_STATE: it runs.
 * ST_BAD_ADDRESS: the caller's memory can't be written.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_thread_read_registers(cap_t thread, struct arch_registers *r)
{
	return SYS(thread_read_registers, thread, (uintptr_t)r).status;
}

/* Lets a thread go on. Without a sched it waits for one. */
static inline status_t sys_thread_resume(cap_t thread)
{
	return SYS(thread_resume, thread).status;
}

/* Stops a thread wherever it is; when the call returns it does not run. What it waits for may come
 * meanwhile, and is there when it is resumed. */
static inline status_t sys_thread_suspend(cap_t thread)
{
	return SYS(thread_suspend, thread).status;
}

/* The caller gives the CPU to the next thread of its priority.
 *
 * ST_BAD_ARG: `self` is another thread. */
static inline status_t sys_thread_yield(cap_t self)
{
	return SYS(thread_yield, self).status;
}

/* The caller waits to be unparked; if it was since it parked last, it does not wait.
 *
 * ST_BAD_ARG: `self` is another thread.
 * ST_DEADLINE: nobody did until then. */
static inline status_t sys_thread_park(cap_t self, uint64_t deadline)
{
	return SYS(thread_park, self, deadline).status;
}

/* Wakes a thread from park, now or when it parks next. */
static inline status_t sys_thread_unpark(cap_t thread)
{
	return SYS(thread_unpark, thread).status;
}

/* Brings a thread out of guest mode, now or when it enters it next. */
static inline status_t sys_thread_kick(cap_t thread)
{
	return SYS(thread_kick, thread).status;
}

/* What a thread needs to run a foreign program, see sys_thread_set_guest. The page is counted
 * within the range that the capability `state` names. */
struct guest_setup {
	cap_t aspace, state;
	uint64_t page, fix_up_from, fix_up_to;
};

/* Binds a thread of a personality half to a guest half and a page of memory, the state page
 * (abi/guest.h), which is pinned; CAP_NONE for both takes them away. Where the thread's own code
 * in [fix_up_from, fix_up_to) can't access an address, it goes on at fix_up_to. The memory needs
 * RIGHT_READ as well. Should the guest lose its personality half, because the capability that it
 * was made with is revoked, the thread goes on in its own half, without the guest, as soon as it
 * comes out of guest mode.
 *
 * ST_BAD_STATE: the thread is neither stopped nor the caller, or it is in guest mode; or the memory
 *   is sealed or a device's.
 * ST_PEER_GONE: the memory of the page is a view, and the memory that it shows is gone.
 * ST_BAD_ARG: one of the two without the other, an address space that is no guest half or is made
 *   with another personality half than the thread's, a page outside of what the capability names,
 *   or a range that is none.
 * ST_NO_RIGHT: the memory lacks RIGHT_READ, or the page was shared read-only.
 * ST_REVOKED: one of the capabilities is being revoked.
 * ST_NO_QUOTA: the page is pinned too often.
 * ST_NO_MEMORY: the page can't be paid for. */
static inline status_t sys_thread_set_guest(cap_t thread, const struct guest_setup *g)
{
	return SYS(thread_set_guest, thread, g->aspace, g->state, g->page, g->fix_up_from,
		   g->fix_up_to)
		.status;
}

/* Runs the foreign program whose registers are in the state page, until it makes a system call,
 * faults, or is kicked: the page says which, and has its registers.
 *
 * ST_BAD_ARG: `self` is another thread, or there are addresses in the registers that user mode
 *   can't have.
 * ST_BAD_STATE: the thread has no guest.
 * ST_PEER_GONE: the guest half or the state page has gone meanwhile. */
static inline status_t sys_guest_enter(cap_t self)
{
	return SYS(guest_enter, self).status;
}

/* ---- messages ---- */

/* Makes an endpoint.
 *
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_endpoint_create(cap_t payer, cap_t *made)
{
	struct sys_result r = SYS(endpoint_create, payer);

	*made = r.out[0];
	return r.status;
}

/* A message that has come: who sent it, by the badge of his capability; and how to answer it
 * later. Payload and capabilities are in the message block. */
struct message_in {
	uint64_t info, badge, number;
};

/* Sends the message in the caller's block, which `info` (MSG_INFO) describes, and waits for the
 * answer. Capabilities leave the caller's space when a server takes the message, all or none.
 *
 * ST_BAD_ARG: a payload or a number of capabilities that is too large, or flags of a capability
 *   that are none, or one that is moved is there twice.
 * ST_BAD_STATE: there is a payload or a capability, and one of the two sides has no block for it.
 * ST_BAD_CAP: a handle in the block names nothing.
 * ST_NO_RIGHT: a capability lacks RIGHT_SEND, or RIGHT_COPY to be copied.
 * ST_TOO_BIG: a capability can't be moved or copied, see cap_move and cap_copy.
 * ST_REVOKED: what a capability was derived from is being revoked.
 * ST_NO_MEMORY: the server's space can't grow.
 * ST_NO_SLOTS: the server's space is full.
 * ST_PEER_GONE: the endpoint or the server died, or the server will not answer.
 * ST_DEADLINE: there was no answer until then. */
static inline status_t sys_endpoint_call(cap_t endpoint, uint64_t info, uint64_t deadline,
					 uint64_t *answer)
{
	struct sys_result r = SYS(endpoint_call, endpoint, info, deadline);

	*answer = r.out[0];
	return r.status;
}

/* Waits for a message, or for bits of the notification that is bound to the caller: then info is
 * MSG_NOTIFICATION, and the badge is the bits. A call that is still in hand is given up.
 *
 * ST_DEADLINE: nothing came until then.
 * ST_PEER_GONE: the endpoint died.
 * ST_BAD_STATE: a message had capabilities, and the caller has no block for them.
 * ST_NO_MEMORY: a message had capabilities, and the caller's space can't grow.
 * ST_NO_SLOTS: a message had capabilities, and the caller's space is full.
 * ST_BAD_CAP: a message had capabilities that have died; as other errors of endpoint_call about
 *   capabilities it is told to both sides. */
static inline status_t sys_endpoint_receive(cap_t endpoint, uint64_t deadline, struct message_in *m)
{
	struct sys_result r = SYS(endpoint_receive, endpoint, deadline);

	*m = (struct message_in){ r.out[0], r.out[1], r.out[2] };
	return r.status;
}

/* Answers the call in hand with the message in the caller's block.
 *
 * ST_BAD_ARG: `self` is another thread, or as for endpoint_call.
 * ST_PEER_GONE: there is no call in hand, or who called is gone.
 * ST_BAD_STATE: as for endpoint_call; the call is still in hand after this and what follows.
 * ST_BAD_CAP: as for endpoint_call.
 * ST_NO_RIGHT: as for endpoint_call.
 * ST_TOO_BIG: as for endpoint_call.
 * ST_REVOKED: as for endpoint_call.
 * ST_NO_MEMORY: the caller's space can't grow.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_endpoint_reply(cap_t self, uint64_t info)
{
	return SYS(endpoint_reply, self, info).status;
}

/* Answers the call in hand, if there is one, then waits as endpoint_receive does.
 *
 * ST_BAD_ARG: as for endpoint_reply; nothing is received after this and what follows up to the
 *   deadline.
 * ST_BAD_STATE: as for endpoint_reply, or for endpoint_receive.
 * ST_BAD_CAP: as for endpoint_reply, or for endpoint_receive.
 * ST_NO_RIGHT: as for endpoint_reply.
 * ST_TOO_BIG: as for endpoint_reply.
 * ST_REVOKED: as for endpoint_reply.
 * ST_NO_MEMORY: as for endpoint_reply, or for endpoint_receive.
 * ST_NO_SLOTS: as for endpoint_reply, or for endpoint_receive.
 * ST_DEADLINE: the answer was given, but nothing came until then.
 * ST_PEER_GONE: the endpoint died. */
static inline status_t sys_endpoint_reply_receive(cap_t endpoint, uint64_t info, uint64_t deadline,
						  struct message_in *m)
{
	struct sys_result r = SYS(endpoint_reply_receive, endpoint, info, deadline);

	*m = (struct message_in){ r.out[0], r.out[1], r.out[2] };
	return r.status;
}

/* Makes an object that keeps one call to answer it later.
 *
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_reply_create(cap_t payer, cap_t *made)
{
	struct sys_result r = SYS(reply_create, payer);

	*made = r.out[0];
	return r.status;
}

/* Puts the call in hand into `reply`; the number is what names it from now on.
 *
 * ST_BAD_STATE: there is no call in hand.
 * ST_EXISTS: it keeps another call. */
static inline status_t sys_reply_save(cap_t reply, uint64_t *number)
{
	struct sys_result r = SYS(reply_save, reply);

	*number = r.out[0];
	return r.status;
}

/* Answers the call that `reply` keeps with the message in the caller's block.
 *
 * ST_BAD_ARG: the number is 0, or as for endpoint_call.
 * ST_PEER_GONE: it does not keep the call of this number, or who called is gone.
 * ST_BAD_STATE: as for endpoint_call; the call is kept after this and what follows.
 * ST_BAD_CAP: as for endpoint_call.
 * ST_NO_RIGHT: as for endpoint_call.
 * ST_TOO_BIG: as for endpoint_call.
 * ST_REVOKED: as for endpoint_call.
 * ST_NO_MEMORY: the caller's space can't grow.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_reply_send(cap_t reply, uint64_t info, uint64_t number)
{
	return SYS(reply_send, reply, info, number).status;
}

/* ---- notifications, timers ---- */

/* Makes a notification.
 *
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_notification_create(cap_t payer, cap_t *made)
{
	struct sys_result r = SYS(notification_create, payer);

	*made = r.out[0];
	return r.status;
}

/* Sets bits, of those in the capability's badge if it has one, and wakes who waits for them.
 *
 * ST_BAD_ARG: that is none. */
static inline status_t sys_notification_signal(cap_t notification, uint64_t bits)
{
	return SYS(notification_signal, notification, bits).status;
}

/* Takes all bits that are set, or waits for some.
 *
 * ST_WOULD_BLOCK: there are none, and the deadline has passed already.
 * ST_DEADLINE: none came until then.
 * ST_PEER_GONE: the notification died. */
static inline status_t sys_notification_wait(cap_t notification, uint64_t deadline, uint64_t *bits)
{
	struct sys_result r = SYS(notification_wait, notification, deadline);

	*bits = r.out[1];
	return r.status;
}

/* Makes a timer that signals `bits`, of those in the badge of the capability if it has one.
 *
 * ST_BAD_ARG: that is none.
 * ST_REVOKED: the capability to the notification is being revoked.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_timer_create(cap_t payer, cap_t notification, uint64_t bits, cap_t *made)
{
	struct sys_result r = SYS(timer_create, payer, notification, bits);

	*made = r.out[0];
	return r.status;
}

/* Signals at the deadline, and then every `period` nanoseconds if that is not 0. UINT64_MAX takes
 * back what was armed.
 *
 * ST_BAD_ARG: the period is too short or too long.
 * ST_PEER_GONE: the notification is gone. */
static inline status_t sys_timer_arm(cap_t timer, uint64_t deadline, uint64_t period)
{
	return SYS(timer_arm, timer, deadline, period).status;
}

/* ---- scheduling ---- */

/* Makes a sched with the parameters of `parent`, but no budget. RIGHT_CONFIGURE, to whichever
 * sched, is authority over the time of all CPUs: who has it makes scheds of any share. Programs
 * that are not to decide that are given RIGHT_RUN alone.
 *
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_sched_create(cap_t payer, cap_t parent, cap_t *made)
{
	struct sys_result r = SYS(sched_create, payer, parent);

	*made = r.out[0];
	return r.status;
}

/* What share of the CPUs, see sys_sched_configure. Budget and period are nanoseconds; budget 0:
 * no limit. */
struct sched_share {
	uint32_t priority, weight;
	uint64_t budget, period, cpus;
};

/* Changes the share of all threads that run on the sched.
 *
 * ST_BAD_ARG: no CPU, or a priority, weight, budget or period out of range.
 * ST_NO_MEMORY: its quota has not got enough for another CPU. */
static inline status_t sys_sched_configure(cap_t sched, const struct sched_share *s)
{
	return SYS(sched_configure, sched, s->priority | (uint64_t)s->weight << 32, s->budget,
		   s->period, s->cpus)
		.status;
}

/* Tells how many nanoseconds were spent since it was made, priority and weight (in the upper half),
 * and what is left in this period (negative: a debt). */
static inline status_t sys_sched_read(cap_t sched, uint64_t *spent, uint64_t *share, int64_t *left)
{
	struct sys_result r = SYS(sched_read, sched);

	*spent = r.out[0];
	*share = r.out[1];
	*left = (int64_t)r.out[2];
	return r.status;
}

/* ---- devices ---- */

/* Where a device has to write what, to interrupt by a message. */
struct irq_message {
	uint64_t address, data;
};

/* Makes an interrupt of a source (IRQ_LINE ...) that goes to one CPU. *message is for IRQ_MESSAGE
 * alone.
 *
 * ST_BAD_ARG: no such source, line or CPU.
 * ST_EXISTS: the line is somebody else's.
 * ST_UNSUPPORTED: the machine has no more vectors, no such trigger, or no way to that CPU.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_irq_create(cap_t payer, cap_t node, uint64_t source, uint64_t cpu,
				      cap_t *made, struct irq_message *message)
{
	struct sys_result r = SYS(irq_create, payer, node, source, cpu);

	*made = r.out[0];
	*message = (struct irq_message){ r.out[1], r.out[2] };
	return r.status;
}

/* From now on the interrupt signals `bits`, of those in the badge of the capability if it has one.
 * It is masked again when the notification is gone.
 *
 * ST_BAD_ARG: that is none.
 * ST_EXISTS: it is bound already.
 * ST_REVOKED: the capability to the notification is being revoked. */
static inline status_t sys_irq_bind(cap_t irq, cap_t notification, uint64_t bits)
{
	return SYS(irq_bind, irq, notification, bits).status;
}

/* The device was served: the interrupt may come again.
 *
 * ST_BAD_STATE: it has not come. */
static inline status_t sys_irq_ack(cap_t irq)
{
	return SYS(irq_ack, irq).status;
}

/* Makes the object that says what one device (DMA_PCI) may reach: nothing yet. Whoever destroys it
 * says that the device was reset.
 *
 * ST_BAD_ARG: no such device.
 * ST_EXISTS: there is one for the device; one that was destroyed counts until it is gone.
 * ST_NO_MEMORY: the quota has not got enough.
 * ST_NO_SLOTS: the caller's space is full. */
static inline status_t sys_dma_create(cap_t payer, cap_t node, uint64_t device, cap_t *made)
{
	struct sys_result r = SYS(dma_create, payer, node, device);

	*made = r.out[0];
	return r.status;
}

/* What to map for a device, see sys_dma_map. */
struct dma_range {
	uint64_t page, count;
};

/* Lets the device reach pages of memory, which stay where they are until they are unmapped: even
 * when the capability is revoked, or the memory dies. *bus is the address for the device. The
 * capability needs RIGHT_READ and RIGHT_MAP as well, whatever the access (DMA_READ ...) is, as no
 * machine is made to watch over it yet.
 *
 * ST_NO_RIGHT: the capability lacks one of these, or the page was shared read-only.
 * ST_BAD_ARG: no page, pages outside of what the capability names, or access that can't be.
 * ST_UNSUPPORTED: several pages of memory that is not contiguous.
 * ST_BAD_STATE: the memory is sealed, or a device's.
 * ST_REVOKED: the capability is being revoked.
 * ST_NO_QUOTA: the page is pinned too often.
 * ST_NO_MEMORY: the quota of the DMA object has not got enough. */
static inline status_t sys_dma_map(cap_t dma, cap_t memory, const struct dma_range *d,
				   uint64_t access, uint64_t *bus)
{
	struct sys_result r = SYS(dma_map, dma, memory, d->page, d->count, access);

	*bus = r.out[0];
	return r.status;
}

/* The device does not use a mapping any more. *taken is 1 if the capability was revoked, or the
 * memory died, meanwhile.
 *
 * ST_BAD_ARG: there is no mapping of just this range. */
static inline status_t sys_dma_unmap(cap_t dma, uint64_t bus, uint64_t pages, uint64_t *taken)
{
	struct sys_result r = SYS(dma_unmap, dma, bus, pages);

	*taken = r.out[0];
	return r.status;
}

/* Reads 1, 2 or 4 bytes (`width`) of a port, counted from the first that the capability names.
 *
 * ST_BAD_ARG: another width, or beyond the ports that the capability names. */
static inline status_t sys_ioport_read(cap_t ports, uint64_t port, uint64_t width, uint64_t *value)
{
	struct sys_result r = SYS(ioport_read, ports, port, width);

	*value = r.out[0];
	return r.status;
}

/* Writes to a port, see ioport_read.
 *
 * ST_BAD_ARG: another width, or beyond the ports that the capability names. */
static inline status_t sys_ioport_write(cap_t ports, uint64_t port, uint64_t width, uint64_t value)
{
	return SYS(ioport_write, ports, port, width, value).status;
}

/* ---- node ---- */

/* What came of the log: bytes, and the position behind them. */
struct log_part {
	uint64_t bytes, next;
};

/* Copies what the kernel's log holds from `position` on; what has fallen out of it is skipped.
 *
 * ST_TOO_BIG: more than NODE_LOG_MAX bytes.
 * ST_BAD_ADDRESS: the caller's memory can't be written.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_node_log(cap_t node, uint64_t position, void *buffer, uint64_t size,
				    struct log_part *part)
{
	struct sys_result r = SYS(node_log, node, position, (uintptr_t)buffer, size);

	*part = (struct log_part){ r.out[0], r.out[1] };
	return r.status;
}

/* Copies the first `size` bytes of the counters of one CPU (struct node_counters); *all is how many
 * there are.
 *
 * ST_BAD_ARG: no such CPU.
 * ST_BAD_ADDRESS: the caller's memory can't be written.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_node_counters(cap_t node, uint64_t cpu, void *buffer, uint64_t size,
					 uint64_t *all)
{
	struct sys_result r = SYS(node_counters, node, cpu, (uintptr_t)buffer, size);

	*all = r.out[0];
	return r.status;
}

/* Gives random bytes.
 *
 * ST_TOO_BIG: more than NODE_ENTROPY_MAX.
 * ST_BAD_ADDRESS: the caller's memory can't be written.
 * ST_NO_MEMORY: the caller's memory can't be paid for. */
static inline status_t sys_node_entropy(cap_t node, void *buffer, uint64_t size)
{
	return SYS(node_entropy, node, (uintptr_t)buffer, size).status;
}

/* Ends the machine (enum node_power); does not return.
 *
 * ST_BAD_ARG: no such way. */
static inline status_t sys_node_power(cap_t node, uint64_t how)
{
	return SYS(node_power, node, how).status;
}
