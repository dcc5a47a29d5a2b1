/* SPDX-License-Identifier: MIT */
#include <core/timer.h>
#include <core/cpu.h>

static struct timer_queue queues[CPU_MAX];

uint64_t time_now(void)
{
	return arch_time_ns();
}

void timer_cpu_init(void)
{
	struct cpu *c = arch_this_cpu();

	c->timers = &queues[c->id];
	spin_init(&c->timers->lock, LOCK_TIMER);
}

static struct ktimer *first_of(const struct timer_queue *q)
{
	struct tree_node *n = tree_first(&q->timers);

	return n == NULL ? NULL : container_of(n, struct ktimer, node);
}

static uint64_t first_deadline(const struct timer_queue *q)
{
	const struct ktimer *t = first_of(q);

	return t == NULL ? TIMER_NEVER : t->deadline;
}

/* `cpu` is cleared last: who reads 0 without the lock may set the timer on another queue at
 * once. */
static void queue_remove(struct timer_queue *q, struct ktimer *t)
{
	tree_remove(&q->timers, &t->node);
	atomic_store_explicit(&t->cpu, 0, memory_order_release);
}

void timer_set(struct ktimer *t, uint64_t deadline, ktimer_fn *fire)
{
	struct cpu *c = arch_this_cpu();
	struct timer_queue *q = c->timers;

	spin_lock(&q->lock);
	ASSERT(atomic_load_explicit(&t->cpu, memory_order_relaxed) == 0); /* in one queue */
	t->deadline = deadline;
	t->fire = fire;
	atomic_store_explicit(&t->cpu, c->id + 1, memory_order_relaxed);
	tree_insert(&q->timers, &t->node, deadline, deadline);
	if (first_of(q) == t)
		arch_timer_arm(deadline);
	spin_unlock(&q->lock);
}

bool timer_cancel(struct ktimer *t)
{
	uint32_t cpu;

	/* Between the look and the lock it may fire, and be set elsewhere. */
	while ((cpu = atomic_load_explicit(&t->cpu, memory_order_acquire)) != 0) {
		struct timer_queue *q = &queues[cpu - 1];

		spin_lock(&q->lock);
		if (atomic_load_explicit(&t->cpu, memory_order_relaxed) == cpu) {
			bool was_first = first_of(q) == t;
			queue_remove(q, t);
			/* Another CPU's timer interrupt comes for nothing, once. */
			if (was_first && q == arch_this_cpu()->timers)
				arch_timer_arm(first_deadline(q));
			spin_unlock(&q->lock);
			return true;
		}
		spin_unlock(&q->lock);
	}
	return false;
}

/* `now` is read once, so a function that sets timers in the past cannot keep us
 * here. Without the lock while one runs: it may set and cancel timers, and take
 * locks that rank lower. A first deadline that has passed is armed all the same;
 * the interrupt then comes as soon as interrupts are on again. */
void timer_interrupt(void)
{
	struct timer_queue *q = arch_this_cpu()->timers;
	uint64_t now = time_now();

	spin_lock(&q->lock);
	for (unsigned n = 0; n < TIMER_BATCH; n++) {
		struct ktimer *t = first_of(q);
		if (t == NULL || t->deadline > now)
			break;
		ktimer_fn *fire = t->fire;
		queue_remove(q, t);
		spin_unlock(&q->lock);
		fire(t);
		spin_lock(&q->lock);
	}
	arch_timer_arm(first_deadline(q));
	spin_unlock(&q->lock);
}
