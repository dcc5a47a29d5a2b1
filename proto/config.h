/* SPDX-License-Identifier: MIT */
/* proto/config.h - what the node was told at boot, checked.
 *
 * Values are texts with a path and an index: docs/book/configuration.md lists the paths. A list of
 * objects has an empty value under its own path for each of its elements.
 */
#pragma once
#include <lib/ipc/proto.h>

#define CONFIG_READ    1u
#define CONFIG_SECRETS 2u

#define CONFIG_PATH 48  /* bytes, with the zero byte at its end */
#define CONFIG_TEXT 400 /* bytes of one answer */

/* A piece of the text of a value, from byte `offset` on. ST_NO_RIGHT: it is a secret. ST_BAD_ARG:
 * there is no such path, or it does not end. A value that is not there has no bytes. */
struct config_get_req {
	char path[CONFIG_PATH];
	uint32_t index;
	uint32_t offset;
};
struct config_get_rep {
	uint32_t count; /* values with this path */
	uint32_t size;  /* bytes of the whole text */
	char text[CONFIG_TEXT];
};

/* The same for secrets, and for others as well. */
struct config_secret_req {
	char path[CONFIG_PATH];
	uint32_t index;
	uint32_t offset;
};
struct config_secret_rep {
	uint32_t count;
	uint32_t size;
	char text[CONFIG_TEXT];
};

#define CONFIG_TABLE(M)                                                                            \
	M(config, 1, get, CONFIG_READ, 0, 0, PROTO_AGAIN)                                          \
	M(config, 2, secret, CONFIG_SECRETS, 0, 0, PROTO_AGAIN)

PROTO_DEFINE(config, CONFIG_TABLE)
