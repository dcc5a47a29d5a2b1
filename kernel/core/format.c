/* SPDX-License-Identifier: MIT */
#include <core/format.h>

/* Wider fields are cut to this, so that no arithmetic on widths overflows. */
#define FIELD_MAX 4096

/* Where the text goes. `used` counts on behind the end of the buffer, so that the
 * caller learns the length it would have taken. */
struct out {
	char *buf;
	size_t size, used;
};

struct spec {
	bool left, zero, alternate;
	int width;
	int precision; /* negative: none given */
	int longs;     /* count of 'l', 'z' counts as one */
};

static void put(struct out *o, char c)
{
	if (o->used + 1 < o->size)
		o->buf[o->used] = c;
	o->used++;
}

static void put_many(struct out *o, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
}

static void put_fill(struct out *o, char c, size_t used, int width)
{
	for (size_t i = used; i < (size_t)width; i++)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t len)
{
	if (!s->left)
		put_fill(o, ' ', len, s->width);
	put_many(o, text, len);
	if (s->left)
		put_fill(o, ' ', len, s->width);
}

/* `prefix`, a sign or "0x", stands before zeros and behind blanks. */
static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t value,
		       unsigned base)
{
	char digits[20]; /* 2^64 - 1 in decimal */
	size_t at = sizeof(digits), prefix_len = 0;

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (prefix[prefix_len] != '\0')
		prefix_len++;

	size_t len = prefix_len + sizeof(digits) - at;
	if (!s->left && !s->zero)
		put_fill(o, ' ', len, s->width);
	put_many(o, prefix, prefix_len);
	if (!s->left && s->zero)
		put_fill(o, '0', len, s->width);
	put_many(o, digits + at, sizeof(digits) - at);
	if (s->left)
		put_fill(o, ' ', len, s->width);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	size_t len = 0;

	if (text == NULL)
		text = "(null)";
	while ((s->precision < 0 || len < (size_t)s->precision) && text[len] != '\0')
		len++;
	put_text(o, s, text, len);
}

static const char *parse_number(const char *f, int *value)
{
	for (*value = 0; *f >= '0' && *f <= '9'; f++) {
		if (*value < FIELD_MAX)
			*value = *value * 10 + (*f - '0');
	}
	if (*value > FIELD_MAX)
		*value = FIELD_MAX;
	return f;
}

static const char *parse_flags(const char *f, struct spec *s)
{
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '#')
			s->alternate = true;
		else
			return f;
	}
}

/* Reads what stands between '%' and the conversion, which is where it ends. */
static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
	*s = (struct spec){ .precision = -1 };
	f = parse_flags(f, s);
	f = parse_number(f, &s->width);
	if (*f == '.' && f[1] == '*') {
		s->precision = va_arg(*args, int);
		f += 2;
	} else if (*f == '.') {
		f = parse_number(f + 1, &s->precision);
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
	return f;
}

static uint64_t take_unsigned(const struct spec *s, va_list *args)
{
	return s->longs > 0 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
}

static int64_t take_signed(const struct spec *s, va_list *args)
{
	return s->longs > 0 ? va_arg(*args, int64_t) : va_arg(*args, int);
}

/* False if there is no such conversion. A negative number is made positive as an
 * unsigned one: the least of all has no positive counterpart. */
static bool put_conversion(struct out *o, const struct spec *s, char conversion, va_list *args)
{
	uint64_t u;
	int64_t i;
	char c;

	switch (conversion) {
	case 'd':
		i = take_signed(s, args);
		put_number(o, s, i < 0 ? "-" : "", i < 0 ? 0 - (uint64_t)i : (uint64_t)i, 10);
		return true;
	case 'u':
		put_number(o, s, "", take_unsigned(s, args), 10);
		return true;
	case 'x':
		u = take_unsigned(s, args);
		put_number(o, s, s->alternate && u != 0 ? "0x" : "", u, 16);
		return true;
	case 'p':
		put_number(o, s, "0x", (uintptr_t)va_arg(*args, void *), 16);
		return true;
	case 's':
		put_string(o, s, va_arg(*args, const char *));
		return true;
	case 'c':
		c = (char)va_arg(*args, int);
		put_text(o, s, &c, 1);
		return true;
	case '%':
		put(o, '%');
		return true;
	default:
		return false;
	}
}

size_t format_v(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { buf, size, 0 };
	va_list rest;

	/* A parameter of type va_list may be an array and so a pointer in disguise;
	 * only a variable of the type can be handed on by address. */
	va_copy(rest, args);
	while (*fmt != '\0') {
		struct spec s;

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		const char *conversion = parse_spec(fmt + 1, &s, &rest);
		if (*conversion != '\0' && put_conversion(&o, &s, *conversion, &rest))
			fmt = conversion + 1;
		else
			put(&o, *fmt++); /* not ours: the text follows as it stands */
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
