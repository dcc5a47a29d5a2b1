/* SPDX-License-Identifier: MIT */
/* The stub as a whole against a firmware made for the purpose, each of whose
 * services can be made to fail. */
#include "../machine.h"
#include "../uefi.h"
#include <abi/boot.h>
#include <test/test.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define OUT_OF_RESOURCES EFI_ERROR(9)
#define NOT_FOUND        EFI_ERROR(14)
#define ROOM             (8u << 20)
#define KERNEL_AT        0x200000u
#define TSC              0x1234567890ull
#define SELF             ((efi_handle)0x5e1f)

efi_status efi_main(efi_handle self, const struct efi_system_table *system);

/* The payload: a kernel of one segment, 0x1800 bytes in memory. */
#define HEADER                                                                                     \
	"\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\76\0\1\0\0\0"                                         \
	"\4\0\0\200\377\377\377\377\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"                             \
	"\0\0\0\0\100\0\70\0\1\0\0\0\0\0\0\0"
#define PROGRAM                                                                                    \
	"\1\0\0\0\5\0\0\0\170\0\0\0\0\0\0\0\0\0\0\200\377\377\377\377"                             \
	"\0\0\40\0\0\0\0\0\10\0\0\0\0\0\0\0\0\30\0\0\0\0\0\0\0\20\0\0\0\0\0\0"
const _Alignas(8) uint8_t payload_kernel[129] = HEADER PROGRAM "kernel!";
const uint8_t payload_archive[8] = "archive";
const uint8_t payload_cmdline[9] = "built=in\n";
__asm__(".globl payload_kernel_end, payload_archive_end, payload_cmdline_end\n"
	".set payload_kernel_end, payload_kernel + 128\n"
	".set payload_archive_end, payload_archive + 8\n"
	".set payload_cmdline_end, payload_cmdline + 9\n");

/* What the firmware is told to do, and what it saw. */
static struct {
	unsigned calls, fail_at; /* the call number that fails, 0: none */
	unsigned refuse_exit;    /* so many times the map's key is stale */
	bool has_rng, exiting, left, shut_down, misused, signalled;
	const char *options;
	uint8_t *memory;
	unsigned map_reads;
	uint64_t entry, info;
	char serial[512], console[512];
} fw;

static jmp_buf entered;

static void append(char *text, size_t size, char c)
{
	size_t used = strlen(text);

	if (used < size - 1)
		text[used] = c;
}

uint64_t machine_cycles(void)
{
	return TSC;
}

void machine_serial_put(char c)
{
	append(fw.serial, sizeof(fw.serial), c);
}

void machine_signal_failure(void)
{
	fw.signalled = true;
}

void machine_enter(uint64_t entry, uint64_t info)
{
	fw.entry = entry;
	fw.info = info;
	longjmp(entered, 1);
}

/* Counts the call; true if it is the one to fail. Once leaving has begun only
 * the map may be asked for (UEFI 2.10, 7.4.6). */
static bool fails(bool allowed_while_exiting)
{
	if (fw.left || (fw.exiting && !allowed_while_exiting))
		fw.misused = true;
	return ++fw.calls == fw.fail_at;
}

static efi_status allocate_pages(enum efi_allocate how, uint32_t type, uintptr_t pages,
				 uint64_t *address)
{
	if (fails(false))
		return OUT_OF_RESOURCES;
	/* Not on a 2 MiB boundary, and with nothing to spare. */
	uint64_t at = (uint64_t)(fw.memory + 0x3000);
	if (how != EFI_ALLOCATE_BELOW || *address != UINT32_MAX || type > EFI_LOADER_DATA ||
	    pages * EFI_PAGE_SIZE > ROOM - 0x3000)
		fw.misused = true;
	memset((void *)at, 0xee, pages * EFI_PAGE_SIZE);
	*address = at;
	return EFI_SUCCESS;
}

static efi_status allocate_pool(uint32_t type, uintptr_t size, void **out)
{
	static uint64_t pool[512];

	if (fails(false) || type != EFI_LOADER_DATA || size > sizeof(pool))
		return OUT_OF_RESOURCES;
	*out = pool;
	return EFI_SUCCESS;
}

