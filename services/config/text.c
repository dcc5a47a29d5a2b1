/* SPDX-License-Identifier: MIT */
#include <services/config/text.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define LABEL      63 /* bytes of a part of a host's name (RFC 1035, 2.3.4) */
#define PEM_LINE   76
#define PEM_LABELS 3

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Decimal without a zero in front; false: it is none, or not from `least` to `most`. */
static bool is_number(const char *text, size_t size, unsigned least, unsigned most)
{
	unsigned n = 0;

	if (size == 0 || size > 5 || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_digit(text[i]))
			return false;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	return n >= least && n <= most;
}

static bool is_port(const char *text, size_t size)
{
	return is_number(text, size, 1, 65535);
}

static bool is_label(const char *text, size_t size)
{
	if (size == 0 || size > LABEL || !is_alnum(text[0]) || !is_alnum(text[size - 1]))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alnum(text[i]) && text[i] != '-')
			return false;
	}
	return true;
}

bool text_is_host(const char *text, size_t size)
{
	size_t begin = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && text[i] != '.')
			continue;
		if (!is_label(text + begin, i - begin))
			return false;
		begin = i + 1;
	}
	return true;
}

/* The family of the address; 0: it is none. */
static int address_family(const char *text, size_t size)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (size >= sizeof(copy) || memchr(text, '\0', size) != NULL)
		return 0;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (inet_pton(AF_INET, copy, &address) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, copy, &address) == 1 ? AF_INET6 : 0;
}

bool text_is_address(const char *text, size_t size)
{
	return address_family(text, size) != 0;
}

bool text_is_network(const char *text, size_t size)
{
	const char *slash = memchr(text, '/', size);
	size_t length = slash == NULL ? size : (size_t)(slash - text);
	int family = address_family(text, length);

	return slash != NULL && family != 0 &&
	       is_number(slash + 1, size - length - 1, 1, family == AF_INET ? 32 : 128);
}

/* An address, in [] if it is one of IPv6, and a port. */
static bool is_endpoint(const char *text, size_t size)
{
	size_t length = size;

	while (length > 0 && text[length - 1] != ':')
		length--;
	if (length < 2 || !is_port(text + length, size - length))
		return false;
	length--;
	if (text[0] == '[' && text[length - 1] == ']')
		return length > 2 && address_family(text + 1, length - 2) == AF_INET6;
	return address_family(text, length) == AF_INET;
}

bool text_is_listener(const char *text, size_t size)
{
	static const char *const scheme[] = { "http://", "https://" };

	for (size_t i = 0; i < 2; i++) {
		size_t length = strlen(scheme[i]);

		if (size > length && memcmp(text, scheme[i], length) == 0)
			return is_endpoint(text + length, size - length);
	}
	return false;
}

/* Passes one line of the text if it is this one: the bytes behind it, or NULL. */
static const char *line_pass(const char *at, const char *begin, const char *label)
{
	size_t length = strlen(begin), rest = strlen(label);

	if (strncmp(at, begin, length) != 0 || strncmp(at + length, label, rest) != 0 ||
	    strncmp(at + length + rest, "-----", 5) != 0)
		return NULL;
	at += length + rest + 5;
	at += *at == '\r';
	return *at == '\n' ? at + 1 : *at == '\0' ? at : NULL;
}

/* Passes a line of base64. */
static const char *base64_pass(const char *at)
{
	size_t length = 0;

	while (is_alnum(at[length]) || (at[length] != '\0' && strchr("+/=", at[length]) != NULL))
		length++;
	if (length == 0 || length > PEM_LINE)
		return NULL;
	at += length;
	at += *at == '\r';
	return *at == '\n' ? at + 1 : NULL;
}

/* Passes one block with that label, and its end. */
static const char *block_pass(const char *at, const char *label)
{
	const char *next;

	at = line_pass(at, "-----BEGIN ", label);
	while (at != NULL) {
		next = line_pass(at, "-----END ", label);
		if (next != NULL)
			return next;
		at = base64_pass(at);
	}
	return NULL;
}

bool text_is_certificates(const char *text, size_t size)
{
	const char *at = text;

	if (strlen(text) != size)
		return false;
	do {
		at = block_pass(at, "CERTIFICATE");
	} while (at != NULL && *at != '\0');
	return at != NULL;
}

bool text_is_key(const char *text, size_t size)
{
	static const char *const label[PEM_LABELS] = { "PRIVATE KEY", "EC PRIVATE KEY",
						       "RSA PRIVATE KEY" };

	for (size_t i = 0; i < PEM_LABELS && strlen(text) == size; i++) {
		const char *end = block_pass(text, label[i]);

		if (end != NULL)
			return *end == '\0';
	}
	return false;
}

bool text_is_registry(const char *text, size_t size)
{
	const char *colon = memchr(text, ':', size);

	if (colon == NULL)
		return text_is_host(text, size);
	if (is_endpoint(text, size))
		return true;
	return text_is_host(text, (size_t)(colon - text)) &&
	       is_port(colon + 1, size - (size_t)(colon - text) - 1);
}

/* Whether all bytes are letters, digits or one of `others`, the first one no other. */
static bool is_word(const char *text, size_t size, const char *others)
{
	if (size == 0 || !is_alnum(text[0]))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!is_alnum(text[i]) && (text[i] == '\0' || strchr(others, text[i]) == NULL))
			return false;
	}
	return true;
}

bool text_is_image(const char *text, size_t size)
{
	return is_word(text, size, "_.-/:@");
}

bool text_is_name(const char *text, size_t size)
{
	return is_word(text, size, "_.-");
}

bool text_is_publication(const char *text, size_t size)
{
	const char *colon = memchr(text, ':', size);
	size_t outside = colon == NULL ? 0 : (size_t)(colon - text);

	if (size > 4 &&
	    (memcmp(text + size - 4, "/tcp", 4) == 0 || memcmp(text + size - 4, "/udp", 4) == 0))
		size -= 4;
	return colon != NULL && size > outside && is_port(text, outside) &&
	       is_port(colon + 1, size - outside - 1);
}

bool text_is_assignment(const char *text, size_t size)
{
	return size > 0 && text[0] != '=' && memchr(text, '=', size) != NULL &&
	       text_is_plain(text, size);
}

bool text_is_plain(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return true;
}

static bool is_one_of(const char *text, size_t size, const char *const *word, size_t words)
{
	for (size_t i = 0; i < words; i++) {
		if (strlen(word[i]) == size && memcmp(word[i], text, size) == 0)
			return true;
	}
	return false;
}

bool text_is_level(const char *text, size_t size)
{
	static const char *const level[] = { "error", "warning", "info", "debug" };

	return is_one_of(text, size, level, 4);
}

bool text_is_mode(const char *text, size_t size)
{
	static const char *const mode[] = { "dhcp", "static" };

	return is_one_of(text, size, mode, 2);
}

bool text_is_restart(const char *text, size_t size)
{
	static const char *const policy[] = { "always", "on-failure", "never" };

	return is_one_of(text, size, policy, 3);
}
