/* SPDX-License-Identifier: MIT */
/* services/config/json.h - a JSON text into the document.
 *
 * The text is hostile. Its size and depth are bounded before the library sees it; what is kept is
 * what the schema has, with the right type, form, length and number. Whatever else there is is
 * told with its path and line, and left out.
 */
#pragma once
#include <services/config/document.h>

#define JSON_SIZE  (128u * 1024)
#define JSON_DEPTH 8

/* Where what is wrong is told: one line of text, without its end. */
struct report {
	void (*say)(void *self, const char *line);
	void *self;
};

/* Reads `size` bytes into the document. Errors are told to `r`; a text that is no JSON
 * object leaves the document as it was. `place` names the text for people. */
void json_read(struct document *d, const char *place, const char *text, size_t size,
	       const struct report *r);