/* A map that has one more entry each time that it is read. */
static efi_status get_memory_map(uintptr_t *size, void *map, uintptr_t *key, uintptr_t *stride,
				 uint32_t *version)
{
	struct efi_memory_descriptor entry[16] = { { .type = 0 } };
	uintptr_t count = 1 + fw.map_reads;

	if (fails(true))
		return OUT_OF_RESOURCES;
	*stride = sizeof(entry[0]);
	*version = 1;
	if (*size < count * sizeof(entry[0])) {
		*size = count * sizeof(entry[0]);
		return EFI_BUFFER_TOO_SMALL;
	}
	for (uintptr_t i = 0; i < count; i++) {
		entry[i].type = EFI_CONVENTIONAL;
		entry[i].physical_start = 0x10000 * i;
		entry[i].pages = 1;
	}
	*size = count * sizeof(entry[0]);
	memcpy(map, entry, *size);
	*key = 100 + ++fw.map_reads;
	return EFI_SUCCESS;
}

static efi_status exit_boot_services(efi_handle image, uintptr_t key)
{
	bool stale = key != 100 + fw.map_reads || fw.refuse_exit > 0;

	if (fails(true))
		return OUT_OF_RESOURCES;
	fw.exiting = true;
	if (image != SELF || stale) {
		fw.refuse_exit--;
		return EFI_INVALID_PARAMETER;
	}
	fw.left = true;
	return EFI_SUCCESS;
}

static efi_status handle_protocol(efi_handle handle, const struct efi_guid *protocol, void **out)
{
	static struct efi_loaded_image loaded;
	static uint16_t wide[2 * BOOT_CMDLINE];
	size_t n = fw.options == NULL ? 0 : strlen(fw.options);

	if (fails(false) || handle != SELF || protocol->a != 0x5b1b31a1)
		return NOT_FOUND;
	for (size_t i = 0; i <= n; i++)
		wide[i] = fw.options == NULL ? 0 : (uint8_t)fw.options[i];
	loaded.options = fw.options == NULL ? NULL : wide;
	loaded.options_size = fw.options == NULL ? 0 : (uint32_t)(2 * n + 2);
	*out = &loaded;
	return EFI_SUCCESS;
}

static efi_status get_rng(struct efi_rng *self, const struct efi_guid *algorithm, uintptr_t size,
			  void *out)
{
	(void)self;
	if (fails(false) || algorithm != NULL)
		return OUT_OF_RESOURCES;
	memset(out, 0x5d, size);
	return EFI_SUCCESS;
}

static efi_status locate_protocol(const struct efi_guid *protocol, void *registration, void **out)
{
	static struct efi_rng rng = { .get_rng = get_rng };

	(void)registration;
	if (fails(false) || !fw.has_rng || protocol->a != 0x3152bca5)
		return NOT_FOUND;
	*out = &rng;
	return EFI_SUCCESS;
}

static efi_status output_string(struct efi_text_output *self, const uint16_t *text)
{
	(void)self;
	if (fw.exiting)
		fw.misused = true;
	for (; *text != 0; text++)
		append(fw.console, sizeof(fw.console), (char)*text);
	return EFI_SUCCESS;
}

static void reset_system(enum efi_reset how, efi_status why, uintptr_t size, const void *data)
{
	(void)size;
	(void)data;
	fw.shut_down = how == EFI_RESET_SHUTDOWN && why != EFI_SUCCESS;
}

static const struct efi_boot_services boot_services = {
	.allocate_pages = allocate_pages,
	.get_memory_map = get_memory_map,
	.allocate_pool = allocate_pool,
	.handle_protocol = handle_protocol,
	.exit_boot_services = exit_boot_services,
	.locate_protocol = locate_protocol,
};
static const struct efi_runtime_services runtime_services = { .reset_system = reset_system };
static struct efi_text_output console = { .output_string = output_string };
static const struct efi_configuration_table tables[] = {
	{ { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a } }, (void *)0xbad },
	{ { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } },
	  (void *)0xf5000 },
	{ { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc } }, (void *)0xbad },
};
static const struct efi_system_table firmware = {
	.console_out = &console,
	.boot = &boot_services,
	.runtime = &runtime_services,
	.table_count = sizeof(tables) / sizeof(tables[0]),
	.tables = tables,
};

/* Starts the stub. True: it entered the kernel; false: it returned *status. */
static bool start(efi_status *status)
{
	uint8_t *memory = fw.memory;

	if (memory == NULL) {
		memory = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		if (memory == MAP_FAILED)
			abort();
		fw.memory = memory;
	}
	if (setjmp(entered) != 0)
		return true;
	*status = efi_main(SELF, &firmware);
	return false;
}

