/* SPDX-License-Identifier: MIT */
#include <core/spinlock.h>
#include <core/cpu.h>

static const char *const rank_name[] = { "none", LOCK_ORDER(LOCK_NAME) };

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT((uint8_t)rank);
}

/* Counted once for each wait, however long: what tests want to know is how often
 * CPUs met. Interrupts are off, so nothing but this loop answers for the CPU
 * meanwhile; who asked it to flush would wait for as long as the queue before the
 * lock takes. */
void spin_wait(const struct spinlock *l, uint16_t ticket)
{
	cpu_count_up(&arch_this_cpu()->lock_waits);
	while (atomic_load_explicit(&l->owner, memory_order_acquire) != ticket) {
		tlb_serve();
		arch_cpu_relax();
	}
}

/* `l` may be taken after those that are held if it ranks higher, or, where the caller says
 * that it takes a further one, if it ranks the same and lies higher. All are compared, not the
 * last one alone: spin_trylock takes locks in any order, so the last need not be the highest. */
void spin_check_order(const struct spinlock *l, bool second)
{
	const struct cpu *c = arch_this_cpu();

	for (uint32_t i = 0; i < c->locks_held; i++) {
		const struct spinlock *held = c->lock[i];
		bool higher = l->rank == held->rank ? second && l > held : l->rank > held->rank;
		if (!higher)
			panic("lock order: %s lock %p taken while %s lock %p is held",
			      rank_name[l->rank], (const void *)l, rank_name[held->rank],
			      (const void *)held);
	}
}

void spin_note_taken(const struct spinlock *l)
{
	struct cpu *c = arch_this_cpu();

	ASSERT(c->locks_held < CPU_LOCKS_HELD);
	c->lock[c->locks_held++] = l;
}

void spin_note_released(const struct spinlock *l)
{
	struct cpu *c = arch_this_cpu();
	uint32_t i = c->locks_held;

	/* From the end, as locks are mostly let go in the reverse order; they need
	 * not be. */
	while (i > 0 && c->lock[i - 1] != l)
		i--;
	if (i == 0)
		panic("%s lock %p released by CPU %u, which does not hold it", rank_name[l->rank],
		      (const void *)l, c->id);
	for (; i < c->locks_held; i++)
		c->lock[i - 1] = c->lock[i];
	c->locks_held--;
}

void spin_check_none_held(void)
{
	const struct cpu *c = arch_this_cpu();

	if (c->locks_held > 0)
		panic("%s lock %p is held where none may be",
		      rank_name[c->lock[c->locks_held - 1]->rank],
		      (const void *)c->lock[c->locks_held - 1]);
}
