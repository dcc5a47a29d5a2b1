/* SPDX-License-Identifier: MIT */
/* services/config/config.h - one document out of all that the node is told at boot.
 *
 * First come the fields of the JSON text, then the boot options, which win; then the document is
 * looked at as a whole, and what has no value gets its default.
 */
#pragma once
#include <services/config/document.h>
#include <services/config/json.h>

/* Fills an empty document. `json` of size 0: there is none. `options` is text with its zero byte:
 * words of the form NAME=VALUE; those that are no field's are somebody else's. */
void config_merge(struct document *d, const char *json, size_t json_size, const char *options,
		  const struct report *r);
