/* SPDX-License-Identifier: MIT */
/* kernel/core/lock_order.h - the one order in which locks are taken.
 *
 * A CPU that holds a lock may only take one of a higher rank. Locks of one rank
 * are taken in the order of their addresses, and only by spin_lock_second.
 * Debug builds check both (spinlock.c). docs/book/smp.md explains the order.
 */
#pragma once

enum lock_rank {
	LOCK_TREE = 1,   /* derivation tree of one object */
	LOCK_CSPACE,     /* capability slots */
	LOCK_ASPACE,     /* address space */
	LOCK_MEMORY,     /* memory object */
	LOCK_IPC,        /* endpoint, notification and the other small objects */
	LOCK_THREAD,     /* thread */
	LOCK_RUN_QUEUE,  /* one CPU's run queue */
	LOCK_TIMER,      /* one CPU's deadline queue */
	LOCK_IRQ,        /* registers of one I/O APIC */
	LOCK_QUOTA,      /* quota */
	LOCK_SLAB,       /* slab cache */
	LOCK_REAPER,     /* objects that one CPU's reaper destroys */
	LOCK_GRACE,      /* the count of grace periods */
	LOCK_KERNEL_MAP, /* the kernel's own page tables */
	LOCK_FRAME,      /* buddy allocator of one zone */
	LOCK_RANDOM,     /* entropy pool */
	LOCK_LOG,        /* log ring; may be taken with anything held */
	LOCK_RANKS,
};
