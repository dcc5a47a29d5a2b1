/* SPDX-License-Identifier: MIT */
#include "host.h"

static _Atomic uint64_t now;

uint64_t arch_time_ns(void)
{
	return now;
}

void host_time_advance(uint64_t ns)
{
	now += ns;
}

void arch_timer_arm(uint64_t deadline_ns)
{
	arch_this_cpu()->arch.timer = deadline_ns;
}

uint64_t host_timer_armed(unsigned id)
{
	return cpu_by_id[id]->arch.timer;
}

void arch_clock_scale(uint64_t *base, uint64_t *ratio)
{
	*base = 0;
	*ratio = 1ull << 48;
}
