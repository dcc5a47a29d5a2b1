/* SPDX-License-Identifier: MIT */
/* What init reads of the image: an input that begins like a boot archive is looked through as one,
 * else it is read as a program. */
#include <abi/memory.h>
#include <services/init/newc.h>
#include <services/init/pie.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_pie(const uint8_t *data, size_t size)
{
	uint64_t end = 0, offset;
	const char *why;
	struct pie p;

	if (pie_read(data, size, 62, &p, &why) != ST_OK) {
		if (why == NULL)
			abort();
		return;
	}
	for (unsigned i = 0; i < p.count; i++) {
		const struct pie_segment *s = &p.segment[i];

		if (s->from > size || s->size > size - s->from || s->va < end ||
		    s->skip + s->size > s->pages * MEMORY_PAGE ||
		    ((s->access & MAP_WRITE) && (s->access & MAP_EXEC)))
			abort();
		end = s->va + s->pages * MEMORY_PAGE;
	}
	const char *name = pie_symbol(&p, p.entry, &offset);
	if (end > p.pages * MEMORY_PAGE || (name != NULL && strlen(name) >= size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct newc_file f;

	if (size == 0 || data[0] != '0')
		fuzz_pie(data, size);
	else if (newc_find(data, size, "root", &f) == ST_OK &&
		 (f.offset > size || f.size > size - f.offset))
		abort();
	return 0;
}
