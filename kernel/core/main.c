/* SPDX-License-Identifier: MIT */
#include <core/boot.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/quota.h>
#include <core/random.h>
#include <core/root.h>
#include <core/sched.h>
#include <core/version.h>

/* Linked into the kernel that runs the guest tests; never returns. */
__attribute__((weak)) void kernel_test_main(void)
{
}

static void log_idle(void)
{
	struct frame_stats s;

	frame_stats(&s);
	log_info("boot", "idle after %lu us, %lu KiB used of %lu", time_now() / 1000,
		 (s.total - s.free) * (FRAME_SIZE / 1024), s.total * (FRAME_SIZE / 1024));
}

/* Each line needs those before it; docs/book/invariants.md has the chain. From
 * arch_stack_guard_init on nothing below may return, this function least of all:
 * the canaries on the stack are the old one. */
void kernel_main(struct boot_info *info)
{
	log_raw("Hello from ThemeliOS %s (%s)", VERSION, VERSION_COMMIT);
	boot_take(info);
	log_configure();
	arch_cpu_init_boot();
	arch_mmu_init();
	frame_init();
	random_init();
	arch_stack_guard_init();
	arch_interrupts_init();
	timer_cpu_init();
	run_queue_init();
	cpu_set_online(&cpu_boot);
	arch_cpus_start();
	memory_init();
	quota_init();
	sched_init(quota_root);
	bool root = root_start();
	frame_free_loader();
	log_idle();
	kernel_test_main();
	if (root) {
		root_run();
		arch_run_threads();
	}
	log_info("power", "off: the boot archive holds no root program");
	arch_power_off(false);
}
