/* SPDX-License-Identifier: MIT */
/* lib/sys/string.h - the functions on bytes that C compilers call by themselves, as the C
 * standard has them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
