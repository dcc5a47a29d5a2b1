/* SPDX-License-Identifier: MIT */
/* kernel/core/spinlock.h - a fair lock for short sections, interrupts off.
 *
 * The kernel runs with interrupts off, so a CPU that spins must go on serving
 * other CPUs' TLB shootdowns: spin_lock does so through tlb_serve(). Nobody
 * waits for a shootdown with a lock held.
 *
 * Ticket lock: waiters are served in the order of arrival. In debug builds each
 * CPU records what it holds and a lock taken against lock_order.h panics, naming
 * both ranks.
 *
 * Order of memory: who takes the lock has read `owner` with acquire, as it was
 * stored with release by whoever let go before. The ticket itself orders nothing.
 */
#pragma once
#include <arch/arch.h>
#include <core/lock_order.h>
#include <stdatomic.h>

struct LOCKABLE spinlock {
	_Atomic uint16_t next;  /* ticket of the next to arrive */
	_Atomic uint16_t owner; /* ticket being served */
	uint8_t rank;           /* enum lock_rank */
	uint8_t reserved[3];
};

#define SPINLOCK_INIT(r)                                                                           \
	{                                                                                          \
		.rank = (r)                                                                        \
	}

/* A lock that is free; the caller owns its memory. */
void spin_init(struct spinlock *l, enum lock_rank rank);

/* Waits until `ticket` is served; counts the wait. */
void spin_wait(const struct spinlock *l, uint16_t ticket);

/* Debug builds: the checks, and the list in struct cpu. */
void spin_check_order(const struct spinlock *l, bool second);
void spin_note_taken(const struct spinlock *l);
void spin_note_released(const struct spinlock *l);
void spin_check_none_held(void);

#ifdef DEBUG
#define SPIN_DEBUG(x) (x)
#else
#define SPIN_DEBUG(x) ((void)0)
#endif

UNCHECKED_LOCKS static inline void spin_take(struct spinlock *l)
{
	uint16_t ticket = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);

	if (UNLIKELY(atomic_load_explicit(&l->owner, memory_order_acquire) != ticket))
		spin_wait(l, ticket);
	SPIN_DEBUG(spin_note_taken(l));
}

UNCHECKED_LOCKS static inline void spin_lock(struct spinlock *l) ACQUIRES(*l)
{
	SPIN_DEBUG(spin_check_order(l, false));
	spin_take(l);
}

/* Takes a further lock of the rank that is held already; its address must be
 * above those of all that are held of this rank. */
UNCHECKED_LOCKS static inline void spin_lock_second(struct spinlock *l) ACQUIRES(*l)
{
	SPIN_DEBUG(spin_check_order(l, true));
	spin_take(l);
}

/* Takes the lock only if that needs no waiting, so in any order. */
MUST_CHECK UNCHECKED_LOCKS static inline bool spin_trylock(struct spinlock *l) TRY_ACQUIRES(*l)
{
	/* Free means that the next ticket is the one being served. If it is
	 * still the next when it is drawn, nobody came in between. */
	uint16_t ticket = atomic_load_explicit(&l->owner, memory_order_acquire);

	if (!atomic_compare_exchange_strong_explicit(&l->next, &ticket, (uint16_t)(ticket + 1),
						     memory_order_acquire, memory_order_relaxed))
		return false;
	SPIN_DEBUG(spin_note_taken(l));
	return true;
}

UNCHECKED_LOCKS static inline void spin_unlock(struct spinlock *l) RELEASES(*l)
{
	SPIN_DEBUG(spin_note_released(l));
	arch_release_next(&l->owner); /* only the holder writes it */
}

/* Panics if this CPU holds a lock (debug builds; else does nothing). Called
 * before waiting for a shootdown and on every return to user mode. */
static inline void spin_assert_none_held(void)
{
	SPIN_DEBUG(spin_check_none_held());
}
