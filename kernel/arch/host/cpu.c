/* SPDX-License-Identifier: MIT */
#include <arch/arch.h>
#include <core/cpu.h>

_Thread_local struct cpu *host_this_cpu;

__attribute__((constructor)) static void host_boot_cpu(void)
{
	cpu_boot.self = &cpu_boot;
	host_this_cpu = &cpu_boot;
}
