/* SPDX-License-Identifier: MIT */
/* What init reads: the archive, programs in it, and the stacks of the dead. */
#include <abi/memory.h>
#include <elf.h>
#include <services/init/backtrace.h>
#include <services/init/newc.h>
#include <services/init/pie.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

/* ---- archive ---- */

static uint8_t archive[2048];
static size_t archive_size;

static void add(const char *name, unsigned mode, const char *data)
{
	size_t size = strlen(data);
	int n = sprintf((char *)archive + archive_size,
			"070701%08x%08x%08x%08x%08x%08x%08zX%08x%08x%08x%08x%08zx%08x", 1, mode, 0,
			0, 1, 0, size, 0, 0, 0, 0, strlen(name) + 1, 0);

	archive_size += (size_t)n;
	strcpy((char *)archive + archive_size, name);
	archive_size = (archive_size + strlen(name) + 1 + 3) & ~(size_t)3;
	memcpy(archive + archive_size, data, size);
	archive_size = (archive_size + size + 3) & ~(size_t)3;
}

static void make_archive(void)
{
	memset(archive, 0, sizeof(archive));
	archive_size = 0;
	add("bin", 0040755, "");
	add("bin/one", 0100644, "content");
	add("two", 0120777, "bin/one");
	add("two", 0100644, "of two");
	add("TRAILER!!!", 0, "");
}

/* In a copy that ends where its memory does. */
static status_t find(size_t size, const char *name, struct newc_file *f)
{
	uint8_t *exact = malloc(size + 1);

	memcpy(exact + 1, archive, size);
	status_t st = newc_find(exact + 1, size, name, f);
	free(exact);
	return st;
}

TEST(newc_finds_files_only)
{
	struct newc_file f = { 7, 7 };

	make_archive();
	CHECK(find(archive_size, "bin/one", &f) == ST_OK && f.size == 7);
	CHECK(memcmp(archive + f.offset, "content", 7) == 0);
	CHECK(find(archive_size, "two", &f) == ST_OK && f.size == 6);
	CHECK(memcmp(archive + f.offset, "of two", 6) == 0);
	f = (struct newc_file){ 7, 7 };
	CHECK(find(archive_size, "bin", &f) == ST_BAD_ARG);
	CHECK(find(archive_size, "TRAILER!!!", &f) == ST_BAD_ARG);
	CHECK(find(archive_size, "bin/on", &f) == ST_BAD_ARG && f.offset == 7 && f.size == 7);
}

TEST(newc_stays_within_the_archive)
{
	struct newc_file f;

	make_archive();
	for (size_t size = 0; size < archive_size; size++)
		CHECK(find(size, "nothing", &f) != ST_OK);
	for (size_t at = 0; at < archive_size; at++) {
		for (unsigned i = 0; i < 4; i++) {
			uint8_t old = archive[at];
			archive[at] = (uint8_t) "f0\377x"[i];
			status_t st = find(archive_size, "two", &f);
			CHECK(st != ST_OK ||
			      (f.offset <= archive_size && f.size <= archive_size - f.offset));
			archive[at] = old;
		}
	}
}

/* ---- programs ---- */

#define MACHINE 62

static struct {
	Elf64_Ehdr h;
	Elf64_Phdr p[4];
	Elf64_Shdr s[3];
	Elf64_Sym symbol[3];
	char names[32];
	uint8_t code[64], data[64];
} file;

#define AT(field) ((size_t)((char *)&file.field - (char *)&file))

