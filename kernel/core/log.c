/* SPDX-License-Identifier: MIT */
#include <core/log.h>
#include <core/boot.h>
#include <core/cpu.h>
#include <core/format.h>
#include <core/timer.h>
#include <stdarg.h>

/* By enum log_level. */
static const char *const level_names[] = { "error", "warn", "info", "debug" };

static _Atomic enum log_level threshold = LOG_INFO;

static struct spinlock lock = SPINLOCK_INIT(LOCK_LOG);
static _Atomic bool lock_broken;
static _Atomic uint32_t writer; /* CPU number + 1 of the lock's holder, 0: free */

/* Guarded by lock. */
static char ring[LOG_RING_BYTES]; /* byte n of the log is at n % LOG_RING_BYTES */
static uint64_t written;          /* bytes ever logged */

/* Takes the lock and returns true. Returns false, without it, after
 * log_break_lock, and when this CPU has it already: then an exception struck
 * inside the logger, and its report can't wait for what it interrupted. */
static bool enter(void) UNCHECKED_LOCKS
{
	uint32_t me = arch_this_cpu()->id + 1;

	if (atomic_load(&lock_broken) || atomic_load(&writer) == me)
		return false;
	spin_lock(&lock);
	atomic_store(&writer, me);
	return true;
}

static void leave(bool locked) UNCHECKED_LOCKS
{
	/* A panic in between took the lock away; there is nothing to go back to. */
	if (!locked || atomic_load(&lock_broken))
		return;
	atomic_store(&writer, 0);
	spin_unlock(&lock);
}

/* Ends the line of `used` bytes (more than fit if it was cut), and hands it to
 * ring and console. Text from outside can't forge a line or steer a terminal:
 * only printable ASCII passes. */
static void emit(char line[LOG_LINE_MAX], size_t used)
{
	if (used > LOG_LINE_MAX - 1) {
		used = LOG_LINE_MAX - 1;
		__builtin_memset(line + used - 3, '.', 3);
	}
	for (size_t i = 0; i < used; i++) {
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	line[used++] = '\n';
	for (size_t i = 0; i < used; i++)
		ring[written++ % LOG_RING_BYTES] = line[i];
	arch_console_write(line, used);
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	size_t used = 0;
	va_list args;

	if (level > atomic_load(&threshold))
		return;
	bool locked = enter();
	uint64_t us = time_now() / 1000; /* under the lock, so that times are in order */
	if (area != NULL)
		used = format(line, sizeof(line), "[%5lu.%06lu] cpu%u %-5s %s: ", us / 1000000,
			      us % 1000000, arch_this_cpu()->id, level_names[level], area);
	va_start(args, fmt);
	if (used < sizeof(line))
		used += format_v(line + used, sizeof(line) - used, fmt, args);
	va_end(args);
	emit(line, used);
	leave(locked);
}

void log_configure(void)
{
	char value[16];

	if (!boot_option("log", value, sizeof(value)))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(level_names); i++) {
		if (text_equal(value, level_names[i])) {
			atomic_store(&threshold, i);
			return;
		}
	}
	log_warn("log", "boot option log=%s is none of error, warn, info, debug", value);
}

size_t log_read(uint64_t *pos, char *buf, size_t size)
{
	bool locked = enter();
	uint64_t oldest = written > LOG_RING_BYTES ? written - LOG_RING_BYTES : 0;
	size_t used = 0;

	*pos = most(*pos, oldest);
	while (used < size && *pos < written)
		buf[used++] = ring[(*pos)++ % LOG_RING_BYTES];
	leave(locked);
	return used;
}

/* For good: who held the lock was stopped, or is what failed, and will not give it
 * back. */
void log_break_lock(void)
{
	atomic_store(&lock_broken, true);
}
