/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <core/boot.h>
#include <core/frame.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

char *host_phys, *host_window;
_Thread_local int64_t host_steps_left = -1;
uint16_t host_object_gen_mask = UINT16_MAX;
uint32_t host_slot_gen_max = UINT32_MAX;
uint64_t host_grace_gap;

void host_fail_step(int64_t n)
{
	host_steps_left = n;
}

/* The system call itself: a sanitizer need not prepare for memory that is never
 * touched. Nothing can be accessed at first, so a stray access by a physical
 * address that is no memory is a fault here, while a machine would answer with
 * anything. */
static char *reserve(size_t size)
{
	long at = syscall(SYS_mmap, NULL, size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);

	if (at == -1)
		abort();
	return (char *)at;
}

/* Whole pages that touch the range can be read and written. */
static void make_memory(const struct boot_range *r)
{
	paddr_t base = ALIGN_DOWN(r->base, FRAME_SIZE);
	paddr_t end = ALIGN_UP(r->base + r->size, FRAME_SIZE);

	if (end > HOST_PHYS_SIZE || mprotect(host_phys + base, end - base, PROT_READ | PROT_WRITE))
		abort();
}

void host_machine(const struct boot_info *info)
{
	if (host_phys != NULL)
		abort(); /* one machine for each process */
	host_phys = reserve(HOST_PHYS_SIZE);
	host_window = reserve(HOST_WINDOW_SIZE);
	boot_info = *info;
	for (uint32_t i = 0; i < info->range_count; i++) {
		if (info->range[i].kind != BOOT_RESERVED)
			make_memory(&info->range[i]);
	}
}

struct boot_info host_machine_of(const struct boot_range *range, uint32_t count)
{
	struct boot_info info = {
		.magic = BOOT_INFO_MAGIC,
		.version = BOOT_INFO_VERSION,
		.path = BOOT_PATH_HOST,
		.kernel_base = ALIGN_UP(range[0].base, FRAME_SIZE),
		.kernel_size = KIB(64),
		.range_count = count,
	};

	memcpy(info.range, range, count * sizeof(*range));
	return info;
}

struct boot_info host_usual_machine(void)
{
	static const struct boot_range map[] = {
		{ MIB(1), MIB(24), BOOT_RAM, 0 },
		{ MIB(40), MIB(12), BOOT_RAM, 0 },
		{ MIB(52), MIB(4), BOOT_LOADER, 0 },
		{ MIB(56), KIB(64), BOOT_ACPI, 0 },
		{ GIB(4) - MIB(1), MIB(1), BOOT_RESERVED, 0 },
		{ GIB(4) + MIB(8), MIB(24), BOOT_RAM, 0 },
	};
	struct boot_info info = host_machine_of(map, ARRAY_LEN(map));

	info.kernel_base = MIB(2);
	info.kernel_size = KIB(512) + 100;
	info.archive_base = MIB(3) + 16;
	info.archive_size = KIB(64);
	return info;
}

void host_boot(const struct boot_info *info)
{
	host_machine(info);
	arch_mmu_init();
	frame_init();
	cpu_set_online(&cpu_boot);
}

void host_boot_usual(void)
{
	struct boot_info info = host_usual_machine();

	host_boot(&info);
}
