/* SPDX-License-Identifier: MIT */
/* kernel/core/wipe.h - forgets a secret in memory that goes out of use. */
#pragma once
#include <core/types.h>

/* Zeros `size` bytes; the compiler may not leave it out, though nothing reads
 * them again. */
static inline void wipe(void *data, size_t size)
{
	volatile uint8_t *byte = data;

	for (size_t i = 0; i < size; i++)
		byte[i] = 0;
}