/* Forgets what was seen, keeps the memory. */
static void reset(void)
{
	uint8_t *memory = fw.memory;

	memset(&fw, 0, sizeof(fw));
	fw.memory = memory;
}

TEST(uefi_stub_enters_the_kernel)
{
	efi_status st;

	reset();
	CHECK(start(&st));
	const struct boot_info *info = (const struct boot_info *)fw.info;
	CHECK(info->magic == BOOT_INFO_MAGIC && info->version == BOOT_INFO_VERSION);
	CHECK(info->path == BOOT_PATH_UEFI && info->start_tsc == TSC);
	CHECK(info->kernel_base % KERNEL_AT == 0 && info->kernel_size == 0x2000);
	CHECK(fw.entry == info->kernel_base + 4);
	CHECK(memcmp((void *)info->kernel_base, "kernel!", 8) == 0);
	for (unsigned i = 8; i < 0x2000; i++)
		CHECK(((uint8_t *)info->kernel_base)[i] == 0);
	CHECK(info->archive_base == info->kernel_base + 0x2000 && info->archive_size == 8);
	CHECK(memcmp((void *)info->archive_base, "archive", 8) == 0);
	CHECK(fw.info == info->archive_base + EFI_PAGE_SIZE);
	CHECK(info->acpi_rsdp == 0xf5000 && info->seed_size == 0);
	CHECK(strcmp(info->cmdline, "built=in\n") == 0);
	CHECK(info->range_count == 1 && info->range[0].kind == BOOT_RAM);
	CHECK(fw.left && !fw.misused && !fw.signalled);
	CHECK(fw.serial[0] == '\0' && fw.console[0] == '\0'); /* the greeting comes first */
}

TEST(uefi_stub_takes_options_and_seed)
{
	efi_status st;

	reset();
	fw.options = "from=firmware";
	fw.has_rng = true;
	CHECK(start(&st));
	const struct boot_info *info = (const struct boot_info *)fw.info;
	CHECK(strcmp(info->cmdline, "from=firmware") == 0);
	CHECK(info->seed_size == BOOT_SEED);
	for (unsigned i = 0; i < BOOT_SEED; i++)
		CHECK(info->seed[i] == 0x5d);
}

TEST(uefi_stub_refuses_a_long_command_line)
{
	char line[BOOT_CMDLINE + 1] = { 0 };
	efi_status st;

	memset(line, 'x', BOOT_CMDLINE);
	reset();
	fw.options = line;
	CHECK(!start(&st) && st == EFI_LOAD_ERROR);
	CHECK(strstr(fw.console, "command line is too long") != NULL && fw.signalled);
}

/* The map's key goes stale: read again, no other service used, the last map
 * counts. In the end it gives up, and powers off as nobody is left. */
TEST(uefi_stub_retries_a_stale_map)
{
	efi_status st;

	for (unsigned stale = 0; stale < 8; stale++) {
		reset();
		fw.refuse_exit = stale;
		CHECK(start(&st));
		CHECK(((const struct boot_info *)fw.info)->range_count == stale + 1);
		CHECK(fw.map_reads == stale + 1 && fw.left && !fw.misused);
	}
	reset();
	fw.refuse_exit = 8;
	CHECK(!start(&st) && st == EFI_INVALID_PARAMETER);
	CHECK(strstr(fw.serial, "cannot start: the firmware does not let go") != NULL);
	CHECK(fw.console[0] == '\0' && fw.shut_down && fw.signalled && !fw.misused);
}

/* The first service fails, the second, ... until none is left to fail. A source
 * of randomness may be missing, nothing else. */
TEST(uefi_stub_tells_of_every_failure)
{
	unsigned failed = 0, step = 1;
	efi_status st;

	for (;; step++) {
		reset();
		fw.has_rng = true;
		fw.fail_at = step;
		if (start(&st)) {
			CHECK(fw.left && !fw.misused);
			if (fw.calls < step)
				break;
			CHECK(((const struct boot_info *)fw.info)->seed_size == 0);
			continue;
		}
		failed++;
		CHECK(st != EFI_SUCCESS && fw.signalled && !fw.misused && !fw.left);
		CHECK(strncmp(fw.serial, "\r\nerror boot: cannot start: ", 28) == 0);
		CHECK(strstr(fw.serial, "(UEFI status 0x80000000000000") != NULL);
		CHECK(strcmp(fw.console, fw.serial) == 0 || fw.shut_down);
	}
	CHECK(failed == 6 && step == 9); /* a new call must be counted here */
}
