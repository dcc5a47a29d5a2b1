/* SPDX-License-Identifier: MIT */
#include <core/timer.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/spinlock.h>

struct timer_queue {
	struct spinlock lock;
	struct ktimer *root;
	uint64_t random; /* state of the generator of weights */
} ALIGNED(64);

static struct timer_queue queues[CPU_MAX];

uint64_t time_now(void)
{
	return arch_time_ns();
}

void timer_cpu_init(void)
{
	struct cpu *c = arch_this_cpu();
	struct timer_queue *q = &queues[c->id];

	spin_init(&q->lock, LOCK_TIMER);
	/* Any start but zero will do; weights are never shown to anybody. */
	q->random = (arch_cycles() ^ (uint64_t)c->id << 56) | 1;
	c->timers = q;
}

/* A generator of its own, as random_u64 costs a block of ChaCha20 under a lock that
 * all CPUs share. A weight need not be secret for long, only not chosen by whoever
 * sets the timers. */
static uint32_t random_weight(struct timer_queue *q)
{
	/* Marsaglia's xorshift. */
	q->random ^= q->random << 13;
	q->random ^= q->random >> 7;
	q->random ^= q->random << 17;
	return (uint32_t)(q->random >> 32);
}

/* The pointer through which the tree reaches `t`. */
static struct ktimer **link_to(struct timer_queue *q, struct ktimer *t)
{
	if (t->parent == NULL)
		return &q->root;
	return t->parent->left == t ? &t->parent->left : &t->parent->right;
}

/* Makes `t` the parent of its parent; the order from left to right stays. */
static void rotate_up(struct timer_queue *q, struct ktimer *t)
{
	struct ktimer *p = t->parent, *inner;

	*link_to(q, p) = t;
	t->parent = p->parent;
	p->parent = t;
	if (p->left == t) {
		inner = t->right;
		t->right = p;
		p->left = inner;
	} else {
		inner = t->left;
		t->left = p;
		p->right = inner;
	}
	if (inner != NULL)
		inner->parent = p;
}

/* True when `t` is now the first of all. */
static bool queue_insert(struct timer_queue *q, struct ktimer *t)
{
	struct ktimer **link = &q->root, *parent = NULL;
	bool first = true;

	while (*link != NULL) {
		parent = *link;
		if (t->deadline < parent->deadline) {
			link = &parent->left;
		} else {
			link = &parent->right; /* behind its equals */
			first = false;
		}
	}
	*link = t;
	t->parent = parent;
	t->left = t->right = NULL;
	t->weight = random_weight(q);
	/* It came in as a leaf, which keeps the order of deadlines; rotations keep
	 * that and bring back the order of weights. No recursion, as the stack is
	 * short. */
	while (t->parent != NULL && t->parent->weight < t->weight)
		rotate_up(q, t);
	return first;
}

/* Down until it is a leaf, each time past the heavier child, so that the rest is a
 * heap again. `cpu` is cleared last: who reads 0 without the lock may set the timer
 * on another queue at once. */
static void queue_remove(struct timer_queue *q, struct ktimer *t)
{
	while (t->left != NULL || t->right != NULL) {
		if (t->right == NULL || (t->left != NULL && t->left->weight > t->right->weight))
			rotate_up(q, t->left);
		else
			rotate_up(q, t->right);
	}
	*link_to(q, t) = NULL;
	t->parent = NULL;
	atomic_store_explicit(&t->cpu, 0, memory_order_release);
}

static struct ktimer *first_of(const struct timer_queue *q)
{
	struct ktimer *t = q->root;

	while (t != NULL && t->left != NULL)
		t = t->left;
	return t;
}

static uint64_t first_deadline(const struct timer_queue *q)
{
	const struct ktimer *t = first_of(q);

	return t == NULL ? TIMER_NEVER : t->deadline;
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
	if (queue_insert(q, t))
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

uint64_t timer_next(void)
{
	struct timer_queue *q = arch_this_cpu()->timers;

	spin_lock(&q->lock);
	uint64_t deadline = first_deadline(q);
	spin_unlock(&q->lock);
	return deadline;
}
