/* SPDX-License-Identifier: MIT */
/* What comes from outside before anything else runs: an input that begins like a
 * boot archive is read as one, else it fills the parts of a boot information
 * that vary: first the addresses and sizes, then as many ranges as it reaches. */
#include <core/archive.h>
#include <core/boot.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD offsetof(struct boot_info, kernel_base)
#define VARY (offsetof(struct boot_info, start_tsc) - HEAD)

static void fuzz_info(const uint8_t *data, size_t size)
{
	struct boot_info info = {
		.magic = BOOT_INFO_MAGIC,
		.version = BOOT_INFO_VERSION,
		.path = BOOT_PATH_HOST,
	};

	if (size < VARY)
		return;
	memcpy((uint8_t *)&info + HEAD, data, VARY);
	size -= VARY;
	info.range_count = (uint32_t)(size / sizeof(info.range[0]));
	memcpy(info.range, data + VARY, size < sizeof(info.range) ? size : sizeof(info.range));
	const char *why = boot_info_check(&info);
	if (why != NULL) {
		if (why[0] == '\0')
			abort();
		return;
	}
	for (uint32_t i = 1; i < info.range_count; i++) {
		if (info.range[i].base < info.range[i - 1].base + info.range[i - 1].size)
			abort();
	}
}

static void fuzz_archive(const uint8_t *data, size_t size)
{
	struct archive_file file;
	size_t offset = 0;

	while (archive_next(data, size, &offset, &file) == ST_OK) {
		const uint8_t *name = (const uint8_t *)file.name;

		if (name < data || name + strlen(file.name) >= file.data ||
		    file.size > size - (size_t)(file.data - data))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == '0')
		fuzz_archive(data, size);
	else
		fuzz_info(data, size);
	return 0;
}
