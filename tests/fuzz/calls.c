/* SPDX-License-Identifier: MIT */
/* Every system call, with whatever arguments, in whatever order: see core/test/storm.h. */
#include <core/test/storm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool booted;

	if (!booted)
		storm_boot();
	booted = true;
	const char *wrong = storm_run(data, size);
	if (wrong != NULL) {
		fprintf(stderr, "not in order: %s\n", wrong);
		abort();
	}
	return 0;
}
