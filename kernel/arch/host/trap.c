/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <execinfo.h>

#define FRAMES_MAX 64

void arch_backtrace(void (*visit)(vaddr_t pc), unsigned max)
{
	void *pc[FRAMES_MAX];
	int count = backtrace(pc, max < FRAMES_MAX ? (int)max : FRAMES_MAX);

	for (int i = 1; i < count; i++) /* without this function */
		visit((vaddr_t)pc[i]);
}
