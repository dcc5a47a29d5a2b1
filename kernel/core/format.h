/* SPDX-License-Identifier: MIT */
/* kernel/core/format.h - printf formatting into a buffer.
 *
 * Knows %c %s %d %u %x %p %% with width, '-', '0', precision for %s and %.*s,
 * and the length marks l, ll, z. Anything else is copied as it stands.
 */
#pragma once
#include <core/types.h>
#include <stdarg.h>

/* Writes at most `size` bytes with the closing zero; returns the length that
 * the whole text has, as the standard function does. `size` may be 0. */
size_t format_v(char *buf, size_t size, const char *fmt, va_list args) PRINTF(3, 0);
size_t format(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);
