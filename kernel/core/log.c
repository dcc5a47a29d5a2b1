/* SPDX-License-Identifier: MIT */
#include <core/log.h>
#include <arch/arch.h>
#include <core/format.h>
#include <stdarg.h>

static enum log_level threshold = LOG_INFO;

static void log_line(char *line, size_t used)
{
	if (used > LOG_LINE_MAX - 1)
		used = LOG_LINE_MAX - 1;
	line[used] = '\n';
	arch_console_write(line, used + 1);
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char line[LOG_LINE_MAX + 1];
	va_list args;

	if (level > threshold)
		return;
	size_t used = format(line, LOG_LINE_MAX, "%-5s %s: ", names[level], area);
	va_start(args, fmt);
	used += format_v(line + used, LOG_LINE_MAX - used, fmt, args);
	va_end(args);
	log_line(line, used);
}

void log_raw(const char *fmt, ...)
{
	char line[LOG_LINE_MAX + 1];
	va_list args;

	va_start(args, fmt);
	size_t used = format_v(line, LOG_LINE_MAX, fmt, args);
	va_end(args);
	log_line(line, used);
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

void log_break_lock(void)
{
}
