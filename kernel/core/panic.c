/* SPDX-License-Identifier: MIT */
#include <core/panic.h>
#include <core/cpu.h>
#include <core/format.h>
#include <core/log.h>
#include <core/symbol.h>
#include <stdarg.h>

#define BACKTRACE_MAX 32

/* CPU number + 1 of the one CPU that reports, 0: nobody. */
static _Atomic uint32_t reporter;

/* The reporter's own: how many panics it is in, and the first one's reason. */
static unsigned depth;
static char reason[LOG_LINE_MAX];

/* The first CPU to come goes on, with the number of panics that it is in
 * already. Any other waits here to be stopped. */
static unsigned enter(void)
{
	uint32_t me = arch_this_cpu()->id + 1, found = 0;

	if (!atomic_compare_exchange_strong(&reporter, &found, me) && found != me) {
		for (;;)
			arch_cpu_relax();
	}
	return depth++;
}

/* `pc` is where the call returns to. That may lie behind the end of the function
 * if the call was its last instruction, so the call is looked up instead. */
static void print_caller(vaddr_t pc)
{
	char text[128];

	symbol_format(pc - 1, text, sizeof(text));
	log_raw("  0x%016lx %s", pc, text);
}

NORETURN PRINTF(3, 0) static void die(void (*report)(const void *), const void *context,
				      const char *fmt, va_list args)
{
	char again[LOG_LINE_MAX];
	bool alone;

	switch (enter()) {
	case 0:
		format_v(reason, sizeof(reason), fmt, args);
		/* First of all, so that the report is not mixed with what others
		 * still write, and nobody who lives on waits for the lock that is
		 * broken next. */
		alone = arch_cpus_stop();
		log_break_lock();
		log_error("panic", "%s", reason);
		if (!alone)
			log_warn("panic", "some CPUs do not stop");
		if (report != NULL)
			report(context);
		arch_backtrace(print_caller, BACKTRACE_MAX);
		break;
	case 1: /* the report failed: less of it */
		format_v(again, sizeof(again), fmt, args);
		log_break_lock();
		log_error("panic", "%s", reason);
		log_error("panic", "while reporting that: %s", again);
		break;
	default: /* even that failed: nothing more can be said */
		break;
	}
	arch_power_off(true);
}

void panic_report(void (*report)(const void *), const void *context, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	die(report, context, fmt, args);
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
