/* SPDX-License-Identifier: MIT */
#include <core/grace.h>
#include <core/cpu.h>
#include <core/timer.h>

/* Why a reader can't outlive the period
 *
 * Somebody clears the last place from which the memory could be found, then draws
 * a ticket; both before period n begins. A reader R found the memory earlier and
 * is still inside the kernel. R's CPU is one of these when n begins:
 * - The CPU that begins n: it waits for its own next exit.
 * - One that was found idle: the read-modify-write on `idle` here and the exchange
 *   by which it leaves idle are ordered one way or the other. If ours is first, the
 *   CPU sees everything that was cleared, so it finds nothing; if its own is first,
 *   we see it awake. It has no older R, being outside.
 * - Any other: tlb_barrier makes it pass a point P, where it notes its count of
 *   exits. Look-ups after P see what was cleared. R began before P, so the first
 *   exit after P is R's end or later: we wait for the count to differ from the one
 *   noted at P. Counting is a release store, our load of it acquires.
 * The barrier also makes a CPU that sits in user mode enter and leave the kernel.
 */

static struct {
	struct spinlock lock;

	/* Guarded by lock; what is atomic may be read without. */
	uint64_t begun; /* periods begun, the running one included */
	_Atomic uint64_t ended;
	bool beginning;          /* somebody is at it; nobody else touches the period */
	_Atomic uint64_t wanted; /* highest ticket drawn */
	uint64_t not_before;     /* the next begins */
	cpumask_t inside;        /* CPUs that may not have been outside since the beginning */
	uint64_t exits[CPU_MAX]; /* kernel_exits at the beginning, of these */
} grace = { .lock = SPINLOCK_INIT(LOCK_GRACE) };

uint64_t grace_ticket(void)
{
	spin_lock(&grace.lock);
	uint64_t ticket = grace.begun + 1;
	grace.wanted = ticket;
	spin_unlock(&grace.lock);
	return ticket;
}

bool grace_is_over(uint64_t ticket)
{
	return grace.ended >= ticket;
}

bool grace_is_awaited(void)
{
	return !grace_is_over(grace.wanted);
}

/* One round of IPIs, without the lock; nobody else touches the period while it
 * is beginning. */
static void begin_period(void)
{
	const struct cpu *self = arch_this_cpu();
	cpumask_t awake = 0; /* inside the kernel or in user mode */

	for (cpumask_t left = cpu_online_mask(); left != 0; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		if (!atomic_fetch_or(&cpu_by_id[id]->idle, 0))
			awake |= 1ull << id;
	}
	tlb_barrier(awake);
	spin_lock(&grace.lock);
	grace.inside = awake;
	for (cpumask_t left = awake; left != 0; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		const struct cpu *c = cpu_by_id[id];
		grace.exits[id] = atomic_load_explicit(
			c == self ? &c->kernel_exits : &c->tlb.exits_then, memory_order_relaxed);
	}
	grace.beginning = false;
	spin_unlock(&grace.lock);
}

static void note_exits(void) REQUIRES(grace.lock)
{
	for (cpumask_t left = grace.inside; left != 0; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		if (LOAD(cpu_by_id[id]->kernel_exits) != grace.exits[id])
			grace.inside &= ~(1ull << id);
	}
	if (grace.inside == 0)
		grace.ended = grace.begun;
}

void grace_poll(void)
{
	spin_lock(&grace.lock);
	if (grace.begun != grace.ended && !grace.beginning)
		note_exits();
	bool begin = grace.begun == grace.ended && grace.wanted > grace.begun &&
		     time_now() >= grace.not_before;
	if (begin) {
		grace.begun++;
		grace.not_before = time_now() + ARCH_GRACE_GAP;
		grace.beginning = true;
	}
	spin_unlock(&grace.lock);
	if (begin)
		begin_period();
}

bool grace_passed(uint64_t *ticket)
{
	if (*ticket == 0)
		*ticket = grace_ticket();
	grace_poll();
	return grace_is_over(*ticket);
}
