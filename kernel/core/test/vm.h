/* SPDX-License-Identifier: MIT */
/* kernel/core/test/vm.h - memory objects and address spaces for tests: calls by handle, as
 * the system-call layer makes them, to their end; and a user who touches memory. */
#pragma once
#include "world.h"
#include <core/aspace.h>
#include <core/memory.h>

#define PAGE FRAME_SIZE

/* world_boot and memory_init. */
void vm_boot(void);

/* New objects, with all rights, in `home`; CAP_NONE if that is refused: why, vm_status says. */
extern _Thread_local status_t vm_status;
cap_t vm_memory(struct quota *q, uint64_t pages, enum memory_kind kind);
cap_t vm_view(struct quota *q, cap_t sealed);
cap_t vm_aspace(struct quota *q, enum aspace_kind kind, cap_t half);

/* What a handle names. */
struct memory *vm_object(cap_t memory);
struct aspace *vm_space(cap_t aspace);

/* Makes a root of `as` active on this CPU, if another one is. */
static inline void vm_switch(struct aspace *as, enum pagetable_which which)
{
	if (arch_this_cpu()->tables.root != as->table.root[which].pa)
		pagetable_load(&as->table, which);
}

/* Calls on an address space; vm_map maps from the first page on. */
status_t vm_map(cap_t aspace, cap_t memory, vaddr_t va, uint64_t count, unsigned access);
status_t vm_map_at(cap_t aspace, cap_t memory, const struct map_request *r);
status_t vm_unmap(cap_t aspace, vaddr_t va, uint64_t pages);
status_t vm_protect(cap_t aspace, vaddr_t va, uint64_t pages, unsigned access);
status_t vm_scan(cap_t aspace, vaddr_t va, uint64_t pages, uint8_t *out);

/* Calls on a memory object; the copies are of one word. */
status_t vm_commit(cap_t memory, uint64_t page, uint64_t count);
status_t vm_decommit(cap_t memory, uint64_t page, uint64_t count);
status_t vm_seal(cap_t memory);
status_t vm_pin(cap_t memory, uint64_t page, paddr_t *pa);
void vm_unpin(cap_t memory, uint64_t page);
status_t vm_copy_in(cap_t memory, uint64_t offset, uint64_t value);
status_t vm_copy_out(cap_t memory, uint64_t offset, uint64_t *value);

/* On ST_OK and else, *done pages are shared. */
struct vm_share {
	cap_t to, from;
	uint64_t to_page, from_page, count;
	bool read_only;
};
status_t vm_share(const struct vm_share *s, uint64_t *done);

/* The user of `aspace` on this CPU touches a word; ST_OK, or why the fault can't be resolved. */
status_t vm_touch(struct aspace *as, vaddr_t va, unsigned access, paddr_t *pa);
status_t vm_write(struct aspace *as, vaddr_t va, uint64_t value);
status_t vm_read(struct aspace *as, vaddr_t va, uint64_t *value);

/* True when slots, counts, frames, mappings and translations of the object agree; and regions,
 * mappings and counts of the space. */
bool memory_ok(struct memory *m) REQUIRES(m->obj.lock);
bool aspace_ok(struct aspace *as) REQUIRES(as->obj.lock);

/* The same by handle, with the lock taken for it. */
bool vm_memory_ok(cap_t memory);
bool vm_aspace_ok(cap_t aspace);

/* Frames that the object holds and its quota pays for: table nodes, and slots as the rule about
 * shared frames has it, but for frames of which the quota is payer. */
uint64_t vm_memory_frames(struct memory *m);
uint64_t vm_table_frames(struct aspace *as);
uint64_t vm_payer_frames(const struct quota *q);

/* Frames that a device's mappings hold and another quota took: the object's pays for each. */
uint64_t vm_dma_frames(struct object *dma);

/* Pins of all pages. */
uint64_t vm_pins(const struct memory *m);

/* Slots that name a frame. */
uint64_t vm_committed(const struct memory *m);

/* Pages that are mapped in `as`. */
uint64_t vm_mapped(const struct aspace *as);

/* True if this CPU has no translation of `as` that its tables don't have. */
bool vm_tlb_ok(struct aspace *as);
