/* SPDX-License-Identifier: MIT */
#include <arch/host/host.h>
#include <core/boot.h>
#include <test/test.h>
#include <string.h>

/* A plain PC: low memory, the hole below 1 MiB, RAM up to 64 MiB with kernel
 * and archive in it, something reserved on top, and RAM above 4 GiB. */
static struct boot_info good(void)
{
	static const struct boot_range map[] = {
		{ 0, 0x9fc00, BOOT_RAM, 0 },
		{ 0x9fc00, 0x400, BOOT_RESERVED, 0 },
		{ 0xf0000, 0x10000, BOOT_RESERVED, 0 },
		{ MIB(1), MIB(63), BOOT_RAM, 0 },
		{ MIB(64), KIB(128), BOOT_ACPI, 0 },
		{ 0xfffc0000, 0x40000, BOOT_RESERVED, 0 },
		{ GIB(4), GIB(1), BOOT_RAM, 0 },
	};
	struct boot_info b = {
		.magic = BOOT_INFO_MAGIC,
		.version = BOOT_INFO_VERSION,
		.path = BOOT_PATH_PVH,
		.kernel_base = MIB(2),
		.kernel_size = MIB(1),
		.archive_base = MIB(8),
		.archive_size = 512,
		.acpi_rsdp = 0xf5000,
		.range_count = ARRAY_LEN(map),
	};

	memcpy(b.range, map, sizeof(map));
	return b;
}

/* Gives `b` a map of its own of up to four ranges. */
static void set_map(struct boot_info *b, const struct boot_range *map, uint32_t count)
{
	memset(b->range, 0, sizeof(b->range));
	memcpy(b->range, map, count * sizeof(*map));
	b->range_count = count;
}

/* True if `b` is refused with a reason that contains `words`. */
static bool refused(struct boot_info b, const char *words)
{
	const char *why = boot_info_check(&b);

	return why != NULL && strstr(why, words) != NULL;
}

static bool accepted(struct boot_info b)
{
	return boot_info_check(&b) == NULL;
}

TEST(boot_info_of_a_pc_is_accepted)
{
	CHECK(accepted(good()));
}

TEST(boot_info_head_is_checked)
{
	struct boot_info b = good();
	b.magic ^= 1;
	CHECK(refused(b, "magic number 0x544f4f42454d4855"));
	b = good();
	b.version++;
	CHECK(refused(b, "version 2, not 1"));
	b = good();
	b.path = 0;
	CHECK(refused(b, "boot path 0"));
	b.path = BOOT_PATH_HOST + 1;
	CHECK(refused(b, "boot path 4"));
	b.path = BOOT_PATH_HOST;
	CHECK(accepted(b));
	b = good();
	b.seed_size = BOOT_SEED;
	CHECK(accepted(b));
	b.seed_size++;
	CHECK(refused(b, "seed has 65 bytes"));
}

TEST(boot_info_command_line_must_end)
{
	struct boot_info b = good();

	memset(b.cmdline, 'x', BOOT_CMDLINE - 1);
	CHECK(accepted(b));
	b.cmdline[BOOT_CMDLINE - 1] = 'x';
	CHECK(refused(b, "command line has no end"));
}

TEST(boot_info_acpi_pointer_is_low)
{
	struct boot_info b = good();

	b.acpi_rsdp = 0;
	CHECK(accepted(b));
	b.acpi_rsdp = GIB(4) - 1;
	CHECK(accepted(b));
	b.acpi_rsdp = GIB(4);
	CHECK(refused(b, "ACPI pointer 0x100000000"));
}

TEST(boot_map_count_is_bounded)
{
	struct boot_info b = good();

	b.range_count = 0;
	CHECK(refused(b, "memory map has 0 entries"));
	for (uint32_t i = ARRAY_LEN(b.range); i > 7; i--)
		b.range[i - 1] =
			(struct boot_range){ GIB(8) + i * GIB(1), KIB(4), BOOT_RESERVED, 0 };
	b.range_count = BOOT_RANGES;
	CHECK(accepted(b));
	b.range_count++;
	CHECK(refused(b, "257 entries"));
	b.range_count = UINT32_MAX;
	CHECK(refused(b, "4294967295 entries"));
}

/* Every shorter map leaves out RAM that the kernel or the archive lies in, or
 * all but too little of it, until only the last, harmless, entries are missing. */
TEST(boot_map_truncated_is_refused)
{
	for (uint32_t count = 0; count < 4; count++) {
		struct boot_info b = good();

		b.range_count = count;
		CHECK(!accepted(b));
	}
	struct boot_info b = good();
	b.range[3].size = MIB(1) + KIB(4);
	CHECK(refused(b, "kernel at 0x200000 with 0x100000 bytes is not inside RAM"));
}

