/* SPDX-License-Identifier: MIT */
#include <core/panic.h>
#include <arch/arch.h>
#include <core/format.h>
#include <core/log.h>
#include <stdarg.h>

void panic(const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	format_v(text, sizeof(text), fmt, args);
	va_end(args);
	log_break_lock();
	log_error("panic", "%s", text);
	arch_power_off(true);
}

void boot_refuse(const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	format_v(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("boot", "cannot start: %s", text);
	arch_power_off(true);
}
