/* SPDX-License-Identifier: MIT */
#include <core/boot.h>
#include <arch/arch.h>
#include <core/archive.h>
#include <core/format.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/wipe.h>
#include <stdarg.h>

#define ADDRESS_END (1ull << BOOT_ADDRESS_BITS)
#define LOW_END     GIB(4)
#define WHY_MAX     160

struct boot_info boot_info;

/* Every option of the kernel, so that a misspelt one is noticed. */
static const char *const known_options[] = { "accept",     "log",         "test",
					     "test.crash", "test.rounds", "test.seed",  "test.slow" };

/* Where the reason for a refusal goes. */
struct reason {
	char *text;
	size_t size;
};

static PRINTF(3, 4) status_t refuse(struct reason *why, status_t st, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_v(why->text, why->size, fmt, args);
	va_end(args);
	return st;
}

/* Before the rest, which relies on counts that are within their arrays and on a
 * command line that ends. */
static status_t check_head(const struct boot_info *in, struct reason *why)
{
	if (in->magic != BOOT_INFO_MAGIC)
		return refuse(why, ST_CORRUPT, "the boot information has magic number 0x%llx",
			      (unsigned long long)in->magic);
	if (in->version != BOOT_INFO_VERSION)
		return refuse(why, ST_CORRUPT, "the boot information has version %u, not %u",
			      in->version, BOOT_INFO_VERSION);
	if (in->path < BOOT_PATH_PVH || in->path > BOOT_PATH_HOST)
		return refuse(why, ST_CORRUPT, "the boot path %u is unknown", in->path);
	if (in->seed_size > BOOT_SEED)
		return refuse(why, ST_CORRUPT, "the boot seed has %u bytes, at most %u fit",
			      in->seed_size, BOOT_SEED);
	if (in->range_count == 0)
		return refuse(why, ST_CORRUPT, "the memory map is empty");
	if (in->range_count > BOOT_RANGES)
		return refuse(why, ST_CORRUPT, "the memory map has %u entries, at most %u fit",
			      in->range_count, BOOT_RANGES);
	if (in->acpi_rsdp >= LOW_END)
		return refuse(why, ST_CORRUPT, "the ACPI pointer 0x%llx is not below 4 GiB",
			      (unsigned long long)in->acpi_rsdp);
	for (size_t i = 0; i < BOOT_CMDLINE; i++) {
		if (in->cmdline[i] == '\0')
			return ST_OK;
	}
	return refuse(why, ST_CORRUPT, "the command line has no end within %u bytes", BOOT_CMDLINE);
}

/* Lengths are compared by subtraction from the limit: a sum might wrap. */
static status_t check_range(const struct boot_range *r, struct reason *why)
{
	unsigned long long base = r->base, size = r->size;

	if (size == 0)
		return refuse(why, ST_CORRUPT, "the memory map entry at 0x%llx is empty", base);
	if (base >= ADDRESS_END || size > ADDRESS_END - base)
		return refuse(why, ST_CORRUPT,
			      "the memory map entry at 0x%llx with 0x%llx bytes passes the end "
			      "of %u-bit addresses",
			      base, size, BOOT_ADDRESS_BITS);
	if (r->kind < BOOT_RAM || r->kind > BOOT_RESERVED || r->reserved != 0)
		return refuse(why, ST_CORRUPT,
			      "the memory map entry at 0x%llx has unknown kind %u, %u", base,
			      r->kind, r->reserved);
	return ST_OK;
}

/* Insertion sort: firmware sorts its map or nearly so. */
static void sort_ranges(struct boot_range *range, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct boot_range r = range[i];
		uint32_t at = i;

		for (; at > 0 && range[at - 1].base > r.base; at--)
			range[at] = range[at - 1];
		range[at] = r;
	}
}

static status_t check_map(struct boot_info *in, struct reason *why)
{
	for (uint32_t i = 0; i < in->range_count; i++) {
		status_t st = check_range(&in->range[i], why);
		if (st != ST_OK)
			return st;
	}
	sort_ranges(in->range, in->range_count);
	for (uint32_t i = 1; i < in->range_count; i++) {
		const struct boot_range *a = &in->range[i - 1], *b = &in->range[i];

		if (a->size > b->base - a->base)
			return refuse(why, ST_CORRUPT,
				      "the memory map entries 0x%llx+0x%llx and 0x%llx+0x%llx "
				      "overlap",
				      (unsigned long long)a->base, (unsigned long long)a->size,
				      (unsigned long long)b->base, (unsigned long long)b->size);
	}
	return ST_OK;
}

static bool is_ram(const struct boot_range *r)
{
	return r->kind == BOOT_RAM || r->kind == BOOT_LOADER;
}

/* The sum can't wrap: ranges don't overlap, and all end below 2^BOOT_ADDRESS_BITS. */
static uint64_t ram_size(const struct boot_info *in)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < in->range_count; i++) {
		if (is_ram(&in->range[i]))
			sum += in->range[i].size;
	}
	return sum;
}

/* True if RAM covers [base, end). The map is sorted and free of overlaps, so
 * one pass is enough. */
static bool is_inside_ram(const struct boot_info *in, uint64_t base, uint64_t end)
{
	for (uint32_t i = 0; i < in->range_count && base < end; i++) {
		const struct boot_range *r = &in->range[i];

		if (is_ram(r) && r->base <= base && base - r->base < r->size)
			base = r->base + r->size;
	}
	return base >= end;
}