TEST(boot_map_empty_entry_is_refused)
{
	struct boot_info b = good();

	b.range[5].size = 0;
	CHECK(refused(b, "entry at 0xfffc0000 with 0x0 bytes, kind 4, 0, is empty"));
}

TEST(boot_map_kind_is_checked)
{
	struct boot_info b = good();

	b.range[5].kind = 0;
	CHECK(refused(b, "kind 0, 0, has an unknown"));
	b.range[5].kind = BOOT_RESERVED + 1;
	CHECK(refused(b, "kind 5, 0, has an unknown"));
	b.range[5].kind = BOOT_RESERVED;
	b.range[5].reserved = 7;
	CHECK(refused(b, "kind 4, 7, has an unknown"));
}

TEST(boot_map_entry_must_not_wrap)
{
	const uint64_t end = 1ull << BOOT_ADDRESS_BITS;
	struct boot_info b = good();

	b.range[6] = (struct boot_range){ end - KIB(4), KIB(4), BOOT_RESERVED, 0 };
	CHECK(accepted(b));
	b.range[6].size++;
	CHECK(refused(b, "passes the end"));
	b.range[6] = (struct boot_range){ end, 1, BOOT_RESERVED, 0 };
	CHECK(refused(b, "passes the end"));
	b.range[6] = (struct boot_range){ GIB(4), UINT64_MAX, BOOT_RAM, 0 };
	CHECK(refused(b, "passes the end"));
	b.range[6] = (struct boot_range){ UINT64_MAX, UINT64_MAX, BOOT_RAM, 0 };
	CHECK(refused(b, "passes the end"));
	b.range[6] = (struct boot_range){ UINT64_MAX - KIB(4) + 1, KIB(4), BOOT_RAM, 0 };
	CHECK(refused(b, "passes the end"));
}

TEST(boot_map_overlap_is_refused)
{
	struct boot_info b = good();

	b.range[3].size++; /* by one byte, into its neighbour */
	CHECK(refused(b, "0x100000+0x3f00001 and 0x4000000+0x20000 overlap"));
	b = good();
	b.range[6] = (struct boot_range){ MIB(16), MIB(1), BOOT_RESERVED, 0 }; /* inside */
	CHECK(refused(b, "overlap"));
	b.range[6] = b.range[3]; /* the same again */
	CHECK(refused(b, "overlap"));
	b.range[6] = (struct boot_range){ 0, MIB(128), BOOT_RAM, 0 }; /* around */
	CHECK(refused(b, "overlap"));
}

/* Overlaps of two ranges that a third lies between in the map as given. */
TEST(boot_map_overlap_is_found_out_of_order)
{
	static const struct boot_range map[] = {
		{ MIB(32), MIB(32), BOOT_RAM, 0 },
		{ MIB(128), MIB(1), BOOT_RAM, 0 },
		{ MIB(1), MIB(31) + 1, BOOT_RAM, 0 },
	};
	struct boot_info b = good();

	set_map(&b, map, ARRAY_LEN(map));
	CHECK(refused(b, "0x100000+0x1f00001 and 0x2000000+0x2000000 overlap"));
	b.range[2].size--;
	CHECK(accepted(b));
}

/* Any order gives the same sorted map. */
TEST(boot_map_is_sorted)
{
	uint64_t random = test_seed();

	for (uint64_t round = 0; round < test_rounds(200); round++) {
		struct boot_info want = good(), b = good();

		for (uint32_t i = b.range_count; i > 1; i--) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			uint32_t j = (uint32_t)(random >> 33) % i;
			struct boot_range r = b.range[i - 1];
			b.range[i - 1] = b.range[j];
			b.range[j] = r;
		}
		CHECK(boot_info_check(&b) == NULL);
		CHECK(memcmp(&b, &want, sizeof(b)) == 0);
	}
}

TEST(boot_memory_minimum_is_exact)
{
	struct boot_range map[] = {
		{ MIB(1), BOOT_MEMORY_MIN - MIB(4), BOOT_RAM, 0 },
		{ MIB(64), MIB(4), BOOT_LOADER, 0 },
		{ MIB(128), MIB(64), BOOT_ACPI, 0 },
		{ MIB(256), MIB(64), BOOT_RESERVED, 0 },
	};
	struct boot_info b = good();

	set_map(&b, map, ARRAY_LEN(map));
	CHECK(accepted(b));
	b.range[1].size--;
	CHECK(refused(b, "32767 KiB of memory, at least 32768 KiB are needed"));
}

/* `what` at [base, base + size) is refused because it is not inside RAM. */
static bool outside(struct boot_info b, bool kernel, uint64_t base, uint64_t size)
{
	if (kernel) {
		b.kernel_base = base;
		b.kernel_size = size;
	} else {
		b.archive_base = base;
		b.archive_size = size;
	}
	return refused(b, kernel ? "kernel at" : "boot archive at") &&
	       refused(b, "is not inside RAM");
}

