/* SPDX-License-Identifier: MIT */
/* kernel/core/spinlock.h - a fair lock for short sections, interrupts off.
 *
 * The kernel runs with interrupts off, so a CPU that spins must go on serving
 * other CPUs' TLB shootdowns: spin_lock does so through tlb_serve(). Nobody
 * waits for a shootdown with a lock held.
 *
 * Ticket lock: waiters are served in the order of arrival. In debug builds each
 * CPU records what it holds and a lock taken against lock_order.h panics, naming
 * both locks.
 */
#pragma once
#include <core/lock_order.h>
#include <core/types.h>
#include <stdatomic.h>

struct LOCKABLE spinlock {
	_Atomic uint16_t next;   /* ticket of the next to arrive */
	_Atomic uint16_t owner;  /* ticket being served */
	uint8_t rank;            /* enum lock_rank */
	_Atomic uint8_t contended; /* somebody had to wait (statistics) */
	uint16_t holder;         /* debug: CPU number + 1 of the holder */
};

#define SPINLOCK_INIT(r) { .rank = (r) }

void spin_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l) ACQUIRES(*l);
void spin_unlock(struct spinlock *l) RELEASES(*l);

/* Takes a second lock of the rank that is held already; its address must be
 * the higher one. */
void spin_lock_second(struct spinlock *l) ACQUIRES(*l);

/* Takes the lock only if that needs no waiting. */
MUST_CHECK bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(*l);

bool spin_is_held(const struct spinlock *l);

/* Panics if this CPU holds a lock (debug builds; else does nothing). Called
 * before waiting for a shootdown and on every return to user mode. */
void spin_assert_none_held(void);

/* Number of times that a CPU had to wait for a lock since boot, all CPUs. */
uint64_t spin_contended_total(void);
