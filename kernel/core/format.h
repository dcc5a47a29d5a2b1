/* SPDX-License-Identifier: MIT */
/* kernel/core/format.h - printf formatting into a buffer.
 *
 * Knows %s %d %u %x %p %% with width, the flags '-' and '0', and the length
 * marks l, ll and z; %.*s takes a part of a text. NULL for %s gives "(null)"; %p
 * always gives 0x and digits.
 * Anything else is copied as it stands.
 */
#pragma once
#include <core/types.h>
#include <stdarg.h>

/* Writes at most `size` bytes with the closing zero; returns the length that
 * the whole text has, as the standard function does. `size` may be 0. */
size_t format_v(char *buf, size_t size, const char *fmt, va_list args) PRINTF(3, 0);
size_t format(char *buf, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* True if the two are the same up to their zero bytes. */
bool text_equal(const char *a, const char *b);

/* Bytes before the zero byte, at most `max`. */
size_t text_length(const char *text, size_t max);