TEST(boot_images_must_lie_in_ram)
{
	for (int kernel = 0; kernel < 2; kernel++) {
		struct boot_info b = good();

		CHECK(outside(b, kernel, 0xa0000, KIB(4)));          /* in a hole */
		CHECK(outside(b, kernel, MIB(1) - 1, KIB(4)));       /* begins in it */
		CHECK(outside(b, kernel, MIB(64) - KIB(4), 0x1001)); /* ends behind */
		CHECK(outside(b, kernel, MIB(64), KIB(4)));          /* in ACPI tables */
		CHECK(outside(b, kernel, 0xfffc0000, KIB(4)));       /* reserved */
		CHECK(outside(b, kernel, 0x9f000, MIB(1)));          /* across a hole */
		CHECK(outside(b, kernel, GIB(2), 1));                /* in nothing */
	}
	struct boot_info b = good();
	b.archive_base = MIB(64) - KIB(4);
	b.archive_size = KIB(4);
	CHECK(accepted(b));
	b.kernel_base = MIB(1);
	CHECK(accepted(b));
}

TEST(boot_images_may_cross_a_joint)
{
	static const struct boot_range map[] = {
		{ MIB(1), MIB(31), BOOT_RAM, 0 },
		{ MIB(32), MIB(1), BOOT_LOADER, 0 },
		{ MIB(33), MIB(31), BOOT_RAM, 0 },
	};
	struct boot_info b = good();

	set_map(&b, map, ARRAY_LEN(map));
	b.archive_base = MIB(31);
	b.archive_size = MIB(4);
	CHECK(accepted(b));
	b.range[2].base += KIB(4);
	b.range[2].size -= KIB(4);
	CHECK(refused(b, "boot archive at 0x1f00000"));
}

TEST(boot_images_must_lie_below_4_gib)
{
	struct boot_info b = good();

	b.archive_base = GIB(4);
	CHECK(refused(b, "archive at 0x100000000 with 0x200 bytes is not below 4"));
	b = good();
	b.kernel_base = UINT64_MAX;
	CHECK(refused(b, "kernel at 0xffffffffffffffff with"));
	b = good();
	b.archive_size = UINT64_MAX;
	CHECK(refused(b, "is not below 4 GiB"));
	b.archive_size = UINT64_MAX - b.archive_base + 1; /* wraps to 0 */
	CHECK(refused(b, "is not below 4 GiB"));
	b.archive_size = GIB(4) - b.archive_base + 1;
	CHECK(refused(b, "is not below 4 GiB"));
	b.archive_size--;
	CHECK(refused(b, "is not inside RAM"));
}

TEST(boot_images_must_be_given)
{
	struct boot_info b = good();

	b.archive_size = 0;
	CHECK(refused(b, "no boot archive was given"));
	b = good();
	b.kernel_size = 0;
	CHECK(refused(b, "no kernel was given"));
}

TEST(boot_images_must_not_overlap)
{
	struct boot_info b = good();

	b.archive_base = b.kernel_base + b.kernel_size;
	CHECK(accepted(b));
	b.archive_base--;
	CHECK(refused(b, "0x200000+0x100000 and the boot archive 0x2fffff+0x200"));
	b.archive_base = b.kernel_base - b.archive_size;
	CHECK(accepted(b));
	b.archive_base++;
	CHECK(refused(b, "overlap"));
	b.archive_base = b.kernel_base;
	CHECK(refused(b, "overlap"));
	b.archive_base = MIB(1);
	b.archive_size = MIB(8);
	CHECK(refused(b, "overlap"));
}

/* How many bytes of [base, base + size) the range covers. */
static uint64_t covered(const struct boot_range *r, uint64_t base, uint64_t size)
{
	uint64_t from = r->base > base ? r->base : base;
	uint64_t to = r->base + r->size < base + size ? r->base + r->size : base + size;

	return to > from ? to - from : 0;
}

