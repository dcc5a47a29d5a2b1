/* SPDX-License-Identifier: MIT */
#include <core/boot.h>
#include <core/cpu.h>
#include <core/log.h>
#include <core/version.h>

__attribute__((weak)) void kernel_test_main(void)
{
}

void kernel_main(const struct boot_info *info)
{
	log_raw("Hello from ThemeliOS %s (%s)", VERSION, VERSION_COMMIT);
	boot_take(info);
	kernel_test_main();
	log_info("power", "off");
	arch_power_off(false);
}
