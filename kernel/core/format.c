/* SPDX-License-Identifier: MIT */
#include <core/format.h>

/* Wider fields are cut to this, so that no arithmetic on widths overflows. */
#define FIELD_MAX 4096

bool text_equal(const char *a, const char *b)
{
	for (; *a != '\0' && *a == *b; a++)
		b++;
	return *a == *b;
}

size_t text_length(const char *text, size_t max)
{
	size_t len = 0;

	while (len < max && text[len] != '\0')
		len++;
	return len;
}

/* Where the text goes. `used` counts on behind the end of the buffer, so that the
 * caller learns the length it would have taken. */
struct out {
	char *buf;
	size_t size, used;
};

struct spec {
	bool left, zero, is_long;
	size_t width, text_max;
};

static void put(struct out *o, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++, o->used++) {
		if (o->used + 1 < o->size)
			o->buf[o->used] = text[i];
	}
}

/* `prefix`, a sign or "0x", stands before zeros and behind blanks. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, const char *text,
		      size_t len)
{
	size_t prefix_len = text_length(prefix, SIZE_MAX);
	size_t fill = prefix_len + len;

	for (; !s->left && !s->zero && fill < s->width; fill++)
		put(o, " ", 1);
	put(o, prefix, prefix_len);
	for (; !s->left && fill < s->width; fill++)
		put(o, "0", 1);
	put(o, text, len);
	for (; fill < s->width; fill++)
		put(o, " ", 1);
}

static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t value,
		       unsigned base)
{
	char digits[20]; /* 2^64 - 1 in decimal */
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	put_field(o, s, prefix, digits + at, sizeof(digits) - at);
}

/* Reads what stands between '%' and the conversion, which is where it ends. */
static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
	*s = (struct spec){ .text_max = SIZE_MAX };
	for (; *f == '-' || *f == '0'; f++) {
		s->left |= *f == '-';
		s->zero |= *f == '0';
	}
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = least(s->width * 10 + (size_t)(*f - '0'), FIELD_MAX);
	if (f[0] == '.' && f[1] == '*') {
		s->text_max = (size_t)va_arg(*args, int); /* a negative one is none */
		f += 2;
	}
	for (; *f == 'l' || *f == 'z'; f++)
		s->is_long = true;
	return f;
}

static void put_text(struct out *o, struct spec *s, const char *text)
{
	text = text != NULL ? text : "(null)";
	s->zero = false;
	put_field(o, s, "", text, text_length(text, s->text_max));
}

/* A negative number is made positive as an unsigned one: the least of all has no positive
 * counterpart. */
static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	put_number(o, s, value < 0 ? "-" : "", magnitude, 10);
}

/* False if there is no such conversion. */
static bool put_conversion(struct out *o, struct spec *s, char conversion, va_list *args)
{
	switch (conversion) {
	case 'd':
		put_signed(o, s, s->is_long ? va_arg(*args, int64_t) : va_arg(*args, int));
		return true;
	case 'u':
	case 'x':
		put_number(o, s, "", s->is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned),
			   conversion == 'u' ? 10 : 16);
		return true;
	case 'p':
		put_number(o, s, "0x", (uintptr_t)va_arg(*args, void *), 16);
		return true;
	case 's':
		put_text(o, s, va_arg(*args, const char *));
		return true;
	case '%':
		put(o, "%", 1);
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
			put(&o, fmt++, 1);
			continue;
		}
		const char *conversion = parse_spec(fmt + 1, &s, &rest);
		if (*conversion != '\0' && put_conversion(&o, &s, *conversion, &rest))
			fmt = conversion + 1;
		else
			put(&o, fmt++, 1); /* not ours: the text follows as it stands */
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
