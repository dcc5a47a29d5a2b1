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
static const char *const known_options[] = {
	"accept", "log", "runs", "test", "test.crash", "test.rounds", "test.seed", "test.slow"
};

/* Gives the reason for a refusal, as all checks do; NULL says that they found none. */
static PRINTF(1, 2) const char *refuse(const char *fmt, ...)
{
	static char why[WHY_MAX];
	va_list args;

	va_start(args, fmt);
	format_v(why, sizeof(why), fmt, args);
	va_end(args);
	return why;
}

/* Before the rest, which relies on counts that are within their arrays and on a
 * command line that ends. */
static const char *check_head(const struct boot_info *in)
{
	if (in->magic != BOOT_INFO_MAGIC)
		return refuse("the boot information has magic number 0x%lx", in->magic);
	if (in->version != BOOT_INFO_VERSION)
		return refuse("the boot information has version %u, not %u", in->version,
			      BOOT_INFO_VERSION);
	if (in->path < BOOT_PATH_PVH || in->path > BOOT_PATH_HOST)
		return refuse("the boot path %u is unknown", in->path);
	if (in->seed_size > BOOT_SEED)
		return refuse("the boot seed has %u bytes, at most %u fit", in->seed_size,
			      BOOT_SEED);
	if (in->range_count == 0 || in->range_count > BOOT_RANGES)
		return refuse("the memory map has %u entries, not 1 to %u", in->range_count,
			      BOOT_RANGES);
	if (in->acpi_rsdp >= LOW_END)
		return refuse("the ACPI pointer 0x%lx is not below 4 GiB", in->acpi_rsdp);
	if (text_length(in->cmdline, BOOT_CMDLINE) == BOOT_CMDLINE)
		return refuse("the command line has no end within %u bytes", BOOT_CMDLINE);
	return NULL;
}

/* Lengths are compared by subtraction from the limit: a sum might wrap. */
static const char *check_range(const struct boot_range *r)
{
	const char *wrong;

	if (r->size == 0)
		wrong = "is empty";
	else if (r->base >= ADDRESS_END || r->size > ADDRESS_END - r->base)
		wrong = "passes the end of the addresses that machines have";
	else if (r->kind < BOOT_RAM || r->kind > BOOT_RESERVED || r->reserved != 0)
		wrong = "has an unknown kind";
	else
		return NULL;
	return refuse("the memory map entry at 0x%lx with 0x%lx bytes, kind %u, %u, %s", r->base,
		      r->size, r->kind, r->reserved, wrong);
}

/* One step of an insertion sort: firmware sorts its map or nearly so. The ranges before
 * `at` are in order already. */
static void sort_in(struct boot_range *range, uint32_t at)
{
	struct boot_range r = range[at];

	for (; at > 0 && range[at - 1].base > r.base; at--)
		range[at] = range[at - 1];
	range[at] = r;
}

static const char *check_map(struct boot_info *in)
{
	for (uint32_t i = 0; i < in->range_count; i++) {
		const char *why = check_range(&in->range[i]);
		if (why != NULL)
			return why;
		sort_in(in->range, i);
	}
	for (uint32_t i = 1; i < in->range_count; i++) {
		const struct boot_range *a = &in->range[i - 1], *b = &in->range[i];

		if (a->size > b->base - a->base)
			return refuse("the memory map entries 0x%lx+0x%lx and 0x%lx+0x%lx overlap",
				      a->base, a->size, b->base, b->size);
	}
	return NULL;
}

static bool is_ram(const struct boot_range *r)
{
	return r->kind == BOOT_RAM || r->kind == BOOT_LOADER;
}

/* The sum can't wrap: ranges don't overlap, and all end below 2^BOOT_ADDRESS_BITS. */
static uint64_t ram_size(const struct boot_info *in)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < in->range_count; i++)
		sum += is_ram(&in->range[i]) ? in->range[i].size : 0;
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