/* All that the header promises of a structure that was accepted. */
static bool holds_promises(const struct boot_info *b)
{
	uint64_t ram = 0, kernel = 0, archive = 0;

	for (uint32_t i = 0; i < b->range_count; i++) {
		const struct boot_range *r = &b->range[i];

		if (r->size == 0 || r->size > 1ull << BOOT_ADDRESS_BITS ||
		    r->base > (1ull << BOOT_ADDRESS_BITS) - r->size)
			return false;
		if (i > 0 && r->base < r[-1].base + r[-1].size)
			return false;
		if (r->kind != BOOT_RAM && r->kind != BOOT_LOADER)
			continue;
		ram += r->size;
		kernel += covered(r, b->kernel_base, b->kernel_size);
		archive += covered(r, b->archive_base, b->archive_size);
	}
	struct boot_range image = { b->kernel_base, b->kernel_size, BOOT_RAM, 0 };
	return ram >= BOOT_MEMORY_MIN && kernel > 0 && kernel == b->kernel_size && archive > 0 &&
	       archive == b->archive_size &&
	       covered(&image, b->archive_base, b->archive_size) == 0 &&
	       memchr(b->cmdline, '\0', BOOT_CMDLINE) != NULL;
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

/* Changes one 64-bit word of the head or of the map's used part. */
static void mutate(struct boot_info *b)
{
	const uint32_t head = offsetof(struct boot_info, seed) / 8;
	const uint32_t map = offsetof(struct boot_info, range) / 8;
	uint32_t n = random_below(head + 8 * sizeof(b->range[0]) / 8);
	uint64_t value, other;
	char *at = (char *)b + 8 * (n < head ? n : n - head + map);

	memcpy(&value, at, 8);
	memcpy(&other, (char *)b + 8 * (map + random_below(8 * sizeof(b->range[0]) / 8)), 8);
	switch (random_below(5)) {
	case 0:
		value ^= 1ull << random_below(64);
		break;
	case 1:
		value = other;
		break;
	case 2:
		value += other;
		break;
	case 3:
		value = 0 - (uint64_t)random_below(4);
		break;
	default:
		value += random_below(3) - 1;
		break;
	}
	memcpy(at, &value, 8);
}

TEST(boot_info_mutations_are_refused_or_sound)
{
	uint64_t accepted_count = 0;

	random_state = test_seed();
	for (uint64_t round = 0; round < test_rounds(100000); round++) {
		struct boot_info b = good();

		for (uint32_t n = random_below(3); n < 3; n++)
			mutate(&b);
		const char *why = boot_info_check(&b);
		if (why != NULL) {
			CHECK(why[0] != '\0');
			continue;
		}
		CHECK(holds_promises(&b));
		accepted_count++;
	}
	CHECK(accepted_count > 0);
}

static void set_line(const char *line)
{
	memset(boot_info.cmdline, 0, BOOT_CMDLINE);
	memcpy(boot_info.cmdline, line, strlen(line));
}

static bool option_is(const char *name, const char *want)
{
	char value[16] = "untouched";

	return boot_option(name, value, sizeof(value)) && strcmp(value, want) == 0;
}

TEST(boot_option_finds_whole_words)
{
	char value[8] = "before";

	set_line("accept=meltdown  quiet\ttest=a=b empty=\n");
	CHECK(option_is("accept", "meltdown"));
	CHECK(option_is("quiet", ""));
	CHECK(option_is("test", "a=b"));
	CHECK(option_is("empty", ""));
	CHECK(!boot_option("acc", value, sizeof(value)));
	CHECK(!boot_option("accepted", value, sizeof(value)));
	CHECK(!boot_option("meltdown", value, sizeof(value)));
	CHECK(!boot_option("", value, sizeof(value)));
	CHECK(strcmp(value, "before") == 0);
	set_line("");
	CHECK(!boot_option("accept", value, sizeof(value)));
	set_line("  ");
	CHECK(!boot_option("accept", value, sizeof(value)));
	set_line("=x");
	CHECK(!boot_option("", value, sizeof(value)));
}

TEST(boot_option_last_one_counts)
{
	set_line("log=debug log=error");
	CHECK(option_is("log", "error"));
	set_line("log=debug log");
	CHECK(option_is("log", ""));
}

TEST(boot_option_value_is_cut)
{
	char value[4] = "xxx";

	set_line("name=abcdef");
	CHECK(boot_option("name", value, sizeof(value)) && strcmp(value, "abc") == 0);
	CHECK(boot_option("name", value, 1) && value[0] == '\0' && value[1] == 'b');
	CHECK(boot_option("name", NULL, 0));
}

TEST(boot_option_at_the_end_of_a_full_line)
{
	char line[BOOT_CMDLINE];

	memset(line, 'x', sizeof(line));
	memcpy(line + BOOT_CMDLINE - 7, " a=bcd", 7);
	set_line(line);
	CHECK(option_is("a", "bcd"));
}

/* What held it becomes free memory. */
TEST(boot_take_erases_the_seed_it_was_given)
{
	static const char archive[] =
		"070701000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000000000000B00000000TRAILER!!!";
	struct boot_info given = host_usual_machine();

	memset(given.seed, 0x5a, BOOT_SEED);
	given.seed_size = BOOT_SEED;
	host_machine(&given);
	memcpy(arch_phys_to_virt(given.archive_base), archive, sizeof(archive));
	boot_take(&given);
	for (unsigned i = 0; i < BOOT_SEED; i++)
		CHECK(given.seed[i] == 0 && boot_info.seed[i] == 0x5a);
	CHECK(boot_info.seed_size == BOOT_SEED);
}