static status_t check_image(const struct boot_info *in, const char *what, uint64_t base,
			    uint64_t size, struct reason *why)
{
	if (base >= LOW_END || size > LOW_END - base)
		return refuse(why, ST_CORRUPT,
			      "the %s at 0x%llx with 0x%llx bytes is not below 4 GiB", what,
			      (unsigned long long)base, (unsigned long long)size);
	if (!is_inside_ram(in, base, base + size))
		return refuse(why, ST_CORRUPT,
			      "the %s at 0x%llx with 0x%llx bytes is not inside RAM", what,
			      (unsigned long long)base, (unsigned long long)size);
	return ST_OK;
}

static status_t check_images(const struct boot_info *in, struct reason *why)
{
	uint64_t kernel = in->kernel_base, archive = in->archive_base;

	if (in->kernel_size == 0)
		return refuse(why, ST_CORRUPT, "the kernel's place is not given");
	if (in->archive_size == 0)
		return refuse(why, ST_CORRUPT, "no boot archive was given");
	status_t st = check_image(in, "kernel", kernel, in->kernel_size, why);
	if (st != ST_OK)
		return st;
	st = check_image(in, "boot archive", archive, in->archive_size, why);
	if (st != ST_OK)
		return st;
	if (kernel < archive + in->archive_size && archive < kernel + in->kernel_size)
		return refuse(why, ST_CORRUPT,
			      "the kernel 0x%llx+0x%llx and the boot archive 0x%llx+0x%llx overlap",
			      (unsigned long long)kernel, (unsigned long long)in->kernel_size,
			      (unsigned long long)archive, (unsigned long long)in->archive_size);
	return ST_OK;
}

status_t boot_info_check(struct boot_info *in, char *why_text, size_t why_size)
{
	struct reason why = { why_text, why_size };

	status_t st = check_head(in, &why);
	if (st != ST_OK)
		return st;
	st = check_map(in, &why);
	if (st != ST_OK)
		return st;
	if (ram_size(in) < BOOT_MEMORY_MIN)
		return refuse(&why, ST_NO_MEMORY,
			      "%llu KiB of memory, at least %llu KiB are needed",
			      (unsigned long long)(ram_size(in) / KIB(1)),
			      (unsigned long long)(BOOT_MEMORY_MIN / KIB(1)));
	return check_images(in, &why);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word of a command line from *at on: its length, 0 at the end, with
 * *at at its first character. */
static size_t next_word(const char **at)
{
	size_t length = 0;

	while (is_blank(**at))
		(*at)++;
	while ((*at)[length] != '\0' && !is_blank((*at)[length]))
		length++;
	return length;
}

/* Length of the name at the head of a word; false if it is not `name`. */
static bool word_has_name(const char *word, size_t length, const char *name)
{
	size_t i = 0;

	while (i < length && name[i] != '\0' && word[i] == name[i])
		i++;
	return name[i] == '\0' && i > 0 && (i == length || word[i] == '=');
}

static void copy_value(const char *word, size_t length, char *value, size_t size)
{
	size_t used = 0;

	if (size == 0)
		return;
	while (length > 0 && *word != '=') {
		word++;
		length--;
	}
	for (size_t i = 1; i < length && used < size - 1; i++)
		value[used++] = word[i];
	value[used] = '\0';
}

/* To the end of the line: the last one counts, so that what an operator appends
 * overrules what an image has built in. */
bool boot_option(const char *name, char *value, size_t size)
{
	const char *word = boot_info.cmdline;
	bool found = false;
	size_t length;

	while ((length = next_word(&word)) > 0) {
		if (word_has_name(word, length, name)) {
			copy_value(word, length, value, size);
			found = true;
		}
		word += length;
	}
	return found;
}

static bool is_known(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_LEN(known_options); i++) {
		if (word_has_name(word, length, known_options[i]))
			return true;
	}
	return false;
}

/* For information, and no refusal: user space finds its options on the same line. */
static void report_unknown_options(void)
{
	const char *word = boot_info.cmdline;
	size_t length;

	while ((length = next_word(&word)) > 0) {
		if (!is_known(word, length))
			log_info("boot", "no kernel option: %.*s", (int)length, word);
		word += length;
	}
}

static const char *path_name(uint32_t path)
{
	switch (path) {
	case BOOT_PATH_PVH:
		return "PVH";
	case BOOT_PATH_UEFI:
		return "UEFI";
	default:
		return "the host";
	}
}

void boot_take(struct boot_info *in)
{
	char why[WHY_MAX];
	unsigned files;

	boot_info = *in;
	wipe(in->seed, sizeof(in->seed));
	if (boot_info_check(&boot_info, why, sizeof(why)) != ST_OK)
		boot_refuse("%s", why);
	/* It was found to lie in RAM below 4 GiB, all of which is mapped by now. */
	const uint8_t *archive = arch_phys_to_virt(boot_info.archive_base);
	if (archive_check(archive, boot_info.archive_size, &files) != ST_OK)
		boot_refuse(
			"the boot archive at 0x%llx with 0x%llx bytes is no intact cpio archive",
			(unsigned long long)boot_info.archive_base,
			(unsigned long long)boot_info.archive_size);
	log_info("boot", "%llu MiB of memory in %u ranges, %u files in the archive, from %s",
		 (unsigned long long)(ram_size(&boot_info) / MIB(1)), boot_info.range_count, files,
		 path_name(boot_info.path));
	report_unknown_options();
}