static const char *check_image(const struct boot_info *in, const char *what, uint64_t base,
			       uint64_t size)
{
	const char *wrong;

	if (size == 0)
		return refuse("no %s was given", what);
	if (base >= LOW_END || size > LOW_END - base)
		wrong = "is not below 4 GiB";
	else if (!is_inside_ram(in, base, base + size))
		wrong = "is not inside RAM";
	else
		return NULL;
	return refuse("the %s at 0x%lx with 0x%lx bytes %s", what, base, size, wrong);
}

static const char *check_images(const struct boot_info *in)
{
	uint64_t kernel = in->kernel_base, archive = in->archive_base;
	const char *why = check_image(in, "kernel", kernel, in->kernel_size);

	if (why == NULL)
		why = check_image(in, "boot archive", archive, in->archive_size);
	if (why != NULL || kernel >= archive + in->archive_size ||
	    archive >= kernel + in->kernel_size)
		return why;
	return refuse("the kernel 0x%lx+0x%lx and the boot archive 0x%lx+0x%lx overlap", kernel,
		      in->kernel_size, archive, in->archive_size);
}

const char *boot_info_check(struct boot_info *in)
{
	const char *why = check_head(in);

	if (why == NULL)
		why = check_map(in);
	if (why != NULL)
		return why;
	if (ram_size(in) < BOOT_MEMORY_MIN)
		return refuse("%lu KiB of memory, at least %lu KiB are needed",
			      ram_size(in) / KIB(1), BOOT_MEMORY_MIN / KIB(1));
	return check_images(in);
}

/* The next word of a command line from *at on: its length, 0 at the end, with
 * *at at its first character. */
static size_t next_word(const char **at)
{
	size_t length = 0;

	while (**at != '\0' && (uint8_t) * *at <= ' ')
		(*at)++;
	while ((uint8_t)(*at)[length] > ' ')
		length++;
	return length;
}

/* What follows the name if a word is `name`, alone or with a value behind '='; else NULL. */
static const char *behind_name(const char *word, size_t length, const char *name)
{
	size_t i = 0;

	while (i < length && name[i] != '\0' && word[i] == name[i])
		i++;
	return name[i] == '\0' && i > 0 && (i == length || word[i] == '=') ? word + i : NULL;
}

/* To the end of the line: the last one counts, so that what an operator appends
 * overrules what an image has built in. */
bool boot_option(const char *name, char *value, size_t size)
{
	const char *word = boot_info.cmdline;
	bool found = false;
	size_t length;

	for (; (length = next_word(&word)) > 0; word += length) {
		const char *text = behind_name(word, length, name);
		if (text == NULL)
			continue;
		text += text < word + length; /* the '=' */
		format(value, size, "%.*s", (int)(word + length - text), text);
		found = true;
	}
	return found;
}

/* For information, and no refusal: user space finds its options on the same line. */
static void report_unknown_options(void)
{
	const char *word = boot_info.cmdline;
	size_t length;

	for (; (length = next_word(&word)) > 0; word += length) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(known_options); i++)
			known |= behind_name(word, length, known_options[i]) != NULL;
		if (!known)
			log_info("boot", "no kernel option: %.*s", (int)length, word);
	}
}

void boot_take(struct boot_info *in)
{
	static const char *const path[] = { "nowhere", "PVH", "UEFI", "the host" };
	struct archive_file none;

	boot_info = *in;
	wipe(in->seed, sizeof(in->seed));
	const char *why = boot_info_check(&boot_info);
	if (why != NULL)
		boot_refuse("%s", why);
	/* It was found to lie in RAM below 4 GiB, all of which is mapped by now. */
	const uint8_t *archive = arch_phys_to_virt(boot_info.archive_base);
	/* No name is empty, so the whole archive is looked through. */
	if (archive_find(archive, boot_info.archive_size, "", &none) != ST_BAD_ARG)
		boot_refuse("the boot archive at 0x%lx with 0x%lx bytes is no intact cpio archive",
			    boot_info.archive_base, boot_info.archive_size);
	log_info("boot", "%lu MiB of memory in %u ranges, from %s", ram_size(&boot_info) / MIB(1),
		 boot_info.range_count, path[boot_info.path]);
	report_unknown_options();
}
