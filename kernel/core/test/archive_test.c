/* SPDX-License-Identifier: MIT */
#include <core/archive.h>
#include <test/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 110
#define ROOM   2048

#define REGULAR   0100644u
#define DIRECTORY 0040755u
#define SYMLINK   0120777u

/* An archive under construction. */
struct builder {
	uint8_t bytes[ROOM];
	size_t size;
};

static void pad(struct builder *b)
{
	while (b->size % 4 != 0)
		b->bytes[b->size++] = 0;
}

static void add(struct builder *b, const char *name, uint32_t mode, const void *data, size_t size)
{
	size_t name_size = strlen(name) + 1;

	snprintf((char *)b->bytes + b->size, ROOM - b->size,
		 "070701%08x%08x%08x%08x%08x%08x%08zX%08x%08x%08x%08x%08zx%08x", 7, mode, 0, 0, 1,
		 0, size, 0, 0, 0, 0, name_size, 0);
	b->size += HEADER;
	memcpy(b->bytes + b->size, name, name_size);
	b->size += name_size;
	pad(b);
	memcpy(b->bytes + b->size, data, size);
	b->size += size;
	pad(b);
}

/* Two files, one of them empty, and things that are no files. */
static struct builder sample(void)
{
	struct builder b = { .size = 0 };

	add(&b, "etc", DIRECTORY, "", 0);
	add(&b, "version", REGULAR, "ThemeliOS 1\n", 12);
	add(&b, "link", SYMLINK, "version", 7);
	add(&b, "etc/nothing", REGULAR, "", 0);
	add(&b, "TRAILER!!!", 0, "", 0);
	return b;
}

/* ST_OK with the number of entries in *files, or ST_CORRUPT. */
static status_t archive_check(const uint8_t *base, size_t size, unsigned *files)
{
	struct archive_file file;
	unsigned count = 0;
	size_t offset = 0;
	status_t st;

	while ((st = archive_next(base, size, &offset, &file)) == ST_OK)
		count++;
	/* What the boot does. */
	if (archive_find(base, size, "", &file) != (st == ST_WOULD_BLOCK ? ST_BAD_ARG : st))
		test_fail(__FILE__, __LINE__, "both ways to the end agree");
	if (st == ST_WOULD_BLOCK)
		*files = count;
	return st == ST_WOULD_BLOCK ? ST_OK : st;
}

/* Parses a copy that ends where its memory ends, so that reading on is seen. */
static status_t check(const uint8_t *bytes, size_t size, unsigned *files)
{
	uint8_t *exact = malloc(size + (size == 0));

	memcpy(exact, bytes, size);
	status_t st = archive_check(exact, size, files);
	free(exact);
	return st;
}

static bool is_corrupt(const struct builder *b)
{
	unsigned files = 77;

	return check(b->bytes, b->size, &files) == ST_CORRUPT && files == 77;
}

TEST(archive_lists_what_it_holds)
{
	struct builder b = sample();
	struct archive_file f;
	size_t offset = 0;
	unsigned files;

	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_OK);
	CHECK(strcmp(f.name, "etc") == 0 && f.size == 0 && f.mode == DIRECTORY);
	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_OK);
	CHECK(strcmp(f.name, "version") == 0 && f.size == 12 && f.mode == REGULAR);
	CHECK(memcmp(f.data, "ThemeliOS 1\n", 12) == 0);
	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_OK);
	CHECK(strcmp(f.name, "link") == 0 && f.size == 7 && f.mode == SYMLINK);
	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_OK);
	CHECK(strcmp(f.name, "etc/nothing") == 0 && f.size == 0);
	size_t at_end = offset;
	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_WOULD_BLOCK);
	CHECK(archive_next(b.bytes, b.size, &offset, &f) == ST_WOULD_BLOCK);
	CHECK(offset == at_end && strcmp(f.name, "etc/nothing") == 0);
	CHECK(archive_check(b.bytes, b.size, &files) == ST_OK && files == 4);
}

TEST(archive_finds_by_whole_name)
{
	struct builder b = sample();
	struct archive_file f = { .size = 99 };

	CHECK(archive_find(b.bytes, b.size, "versio", &f) == ST_BAD_ARG);
	CHECK(archive_find(b.bytes, b.size, "version2", &f) == ST_BAD_ARG);
	CHECK(archive_find(b.bytes, b.size, "etc", &f) == ST_BAD_ARG);
	CHECK(archive_find(b.bytes, b.size, "link", &f) == ST_BAD_ARG);
	CHECK(archive_find(b.bytes, b.size, "TRAILER!!!", &f) == ST_BAD_ARG);
	CHECK(f.size == 99);
	CHECK(archive_find(b.bytes, b.size, "etc/nothing", &f) == ST_OK && f.size == 0);
	CHECK(archive_find(b.bytes, b.size, "version", &f) == ST_OK && f.size == 12);
}

/* The first of two of one name, and corruption behind it is not yet seen. */
TEST(archive_find_stops_at_the_first)
{
	struct builder b = { .size = 0 };
	struct archive_file f;

	add(&b, "a", REGULAR, "1", 1);
	add(&b, "a", REGULAR, "22", 2);
	CHECK(archive_find(b.bytes, b.size, "a", &f) == ST_OK && f.size == 1);
	CHECK(archive_find(b.bytes, b.size, "b", &f) == ST_CORRUPT);
}

TEST(archive_without_files_is_well_formed)
{
	struct builder b = { .size = 0 };
	unsigned files;

	add(&b, "TRAILER!!!", 0, "", 0);
	CHECK(check(b.bytes, b.size, &files) == ST_OK && files == 0);
}

