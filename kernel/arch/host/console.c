/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <stdio.h>

void arch_console_init(void)
{
}

void arch_console_write(const char *text, size_t size)
{
	fwrite(text, 1, size, stdout);
	fflush(stdout);
}
