/* SPDX-License-Identifier: MIT */
/* kernel/core/lock_order.h - the one order in which locks are taken.
 *
 * A CPU that holds a lock may only take one of a higher rank. Locks of one rank
 * are taken in the order of their addresses, and only by spin_lock_second.
 * Debug builds check both (spinlock.c). docs/book/smp.md explains the order.
 */
#pragma once

/* L(rank, name), the first to be taken first */
#define LOCK_ORDER(L)                                                                              \
	L(TREE, "tree")             /* derivation tree of one object */                            \
	L(CSPACE, "cspace")         /* capability slots */                                         \
	L(ASPACE, "aspace")         /* address space */                                            \
	L(MEMORY, "memory")         /* memory object */                                            \
	L(IPC, "ipc")               /* endpoint, notification and the other small objects */       \
	L(THREAD, "thread")         /* thread */                                                   \
	L(RUN_QUEUE, "run queue")   /* one CPU's run queue */                                      \
	L(TIMER, "timer")           /* one CPU's deadline queue */                                 \
	L(IRQ, "irq")               /* registers of one I/O APIC */                                \
	L(QUOTA, "quota")           /* quota */                                                    \
	L(SLAB, "slab")             /* slab cache */                                               \
	L(REAPER, "reaper")         /* objects that one CPU's reaper destroys */                   \
	L(GRACE, "grace")           /* the count of grace periods */                               \
	L(KERNEL_MAP, "kernel map") /* the kernel's own page tables */                             \
	L(FRAME, "frame")           /* buddy allocator of one zone */                              \
	L(RANDOM, "random")         /* entropy pool */                                             \
	L(LOG, "log")               /* log ring; may be taken with anything held */

#define LOCK_RANK(rank, name) LOCK_##rank,
#define LOCK_NAME(rank, name) name,

enum lock_rank { LOCK_NONE, LOCK_ORDER(LOCK_RANK) LOCK_RANKS };
