/* SPDX-License-Identifier: MIT */
#include <core/tlb.h>
#include <core/cpu.h>

/* Why nothing is lost, and what is seen when
 *
 * A asks, B answers:
 *	A: change the tables; fill A.request; A.waiting = {B}; B.inbox |= A (release)
 *	B: take B.inbox whole, leaving it empty (acquire); flush what A.request says;
 *	   A.waiting &= ~B (release)
 *	A: read A.waiting == {} (acquire); use the frame for something else
 *
 * - B sees A's tables and request, because it read A's bit by an acquire that
 *   pairs with A's release. What B's page walker fills in after the flush comes
 *   from the changed tables.
 * - Everything that B did through the old translation happened before its
 *   answer, so before A goes on. Several CPUs answer by read-modify-writes of one
 *   word; each continues the release sequence of those before, so the one load
 *   that reads an empty mask is ordered after all of them.
 * - A request is not lost: B empties the inbox and collects it in one exchange.
 *   A bit that is set after the exchange stays for the next one, and A cannot set
 *   its bit again before B has answered.
 * - An IPI is not lost: A sends one when it finds the inbox empty, and then B has
 *   one to come after the bit was set. If the inbox was not empty, whoever made it
 *   so sends the IPI, and B has not taken the inbox since, or it would be empty.
 * - A CPU that comes online flushes after it has set its bit in the mask of those
 *   that are asked (cpu_set_online). A reads that mask after its own flush, which
 *   on every machine is a full barrier behind the change of the tables. So A sees
 *   the bit, or the new CPU's walks see A's tables.
 * - All may shoot at each other at once: who waits serves its own inbox, and so
 *   does who spins for a lock. Nobody holds a lock while waiting, so nobody whose
 *   answer is awaited can be spinning for a lock of the one who waits.
 */

void tlb_batch_add(struct tlb_batch *b, vaddr_t base, size_t size)
{
	if (b->count > TLB_RANGES)
		return;
	if (b->count > 0) {
		struct tlb_range *last = &b->range[b->count - 1];
		if (last->base + last->size == base) {
			last->size += size;
			return;
		}
	}
	if (b->count < TLB_RANGES)
		b->range[b->count] = (struct tlb_range){ base, size };
	b->count++;
}

void tlb_flush_tag(const struct tlb_batch *b, uint32_t tag)
{
	if (b->count > TLB_RANGES) {
		arch_tlb_flush_tag(tag);
		return;
	}
	for (uint32_t i = 0; i < b->count; i++)
		arch_tlb_flush_range(tag, b->range[i].base, b->range[i].size);
}

static void flush_here(const struct tlb_batch *b)
{
	if (b->table != NULL)
		pagetable_flush_here(b);
	else
		tlb_flush_tag(b, b->tag);
}

void tlb_serve(void)
{
	struct cpu *c = arch_this_cpu();

	if (LIKELY(atomic_load_explicit(&c->tlb.inbox, memory_order_relaxed) == 0))
		return;
	cpumask_t from = atomic_exchange(&c->tlb.inbox, 0);

	/* Before the answers, so that those who asked for a barrier can read it. */
	uint64_t exits = atomic_load_explicit(&c->kernel_exits, memory_order_relaxed);
	atomic_store_explicit(&c->tlb.exits_then, exits, memory_order_relaxed);

	for (; from != 0; from &= from - 1) {
		struct cpu *asker = cpu_by_id[__builtin_ctzll(from)];
		flush_here(&asker->tlb.request);
		atomic_fetch_and_explicit(&asker->tlb.waiting, ~(1ull << c->id),
					  memory_order_release);
		cpu_count_up(&c->tlb.served);
	}
}

/* Puts a request before the CPUs of `where` and waits for all. */
static void ask(const struct tlb_batch *b, cpumask_t where)
{
	struct cpu *c = arch_this_cpu();
	cpumask_t targets = where & cpu_online_mask() & ~(1ull << c->id);
	cpumask_t interrupt = 0;

	if (targets == 0)
		return;
	ASSERT(cpu_by_id[c->id] == c); /* who answers must find us */
	c->tlb.request = *b;
	atomic_store_explicit(&c->tlb.waiting, targets, memory_order_relaxed);
	for (cpumask_t left = targets; left != 0; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		if (atomic_fetch_or(&cpu_by_id[id]->tlb.inbox, 1ull << c->id) == 0)
			interrupt |= 1ull << id;
	}
	if (interrupt != 0)
		arch_cpu_shootdown(interrupt);

	while (atomic_load_explicit(&c->tlb.waiting, memory_order_acquire) != 0) {
		tlb_serve();
		arch_cpu_relax();
	}
}

void tlb_flush(const struct tlb_batch *b, uint64_t where)
{
	if (b->count == 0)
		return;
	spin_assert_none_held();
	flush_here(b);
	ask(b, where);
}

void tlb_barrier(uint64_t where)
{
	static const struct tlb_batch nothing = { .tag = TLB_KERNEL };

	spin_assert_none_held();
	ask(&nothing, where);
}