static void make_file(void)
{
	memset(&file, 0, sizeof(file));
	memcpy(file.h.e_ident, ELFMAG "\2\1\1", 7);
	file.h.e_type = ET_DYN;
	file.h.e_machine = MACHINE;
	file.h.e_entry = AT(code) + 8;
	file.h.e_phoff = AT(p);
	file.h.e_phentsize = sizeof(Elf64_Phdr);
	file.h.e_phnum = 4;
	file.h.e_shoff = AT(s);
	file.h.e_shentsize = sizeof(Elf64_Shdr);
	file.h.e_shnum = 3;
	file.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X };
	file.p[0].p_filesz = file.p[0].p_memsz = AT(data);
	file.p[1] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_W, AT(data), 4096 + AT(data), 0, 64, 8192, 1 };
	file.p[2] = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_flags = PF_R };
	file.p[3] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
	file.s[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
				  .sh_link = 2,
				  .sh_offset = AT(symbol),
				  .sh_size = sizeof(file.symbol) };
	file.s[2] = (Elf64_Shdr){ .sh_offset = AT(names), .sh_size = sizeof(file.names) };
	file.symbol[1] = (Elf64_Sym){ 1, STT_FUNC, 0, 1, AT(code), 16 };
	file.symbol[2] = (Elf64_Sym){ 7, STT_FUNC, 0, 1, AT(code) + 32, 16 };
	memcpy(file.names, "\0first\0second", 13);
}

static const char *why;

static bool is_refused(const char *reason)
{
	struct pie p;
	status_t st = pie_read((const uint8_t *)&file, sizeof(file), MACHINE, &p, &why);

	make_file();
	return st == ST_CORRUPT && strcmp(why, reason) == 0;
}

TEST(pie_is_read)
{
	struct pie p;

	make_file();
	CHECK(pie_read((const uint8_t *)&file, sizeof(file), MACHINE, &p, &why) == ST_OK);
	CHECK(p.count == 2 && p.pages == 4 && p.entry == AT(code) + 8);
	CHECK(p.segment[0].va == 0 && p.segment[0].pages == 1 && p.segment[0].skip == 0);
	CHECK(p.segment[0].access == (MAP_READ | MAP_EXEC) && p.segment[0].size == AT(data));
	CHECK(p.segment[1].va == 4096 && p.segment[1].pages == 3);
	CHECK(p.segment[1].access == (MAP_READ | MAP_WRITE) && p.segment[1].skip == AT(data));
	CHECK(p.segment[1].from == AT(data) && p.segment[1].size == 64);
}

TEST(pie_that_is_wrong_is_refused)
{
	make_file();
	file.h.e_ident[1] = 'e';
	CHECK(is_refused("it is no 64-bit ELF file"));
	file.h.e_machine = 183;
	CHECK(is_refused("it is for another machine"));
	file.h.e_type = ET_EXEC;
	CHECK(is_refused("its position is fixed"));
	file.h.e_phnum = 0;
	CHECK(is_refused("its program headers are not as they should be"));
	file.h.e_phoff = sizeof(file) - 2 * sizeof(Elf64_Phdr);
	CHECK(is_refused("its program headers are not in the file"));
	file.h.e_phoff = UINT64_MAX - 8;
	CHECK(is_refused("its program headers are not in the file"));
	file.p[1].p_flags |= PF_X;
	CHECK(is_refused("a segment is writable and executable"));
	file.p[1].p_flags = PF_W;
	CHECK(is_refused("a segment can't be read"));
	file.p[2].p_type = PT_INTERP;
	CHECK(is_refused("it is not statically linked"));
	file.p[3].p_flags |= PF_X;
	CHECK(is_refused("it wants an executable stack"));
	file.h.e_entry = 4096 + AT(data);
	CHECK(is_refused("it does not begin in code of its own"));
}

TEST(pie_segments_stay_within_bounds)
{
	make_file();
	file.p[0].p_filesz = file.p[0].p_memsz = sizeof(file) + 1;
	CHECK(is_refused("a segment is not in the file"));
	file.p[1].p_offset = UINT64_MAX - 16;
	CHECK(is_refused("a segment is not in the file"));
	file.p[0].p_memsz--;
	CHECK(is_refused("a segment's content is longer than the segment"));
	file.p[1].p_memsz = UINT64_MAX;
	CHECK(is_refused("it is too large"));
	file.p[1].p_vaddr = UINT64_MAX - 4096;
	CHECK(is_refused("it is too large"));
	file.p[1].p_vaddr = 512;
	CHECK(is_refused("its segments overlap, share a page or are not sorted"));
	file.p[0].p_vaddr = 1 << 20;
	CHECK(is_refused("its segments overlap, share a page or are not sorted"));
}

