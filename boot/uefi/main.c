/* SPDX-License-Identifier: MIT */
/* boot/uefi/main.c - the UEFI stub: puts kernel and boot archive where the
 * kernel wants them, fills struct boot_info, leaves the firmware, and enters
 * the kernel.
 *
 * One file is the whole node: the payload is linked in. A failure is told on
 * the firmware's console and on the serial port; as long as the firmware is
 * there it gets control back, so that it can go on to its next boot entry.
 */
#include "image.h"
#include "machine.h"
#include "memory_map.h"
#include "options.h"
#include "uefi.h"
#include <abi/boot.h>
#include <stdbool.h>

#define BELOW_4_GIB   0xffffffffull
#define MAP_SLACK     16 /* entries that the map may grow by under our hands */
#define EXIT_TRIES    8
#define LINE_MAX      128
#define STATUS_DIGITS 16

static const struct efi_guid loaded_image_protocol = {
	0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b }
};
static const struct efi_guid rng_protocol = {
	0x3152bca5, 0xeade, 0x433d, { 0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44 }
};
static const struct efi_guid acpi_20_table = {
	0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 }
};

/* payload.S */
extern const uint8_t payload_kernel[], payload_kernel_end[];
extern const uint8_t payload_archive[], payload_archive_end[];
extern const uint8_t payload_cmdline[], payload_cmdline_end[];

static const struct efi_system_table *firmware;
static bool console_gone; /* since ExitBootServices was tried */

efi_status efi_main(efi_handle self, const struct efi_system_table *system);

static void say(const char *text)
{
	uint16_t wide[LINE_MAX];
	unsigned n = 0;

	for (; text[n] != '\0' && n < LINE_MAX - 1; n++) {
		machine_serial_put(text[n]);
		wide[n] = (uint8_t)text[n];
	}
	wide[n] = 0;
	if (!console_gone && firmware->console_out != NULL)
		firmware->console_out->output_string(firmware->console_out, wide);
}

/* Reports and gives back `st`, or a general error if there is no status. */
static efi_status fail(const char *what, efi_status st)
{
	char digits[STATUS_DIGITS + 1] = { 0 };

	say("\r\nerror boot: cannot start: ");
	say(what);
	if (st != EFI_SUCCESS) {
		for (unsigned i = 0; i < STATUS_DIGITS; i++)
			digits[i] = "0123456789abcdef"[st >> (4 * (STATUS_DIGITS - 1 - i)) & 0xf];
		say(" (UEFI status 0x");
		say(digits);
		say(")");
	}
	say("\r\n");
	machine_signal_failure();
	return st == EFI_SUCCESS ? EFI_LOAD_ERROR : st;
}

static bool guid_equal(const struct efi_guid *a, const struct efi_guid *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;

	for (unsigned i = 0; i < sizeof(*a); i++) {
		if (x[i] != y[i])
			return false;
	}
	return true;
}

static uint64_t pages_of(uint64_t size)
{
	return (size + EFI_PAGE_SIZE - 1) >> EFI_PAGE_SHIFT;
}

/* One block below 4 GiB holds kernel, archive and boot information, each from
 * a page boundary, the kernel from a multiple of IMAGE_ALIGN. */
static efi_status place(const struct image *kernel, struct boot_info **out)
{
	uint64_t archive_size = (uint64_t)(payload_archive_end - payload_archive);
	uint64_t archive_pages = pages_of(archive_size);
	uint64_t pages = pages_of(kernel->size) + archive_pages + pages_of(sizeof(**out)) +
			 pages_of(IMAGE_ALIGN);
	uint64_t at = BELOW_4_GIB;

	efi_status st =
		firmware->boot->allocate_pages(EFI_ALLOCATE_BELOW, EFI_LOADER_CODE, pages, &at);
	if (st != EFI_SUCCESS)
		return fail("no memory below 4 GiB for kernel and archive", st);
	at = (at + IMAGE_ALIGN - 1) & ~(uint64_t)(IMAGE_ALIGN - 1);
	image_place(kernel, (uint8_t *)at);

	uint8_t *archive = (uint8_t *)at + kernel->size;
	for (uint64_t i = 0; i < archive_size; i++)
		archive[i] = payload_archive[i];

	uint8_t *raw = archive + (archive_pages << EFI_PAGE_SHIFT);
	for (size_t i = 0; i < sizeof(struct boot_info); i++)
		raw[i] = 0;
	struct boot_info *info = (struct boot_info *)raw;
	info->kernel_base = at;
	info->kernel_size = kernel->size;
	info->archive_base = (uint64_t)archive;
	info->archive_size = archive_size;
	*out = info;
	return EFI_SUCCESS;
}

