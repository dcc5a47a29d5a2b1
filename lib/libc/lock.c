/* SPDX-License-Identifier: MIT */
#include <lib/libc/port.h>

#define SPINS    200u
#define NAP_FROM 20000ull /* nanoseconds */
#define NAP_TO   1000000ull

/* What a lock guards takes some hundred instructions. Who finds it taken for longer than that
 * waits for a thread that does not run: perhaps one of lower priority on the same CPU, which
 * yielding would not help. So he sleeps, each time for longer. */
void lock_take(struct lock *l)
{
	uint64_t nap = NAP_FROM;

	for (unsigned spins = 0;
	     atomic_exchange_explicit(&l->held, 1, memory_order_acquire) != 0;) {
		if (++spins < SPINS) {
			machine_relax();
			continue;
		}
		SYS(thread_park, thread_self()->cap, libc_now() + nap);
		if (nap < NAP_TO)
			nap *= 2;
	}
}

void lock_release(struct lock *l)
{
	atomic_store_explicit(&l->held, 0, memory_order_release);
}
