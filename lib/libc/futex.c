/* SPDX-License-Identifier: MIT */
/* Who waits for a word stands in one of a few queues; the kernel only parks and unparks. Unpark
 * is sticky, so a wake-up between leaving the lock and parking is not lost; and for the
 * same reason park may return for nothing, so it is `waits_for` that tells. */
#include <lib/libc/port.h>
#include <errno.h>

#define QUEUES 64u

static struct queue {
	struct lock lock;
	struct thread *first, **end; /* `end` is NULL while it was never used */
} queues[QUEUES];

static struct queue *queue_of(const volatile int *word)
{
	return &queues[((uintptr_t)word >> 2 ^ (uintptr_t)word >> 9) % QUEUES];
}

static void enqueue(struct queue *q, struct thread *t, const volatile int *word)
{
	t->next = NULL;
	atomic_store(&t->waits_for, word);
	if (q->first == NULL)
		q->end = &q->first;
	*q->end = t;
	q->end = &t->next;
}

/* Takes the thread that *at points to out of the queue. */
static struct thread *dequeue(struct queue *q, struct thread **at)
{
	struct thread *t = *at;

	*at = t->next;
	if (q->end == &t->next)
		q->end = at;
	return t;
}

static void give_up(struct queue *q, struct thread *self)
{
	for (struct thread **at = &q->first; *at != NULL; at = &(*at)->next) {
		if (*at == self) {
			dequeue(q, at);
			return;
		}
	}
}

/* The queue that `self` stands in, locked; NULL if it waits no more. It may be moved to
 * another one at any time. */
static struct queue *queue_locked(struct thread *self)
{
	for (;;) {
		const volatile int *word = atomic_load(&self->waits_for);
		if (word == NULL)
			return NULL;
		struct queue *q = queue_of(word);
		lock_take(&q->lock);
		if (atomic_load(&self->waits_for) == word)
			return q;
		lock_release(&q->lock);
	}
}

long futex_wait(const volatile int *word, int value, uint64_t deadline)
{
	struct thread *self = thread_self();
	struct queue *q = queue_of(word);

	lock_take(&q->lock);
	if (*word != value) {
		lock_release(&q->lock);
		return -EAGAIN;
	}
	enqueue(q, self, word);
	lock_release(&q->lock);
	for (;;) {
		status_t st = SYS(thread_park, self->cap, deadline).status;
		q = queue_locked(self);
		if (q == NULL)
			return 0;
		if (st == ST_DEADLINE) {
			give_up(q, self);
			atomic_store(&self->waits_for, NULL);
		}
		lock_release(&q->lock);
		if (st == ST_DEADLINE)
			return -ETIMEDOUT;
	}
}

/* Wakes one that waits for `word`; whoever is woken may be gone a moment later. */
static void wake(struct queue *q, struct thread **at)
{
	struct thread *t = dequeue(q, at);
	cap_t cap = t->cap;

	atomic_store(&t->waits_for, NULL);
	SYS(thread_unpark, cap);
}

static long wake_locked(struct queue *q, const volatile int *word, int count)
{
	long woken = 0;

	for (struct thread **at = &q->first; *at != NULL && woken < count;) {
		if (atomic_load(&(*at)->waits_for) == word) {
			wake(q, at);
			woken++;
		} else {
			at = &(*at)->next;
		}
	}
	return woken;
}

long futex_wake(const volatile int *word, int count)
{
	struct queue *q = queue_of(word);

	lock_take(&q->lock);
	long woken = wake_locked(q, word, count);
	lock_release(&q->lock);
	return woken;
}

long futex_requeue(const volatile int *word, int wakes, int count, const volatile int *other)
{
	struct queue *from = queue_of(word), *to = queue_of(other);

	lock_take(from < to ? &from->lock : &to->lock);
	if (from != to)
		lock_take(from < to ? &to->lock : &from->lock);
	long moved = wake_locked(from, word, wakes);
	for (struct thread **at = &from->first; *at != NULL && count > 0;) {
		if (atomic_load(&(*at)->waits_for) != word) {
			at = &(*at)->next;
			continue;
		}
		count--;
		moved++;
		/* In one queue the last of all may be the same again. */
		enqueue(to, dequeue(from, at), other);
	}
	if (from != to)
		lock_release(&to->lock);
	lock_release(&from->lock);
	return moved;
}