TEST(pie_names_functions)
{
	uint64_t offset = 0;
	struct pie p;

	make_file();
	CHECK(pie_read((const uint8_t *)&file, sizeof(file), MACHINE, &p, &why) == ST_OK);
	const char *name = pie_symbol(&p, AT(code) + 5, &offset);
	CHECK(name != NULL && strcmp(name, "first") == 0 && offset == 5);
	name = pie_symbol(&p, AT(code) + 47, &offset);
	CHECK(name != NULL && strcmp(name, "second") == 0 && offset == 15);
	CHECK(pie_symbol(&p, AT(code) + 16, &offset) == NULL);
	CHECK(pie_symbol(&p, UINT64_MAX, &offset) == NULL);
	file.symbol[1].st_name = sizeof(file.names);
	CHECK(pie_symbol(&p, AT(code), &offset) == NULL);
}

/* Each byte of the headers as something else: what is taken stays inside the file. */
TEST(pie_of_chance_stays_within_bounds)
{
	uint64_t x = test_seed(), offset;
	struct pie p;

	for (unsigned round = 0; round < test_rounds(20000); round++) {
		uint8_t *exact = malloc(sizeof(file));

		make_file();
		for (unsigned i = 0; i < 1 + round % 3; i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			((uint8_t *)&file)[(x >> 33) % AT(code)] = (uint8_t)(x >> 25);
		}
		memcpy(exact, &file, sizeof(file));
		if (pie_read(exact, sizeof(file), MACHINE, &p, &why) == ST_OK) {
			for (unsigned i = 0; i < p.count; i++) {
				const struct pie_segment *s = &p.segment[i];
				CHECK(s->from <= sizeof(file) && s->size <= sizeof(file) - s->from);
				CHECK(s->skip + s->size <= s->pages * MEMORY_PAGE);
				CHECK(s->va + s->pages * MEMORY_PAGE <= p.pages * MEMORY_PAGE);
				CHECK(p.pages <= PIE_PAGES_MAX);
			}
			const char *name = pie_symbol(&p, AT(code) + 4, &offset);
			CHECK(name == NULL || strlen(name) < sizeof(file));
		}
		free(exact);
	}
}

/* ---- stacks ---- */

static uint64_t stack[64];

static bool read_stack(void *from, uint64_t address, uint64_t *word)
{
	(void)from;
	if (address < 1000 * 8 || address >= 1064 * 8)
		return false;
	*word = stack[address / 8 - 1000];
	return true;
}

TEST(backtrace_follows_frames)
{
	uint64_t at[BACKTRACE_FRAMES];

	memset(stack, 0, sizeof(stack));
	stack[2] = 1010 * 8;
	stack[3] = 0x222;
	stack[10] = 1020 * 8;
	stack[11] = 0x333;
	CHECK(backtrace_walk(0x111, 1002 * 8, read_stack, NULL, at) == 3);
	CHECK(at[0] == 0x111 && at[1] == 0x222 && at[2] == 0x333);
}

TEST(backtrace_ends_where_frames_are_wrong)
{
	uint64_t at[BACKTRACE_FRAMES];

	memset(stack, 0xff, sizeof(stack));
	CHECK(backtrace_walk(1, 1063 * 8, read_stack, NULL, at) == 1); /* half of it outside */
	CHECK(backtrace_walk(1, 0, read_stack, NULL, at) == 1);
	CHECK(backtrace_walk(1, UINT64_MAX - 7, read_stack, NULL, at) == 1);
	CHECK(backtrace_walk(1, 1002 * 8 + 4, read_stack, NULL, at) == 1);
	stack[2] = 1002 * 8; /* its own caller */
	CHECK(backtrace_walk(1, 1002 * 8, read_stack, NULL, at) == 2);
	for (unsigned i = 0; i < 64; i++)
		stack[i] = (1000 + i / 2 * 2 + 2) * 8; /* as deep as can be */
	CHECK(backtrace_walk(1, 1000 * 8, read_stack, NULL, at) == BACKTRACE_FRAMES);
}