TEST(archive_of_garbage_is_corrupt)
{
	struct builder b = { .size = ROOM };

	CHECK(is_corrupt(&b));
	memset(b.bytes, 0xff, ROOM);
	CHECK(is_corrupt(&b));
	memset(b.bytes, '0', ROOM);
	CHECK(is_corrupt(&b));
	b.size = 0;
	CHECK(is_corrupt(&b));
}

/* Cut anywhere before the trailer's name is complete it is corrupt. */
TEST(archive_truncated_at_every_byte)
{
	struct builder b = sample();
	size_t end = b.size;

	while (b.bytes[end - 1] == '\0')
		end--;
	for (size_t size = 0; size <= b.size; size++) {
		unsigned files = 77;

		status_t st = check(b.bytes, size, &files);
		CHECK(st == (size > end ? ST_OK : ST_CORRUPT));
		CHECK(files == (size > end ? 4u : 77u));
	}
}

/* Each byte of each header replaced by what is no digit. */
TEST(archive_header_digits_are_checked)
{
	static const char bad[] = { '/', ':', '@', 'G', '`', 'g', ' ', '-', 'x', '\0', '\x80' };
	struct builder good = sample();

	for (size_t at = 0; at < HEADER; at++) {
		for (size_t i = 0; i < sizeof(bad); i++) {
			struct builder b = good;

			b.bytes[at] = (uint8_t)bad[i];
			CHECK(is_corrupt(&b));
		}
	}
}

TEST(archive_other_cpio_forms_are_corrupt)
{
	static const char *const magic[] = { "070702", "070707", "070700", "170701" };

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		struct builder b = sample();

		memcpy(b.bytes, magic[i], 6);
		CHECK(is_corrupt(&b));
	}
}

/* Sets field `n` of the first header. */
static void set_field(struct builder *b, unsigned n, uint32_t value)
{
	char digits[9];

	snprintf(digits, sizeof(digits), "%08x", value);
	memcpy(b->bytes + 6 + 8 * n, digits, 8);
}

/* Lengths that reach the end of the archive, pass it, or wrap in 32 bits. */
TEST(archive_lengths_are_checked_against_the_end)
{
	static const uint32_t far[] = { ROOM, INT32_MAX, UINT32_MAX - 2, UINT32_MAX };
	const unsigned fields[] = { 6, 11 };

	for (unsigned f = 0; f < 2; f++) {
		for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
			struct builder b = sample();

			set_field(&b, fields[f], far[i]);
			CHECK(is_corrupt(&b));
		}
	}
	struct builder b = { .size = 0 };
	struct archive_file file;
	size_t offset = 0;
	add(&b, "a", REGULAR, "12345678", 8);
	CHECK(archive_next(b.bytes, b.size, &offset, &file) == ST_OK);
	set_field(&b, 6, 9);
	offset = 0;
	CHECK(archive_next(b.bytes, b.size, &offset, &file) == ST_CORRUPT && offset == 0);
}

TEST(archive_names_are_checked)
{
	struct builder b = sample();

	set_field(&b, 11, 0); /* no name, not even the zero */
	CHECK(is_corrupt(&b));
	set_field(&b, 11, 1); /* its zero is missing */
	CHECK(is_corrupt(&b));
	b.bytes[HEADER] = '\0'; /* an empty name */
	CHECK(is_corrupt(&b));
	b = sample();
	set_field(&b, 11, 5); /* a zero before its end */
	CHECK(is_corrupt(&b));
	b = sample();
	b.bytes[HEADER + 3] = 'x'; /* no zero at its end */
	CHECK(is_corrupt(&b));
}

/* An offset that the caller made up finds nothing and reads nothing. */
TEST(archive_offset_beyond_the_end)
{
	struct builder b = sample();
	struct archive_file f;

	for (size_t offset = b.size - HEADER + 1; offset < b.size + 8; offset++) {
		size_t at = offset;

		CHECK(archive_next(b.bytes, b.size, &at, &f) == ST_CORRUPT && at == offset);
	}
	size_t at = SIZE_MAX;
	CHECK(archive_next(b.bytes, b.size, &at, &f) == ST_CORRUPT);
}

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % n;
}

/* True if each file lies in the archive, after the one before it. */
static bool walk_is_sound(const uint8_t *base, size_t size)
{
	const uint8_t *last = base;
	struct archive_file f;
	size_t offset = 0;

	while (archive_next(base, size, &offset, &f) == ST_OK) {
		const uint8_t *name = (const uint8_t *)f.name;

		if (name < last || memchr(name, '\0', size - (size_t)(name - base)) == NULL)
			return false;
		if (f.data < name || f.size > size - (size_t)(f.data - base))
			return false;
		last = f.data + f.size;
	}
	return true;
}

/* Random digits, bytes and lengths: what is read stays inside. */
TEST(archive_mutations_stay_inside)
{
	random_state = test_seed();
	for (uint64_t round = 0; round < test_rounds(20000); round++) {
		struct builder b = sample();
		size_t size = random_below(4) == 0 ? random_below((uint32_t)b.size) : b.size;

		for (uint32_t n = random_below(4); n < 4; n++) {
			uint32_t at = random_below((uint32_t)b.size);
			b.bytes[at] = random_below(2) == 0
					      ? (uint8_t)random_below(256)
					      : (uint8_t) "0123456789abcdef"[random_below(16)];
		}
		uint8_t *exact = malloc(size + (size == 0));
		memcpy(exact, b.bytes, size);
		bool sound = walk_is_sound(exact, size);
		free(exact);
		CHECK(sound);
	}
}
