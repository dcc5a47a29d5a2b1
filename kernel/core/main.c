/* SPDX-License-Identifier: MIT */
#include <core/boot.h>
#include <core/cpu.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/version.h>

struct cpu cpu_boot;

void kernel_main(const struct boot_info *info)
{
	log_raw("Hello from ThemeliOS %s (%s)", VERSION, VERSION_COMMIT);
	if (info->archive_size == 0)
		boot_refuse("no boot archive was given");
	arch_power_off(false);
}
