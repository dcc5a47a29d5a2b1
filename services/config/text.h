/* SPDX-License-Identifier: MIT */
/* services/config/text.h - what forms a text of the configuration may have.
 *
 * Each function says whether `size` bytes, behind which a zero byte stands, have the form.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Labels of letters, digits and '-', not at their ends, with dots between (RFC 1123, 2.1). */
bool text_is_host(const char *text, size_t size);

/* An IPv4 or IPv6 address. */
bool text_is_address(const char *text, size_t size);

/* Such an address, '/', and how many of its bits name the network. */
bool text_is_network(const char *text, size_t size);

/* http:// or https://, an address ([...] around one of IPv6), ':', and a port. */
bool text_is_listener(const char *text, size_t size);

/* One or more certificates, or one private key, in PEM (RFC 7468). */
bool text_is_certificates(const char *text, size_t size);
bool text_is_key(const char *text, size_t size);

/* A host or an address with, if it is said, ':' and a port. */
bool text_is_registry(const char *text, size_t size);

/* A name of an image, with tag or digest: no more is looked at than what bytes there are. */
bool text_is_image(const char *text, size_t size);

/* Letters, digits, '_', '.' and '-', and a letter or digit first: the name of a container. */
bool text_is_name(const char *text, size_t size);

/* A port outside, ':', a port inside, and perhaps "/udp" or "/tcp". */
bool text_is_publication(const char *text, size_t size);

/* NAME=text, as in the environment of a program. */
bool text_is_assignment(const char *text, size_t size);

/* No control characters. */
bool text_is_plain(const char *text, size_t size);

/* One of "error", "warning", "info", "debug". */
bool text_is_level(const char *text, size_t size);

/* "dhcp" or "static". */
bool text_is_mode(const char *text, size_t size);

/* "always", "on-failure" or "never". */
bool text_is_restart(const char *text, size_t size);
