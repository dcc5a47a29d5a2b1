/* SPDX-License-Identifier: MIT */
#include <services/config/fw_cfg.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>

#define NAME   "opt/org.themelios/config"
#define FILES  2
#define ANSWER 0x1234

/* A device as QEMU makes it, with a directory of FILES files. */
struct device {
	char signature[4];
	uint8_t directory[4 + FILES * 64];
	char file[16];
	const uint8_t *at, *end;
	unsigned reads, fails_at; /* fails_at 0: never */
};

static status_t device_select(void *self, uint16_t item)
{
	struct device *d = self;

	d->at = d->end = NULL;
	if (item == 0) {
		d->at = (const uint8_t *)d->signature;
		d->end = d->at + sizeof(d->signature);
	} else if (item == 0x19) {
		d->at = d->directory;
		d->end = d->at + sizeof(d->directory);
	} else if (item == ANSWER) {
		d->at = (const uint8_t *)d->file;
		d->end = d->at + sizeof(d->file);
	}
	return ST_OK;
}

/* Beyond the end of an item zeros are read, as from QEMU. */
static status_t device_read(void *self, uint8_t *byte)
{
	struct device *d = self;

	if (++d->reads == d->fails_at)
		return ST_NO_RIGHT;
	*byte = d->at == d->end ? 0 : *d->at++;
	return ST_OK;
}

static void entry(uint8_t *at, uint32_t size, uint16_t item, const char *name)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(size >> (24 - 8 * i));
	at[4] = (uint8_t)(item >> 8);
	at[5] = (uint8_t)item;
	strcpy((char *)at + 8, name);
}

static void device_fill(struct device *d)
{
	*d = (struct device){ .signature = "QEMU", .file = "{\"hostname\":1}" };
	d->directory[3] = FILES;
	entry(d->directory + 4, 3, 7, "etc/other");
	entry(d->directory + 68, 14, ANSWER, NAME);
}

static status_t ask(struct device *d, size_t most, char **bytes, size_t *size)
{
	struct fw_cfg f = { device_select, device_read, d };

	*bytes = NULL;
	return fw_cfg_read(&f, NAME, most, bytes, size);
}

TEST(fw_cfg_reads_the_file_of_that_name)
{
	struct device d;
	char *bytes;
	size_t size;

	device_fill(&d);
	CHECK(ask(&d, 14, &bytes, &size) == ST_OK);
	CHECK(size == 14 && memcmp(bytes, d.file, 15) == 0);
	free(bytes);
}

TEST(fw_cfg_refuses_what_is_not_as_it_should_be)
{
	struct device d;
	char *bytes;
	size_t size;

	device_fill(&d);
	CHECK(ask(&d, 13, &bytes, &size) == ST_TOO_BIG);
	d.signature[0] = 0;
	CHECK(ask(&d, 14, &bytes, &size) == ST_UNSUPPORTED);
	device_fill(&d);
	d.directory[3] = 1;
	CHECK(ask(&d, 14, &bytes, &size) == ST_WOULD_BLOCK);
	device_fill(&d);
	memset(d.directory + 68 + 8, 'x', 56); /* a name without an end */
	memset(d.directory, 0xff, 4);          /* and as many files as can be */
	CHECK(ask(&d, 14, &bytes, &size) == ST_WOULD_BLOCK);
	CHECK(d.reads < 100000 && bytes == NULL);
}

TEST(fw_cfg_passes_on_every_failure_of_the_device)
{
	struct device d;
	char *bytes;
	size_t size;
	unsigned reads;

	device_fill(&d);
	CHECK(ask(&d, 14, &bytes, &size) == ST_OK);
	free(bytes);
	reads = d.reads;
	CHECK(reads == 4 + 4 + 128 + 14);
	for (unsigned i = 1; i <= reads; i++) {
		device_fill(&d);
		d.fails_at = i;
		CHECK(ask(&d, 14, &bytes, &size) == ST_NO_RIGHT && bytes == NULL);
	}
}
