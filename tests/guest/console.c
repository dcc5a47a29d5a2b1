/* SPDX-License-Identifier: MIT */
#include "console.h"
#include <lib/sys/syscall.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A 16550 (see kernel/arch/x86_64/console.c). */
#define UART_DATA     0x3f8
#define UART_LSR      0x3fd
#define LSR_THR_EMPTY 0x20
#define LOOKS         100000

#define LINE_MAX 256

static cap_t ports;

struct line {
	char text[LINE_MAX];
	size_t used;
};

void console_init(cap_t p)
{
	ports = p;
}

static void put(struct line *l, char c)
{
	if (l->used < sizeof(l->text))
		l->text[l->used++] = c;
}

static void put_number(struct line *l, uint64_t n, unsigned base)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n > 0);
	while (count > 0)
		put(l, digits[--count]);
}

static void put_signed(struct line *l, int64_t n)
{
	if (n < 0)
		put(l, '-');
	put_number(l, n < 0 ? -(uint64_t)n : (uint64_t)n, 10);
}

static void put_string(struct line *l, const char *s)
{
	while (*s != '\0')
		put(l, *s++);
}

static void format_line(struct line *l, const char *f, va_list args)
{
	for (; *f != '\0'; f++) {
		if (*f != '%') {
			put(l, *f);
			continue;
		}
		bool is_long = *++f == 'l';
		if (is_long)
			f++;
		if (*f == 's')
			put_string(l, va_arg(args, const char *));
		else if (*f == 'd')
			put_signed(l, is_long ? va_arg(args, int64_t) : va_arg(args, int));
		else if (*f == 'u' || *f == 'x')
			put_number(l, is_long ? va_arg(args, uint64_t) : va_arg(args, unsigned),
				   *f == 'u' ? 10 : 16);
		else
			put(l, *f);
	}
}

static void write_char(char c)
{
	for (unsigned n = 0; n < LOOKS; n++) {
		if (SYS(ioport_read, ports, UART_LSR, 1).out[0] & LSR_THR_EMPTY)
			break;
	}
	SYS(ioport_write, ports, UART_DATA, 1, c);
}

void say(const char *format, ...)
{
	struct line l = { .used = 0 };
	va_list args;

	va_start(args, format);
	format_line(&l, format, args);
	va_end(args);
	for (size_t i = 0; i < l.used; i++)
		write_char(l.text[i]);
	write_char('\r');
	write_char('\n');
}
