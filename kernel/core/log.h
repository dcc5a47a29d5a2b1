/* SPDX-License-Identifier: MIT */
/* kernel/core/log.h - the kernel's log: levelled, timed, kept in a ring.
 *
 * Life    static; usable from the first C instruction, before any allocator,
 *         time source or per-CPU data (such lines carry time 0 and CPU 0).
 * Owns    a ring of LOG_RING_BYTES; the oldest lines fall out.
 * Locks   one lock of rank LOCK_LOG, the innermost of all; usable with any
 *         other lock held and from exception handlers.
 * Blocks  never; a line goes to the early console before the call returns.
 *
 * One format, on the console and in the ring:
 *     [    0.012345] cpu0 info  boot: 127 MiB of memory in 3 ranges
 * One call gives one line: bytes that are not printable ASCII, whoever they came
 * from, become '?'.
 */
#pragma once
#include <core/types.h>

#define LOG_RING_BYTES 65536
#define LOG_LINE_MAX   256 /* newline included; longer lines are cut and end with "..." */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Writes one line (no newline in `fmt`). `area` is a short lower-case noun; without one
 * (NULL) the line has no prefix. */
void log_write(enum log_level level, const char *area, const char *fmt, ...) PRINTF(3, 4);

#define log_error(area, ...) log_write(LOG_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...)  log_write(LOG_WARN, area, __VA_ARGS__)
#define log_info(area, ...)  log_write(LOG_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_write(LOG_DEBUG, area, __VA_ARGS__)

/* A line without the prefix, whatever the level: for the greeting and for reports of
 * several lines, one call a line. */
#define log_raw(...) log_write(LOG_ERROR, NULL, __VA_ARGS__)

/* Applies the boot option log=error|warn|info|debug: lines less urgent are dropped from
 * now on. Another value is reported and changes nothing. */
void log_configure(void);

/* Copies up to `size` bytes of the ring, beginning at byte number `*pos` of
 * everything ever logged, and moves `*pos` behind them. Returns the number of
 * bytes copied. A position that has fallen out of the ring moves to the oldest
 * byte that is left; the caller sees the gap in `*pos`. */
size_t log_read(uint64_t *pos, char *buf, size_t size);

/* After a fault inside the logger: give up its lock so that the report that
 * follows can be printed. Only panic() calls it. */
void log_break_lock(void);