static efi_status take_options(efi_handle self, struct boot_info *info)
{
	struct efi_loaded_image *loaded;
	const char *too_long = "the command line is too long";

	efi_status st =
		firmware->boot->handle_protocol(self, &loaded_image_protocol, (void **)&loaded);
	if (st != EFI_SUCCESS)
		return fail("the firmware does not tell about this image", st);
	const uint8_t *options = (const uint8_t *)loaded->options;
	if (options_are_text(options, loaded->options_size)) {
		if (!options_copy(options, loaded->options_size, info->cmdline))
			return fail(too_long, EFI_SUCCESS);
		return EFI_SUCCESS;
	}
	size_t size = (size_t)(payload_cmdline_end - payload_cmdline);
	if (size >= BOOT_CMDLINE)
		return fail(too_long, EFI_SUCCESS);
	for (size_t i = 0; i < size; i++)
		info->cmdline[i] = (char)payload_cmdline[i];
	return EFI_SUCCESS;
}

/* No source of randomness is no error: the kernel has others, and says so. */
static void take_seed(struct boot_info *info)
{
	struct efi_rng *rng;

	if (firmware->boot->locate_protocol(&rng_protocol, NULL, (void **)&rng) != EFI_SUCCESS)
		return;
	if (rng->get_rng(rng, NULL, BOOT_SEED, info->seed) == EFI_SUCCESS)
		info->seed_size = BOOT_SEED;
}

static void take_tables(struct boot_info *info)
{
	for (uintptr_t i = 0; i < firmware->table_count; i++) {
		if (guid_equal(&firmware->tables[i].guid, &acpi_20_table))
			info->acpi_rsdp = (uint64_t)firmware->tables[i].table;
	}
}

/* The map's key must be that of the newest map, and making room for the map may
 * change it: so the room is made first, with slack, and if the firmware changed
 * the map in between (UEFI 2.10, 7.4.6) it is read again. */
static efi_status leave_firmware(efi_handle self, struct boot_info *info)
{
	const struct efi_boot_services *boot = firmware->boot;
	uintptr_t room = 0, key, stride;
	uint32_t version;
	void *map;

	efi_status st = boot->get_memory_map(&room, NULL, &key, &stride, &version);
	if (st != EFI_BUFFER_TOO_SMALL)
		return fail("the firmware does not tell the size of its memory map", st);
	room += MAP_SLACK * stride;
	st = boot->allocate_pool(EFI_LOADER_DATA, room, &map);
	if (st != EFI_SUCCESS)
		return fail("no memory for the memory map", st);

	for (unsigned tries = 0; tries < EXIT_TRIES; tries++) {
		uintptr_t size = room;

		st = boot->get_memory_map(&size, map, &key, &stride, &version);
		if (st != EFI_SUCCESS)
			return fail("the firmware does not give its memory map", st);
		const char *why = memory_map_convert(map, size, stride, info);
		if (why != NULL)
			return fail(why, EFI_SUCCESS);
		console_gone = true;
		st = boot->exit_boot_services(self, key);
		if (st != EFI_INVALID_PARAMETER)
			break;
	}
	return st == EFI_SUCCESS ? st : fail("the firmware does not let go", st);
}

static efi_status prepare(efi_handle self, struct image *kernel, struct boot_info **info)
{
	const char *why =
		image_parse(payload_kernel, (size_t)(payload_kernel_end - payload_kernel), kernel);
	if (why != NULL)
		return fail(why, EFI_SUCCESS);
	efi_status st = place(kernel, info);
	if (st != EFI_SUCCESS)
		return st;
	st = take_options(self, *info);
	if (st != EFI_SUCCESS)
		return st;
	take_seed(*info);
	take_tables(*info);
	return leave_firmware(self, *info);
}

efi_status efi_main(efi_handle self, const struct efi_system_table *system)
{
	uint64_t start = machine_cycles();
	struct image kernel;
	struct boot_info *info = NULL;

	firmware = system;
	console_gone = false;
	efi_status st = prepare(self, &kernel, &info);
	if (st != EFI_SUCCESS) {
		if (console_gone)
			system->runtime->reset_system(EFI_RESET_SHUTDOWN, st, 0, NULL);
		return st;
	}
	info->magic = BOOT_INFO_MAGIC;
	info->version = BOOT_INFO_VERSION;
	info->path = BOOT_PATH_UEFI;
	info->start_tsc = start;
	machine_enter(info->kernel_base + kernel.entry, (uint64_t)info);
}
