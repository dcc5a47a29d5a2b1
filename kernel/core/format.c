/* SPDX-License-Identifier: MIT */
#include <core/format.h>

struct out {
	char *buf;
	size_t size, used;
};

struct spec {
	bool left, zero, alternate;
	int width, precision; /* precision -1: none given */
	int longs;            /* count of 'l', 'z' counts as one */
};

static void put(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->buf[o->used] = c;
	o->used++;
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t len)
{
	size_t width = s->width > 0 ? (size_t)s->width : 0;

	if (!s->left) {
		for (size_t i = len; i < width; i++)
			put(o, s->zero ? '0' : ' ');
	}
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
	if (s->left) {
		for (size_t i = len; i < width; i++)
			put(o, ' ');
	}
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, unsigned base,
                       bool negative)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (negative && s->zero && s->width > 0) {
		struct spec rest = *s;
		rest.width--;
		put(o, '-');
		put_padded(o, &rest, text + at, sizeof(text) - at);
		return;
	}
	if (negative)
		text[--at] = '-';
	put_padded(o, s, text + at, sizeof(text) - at);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
	*s = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '#')
			s->alternate = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (*f - '0');
	if (*f == '.') {
		f++;
		s->precision = 0;
		if (*f == '*') {
			s->precision = va_arg(*args, int);
			f++;
		}
		for (; *f >= '0' && *f <= '9'; f++)
			s->precision = s->precision * 10 + (*f - '0');
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
	return f;
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	size_t len = 0;

	if (text == NULL)
		text = "(null)";
	while ((s->precision < 0 || len < (size_t)s->precision) && text[len] != '\0')
		len++;
	put_padded(o, s, text, len);
}

static uint64_t take_unsigned(const struct spec *s, va_list *args)
{
	return s->longs > 0 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
}

static void put_conversion(struct out *o, const struct spec *s, char conversion, va_list *args)
{
	switch (conversion) {
	case 'd': {
		int64_t v = s->longs > 0 ? va_arg(*args, int64_t) : va_arg(*args, int);
		put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0);
		break;
	}
	case 'u':
		put_number(o, s, take_unsigned(s, args), 10, false);
		break;
	case 'x':
		if (s->alternate) {
			put(o, '0');
			put(o, 'x');
		}
		put_number(o, s, take_unsigned(s, args), 16, false);
		break;
	case 'p':
		put(o, '0');
		put(o, 'x');
		put_number(o, s, (uintptr_t)va_arg(*args, void *), 16, false);
		break;
	case 's':
		put_string(o, s, va_arg(*args, const char *));
		break;
	case 'c':
		put(o, (char)va_arg(*args, int));
		break;
	default:
		put(o, '%');
		put(o, conversion);
	}
}

size_t format_v(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { buf, size, 0 };
	va_list rest;

	va_copy(rest, args);
	for (const char *f = fmt; *f != '\0'; f++) {
		struct spec s;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		f = parse_spec(f + 1, &s, &rest);
		if (*f == '\0')
			break;
		if (*f == '%')
			put(&o, '%');
		else
			put_conversion(&o, &s, *f, &rest);
	}
	va_end(rest);
	if (size > 0)
		buf[o.used < size ? o.used : size - 1] = '\0';
	return o.used;
}

size_t format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	size_t used = format_v(buf, size, fmt, args);
	va_end(args);
	return used;
}
