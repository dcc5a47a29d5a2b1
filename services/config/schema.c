/* SPDX-License-Identifier: MIT */
#include <services/config/schema.h>
#include <services/config/text.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CERTIFICATES_MAX 32768
#define KEY_MAX          8192

static const struct field log_fields[] = {
	{ .name = "level",
	  .kind = FIELD_TEXT,
	  .check = text_is_level,
	  .expects = "error, warning, info or debug",
	  .least = 1,
	  .most = 16,
	  .fallback = "info",
	  .option = "loglevel" },
};

static const struct field network_fields[] = {
	{ .name = "mode",
	  .kind = FIELD_TEXT,
	  .check = text_is_mode,
	  .expects = "dhcp or static",
	  .least = 1,
	  .most = 8,
	  .fallback = "dhcp",
	  .option = "network" },
	{ .name = "address",
	  .kind = FIELD_TEXT,
	  .check = text_is_network,
	  .expects = "an address and how many bits name its network, such as 10.0.2.15/24",
	  .least = 1,
	  .most = 64,
	  .option = "address" },
	{ .name = "gateway",
	  .kind = FIELD_TEXT,
	  .check = text_is_address,
	  .expects = "an address",
	  .least = 1,
	  .most = 64,
	  .option = "gateway" },
	{ .name = "dns",
	  .kind = FIELD_LIST,
	  .check = text_is_address,
	  .expects = "an address",
	  .least = 1,
	  .most = 64,
	  .count = 4,
	  .option = "dns" },
};

static const struct field api_fields[] = {
	{ .name = "listen",
	  .kind = FIELD_LIST,
	  .check = text_is_listener,
	  .expects = "http:// or https://, an address, ':' and a port",
	  .least = 1,
	  .most = 80,
	  .count = 4,
	  .option = "listen" },
	{ .name = "certificate",
	  .kind = FIELD_TEXT,
	  .check = text_is_certificates,
	  .expects = "certificates in PEM",
	  .least = 1,
	  .most = CERTIFICATES_MAX },
	{ .name = "key",
	  .kind = FIELD_TEXT,
	  .secret = true,
	  .check = text_is_key,
	  .expects = "a private key in PEM, not encrypted",
	  .least = 1,
	  .most = KEY_MAX },
	{ .name = "clients",
	  .kind = FIELD_TEXT,
	  .check = text_is_certificates,
	  .expects = "certificates in PEM, of those who sign for clients",
	  .least = 1,
	  .most = CERTIFICATES_MAX },
};

static const struct field registry_fields[] = {
	{ .name = "name",
	  .kind = FIELD_TEXT,
	  .needed = true,
	  .check = text_is_registry,
	  .expects = "a host or an address, and perhaps ':' and a port",
	  .least = 1,
	  .most = 253 + 6 },
	{ .name = "plain_http", .kind = FIELD_BOOL, .fallback = "false" },
	{ .name = "user",
	  .kind = FIELD_TEXT,
	  .check = text_is_plain,
	  .expects = "text without control characters",
	  .least = 1,
	  .most = 256 },
	{ .name = "password",
	  .kind = FIELD_TEXT,
	  .secret = true,
	  .check = text_is_plain,
	  .expects = "text without control characters",
	  .least = 1,
	  .most = 4096 },
};

static const struct field container_fields[] = {
	{ .name = "name",
	  .kind = FIELD_TEXT,
	  .needed = true,
	  .check = text_is_name,
	  .expects = "letters, digits, '_', '.' and '-'",
	  .least = 1,
	  .most = 63 },
	{ .name = "image",
	  .kind = FIELD_TEXT,
	  .needed = true,
	  .check = text_is_image,
	  .expects = "an image with its tag or digest",
	  .least = 1,
	  .most = 512 },
	{ .name = "command",
	  .kind = FIELD_LIST,
	  .check = text_is_plain,
	  .expects = "text without control characters",
	  .most = 1024,
	  .count = 32 },
	{ .name = "environment",
	  .kind = FIELD_LIST,
	  .secret = true,
	  .check = text_is_assignment,
	  .expects = "NAME=text",
	  .least = 2,
	  .most = 1024,
	  .count = 32 },
	{ .name = "publish",
	  .kind = FIELD_LIST,
	  .check = text_is_publication,
	  .expects = "two ports with ':' between, and perhaps /tcp or /udp",
	  .least = 3,
	  .most = 16,
	  .count = 16 },
	{ .name = "memory_mib", .kind = FIELD_NUMBER, .least = 1, .most = 1u << 20 },
	{ .name = "cpu_percent", .kind = FIELD_NUMBER, .least = 1, .most = 6400 },
	{ .name = "restart",
	  .kind = FIELD_TEXT,
	  .check = text_is_restart,
	  .expects = "always, on-failure or never",
	  .least = 1,
	  .most = 16,
	  .fallback = "never" },
};

static const struct field fields[] = {
	{ .name = "hostname",
	  .kind = FIELD_TEXT,
	  .check = text_is_host,
	  .expects = "a host name: letters, digits and '-', with dots between its parts",
	  .least = 1,
	  .most = 63,
	  .fallback = "themelios",
	  .option = "hostname" },
	{ .name = "log", .kind = FIELD_OBJECT, .field = log_fields, .fields = COUNT(log_fields) },
	{ .name = "network",
	  .kind = FIELD_OBJECT,
	  .field = network_fields,
	  .fields = COUNT(network_fields) },
	{ .name = "api", .kind = FIELD_OBJECT, .field = api_fields, .fields = COUNT(api_fields) },
	{ .name = "registries",
	  .kind = FIELD_OBJECTS,
	  .count = 8,
	  .field = registry_fields,
	  .fields = COUNT(registry_fields) },
	{ .name = "containers",
	  .kind = FIELD_OBJECTS,
	  .count = 16,
	  .field = container_fields,
	  .fields = COUNT(container_fields) },
};

const struct field schema = { .kind = FIELD_OBJECT, .field = fields, .fields = COUNT(fields) };

const struct field *field_find(const struct field *object, const char *name, size_t size)
{
	for (size_t i = 0; i < object->fields; i++) {
		const struct field *f = &object->field[i];

		if (strlen(f->name) == size && memcmp(f->name, name, size) == 0)
			return f;
	}
	return NULL;
}

const struct field *schema_find(const char *path)
{
	const struct field *at = &schema;

	while (at != NULL && *path != '\0') {
		size_t name = strcspn(path, ".[");

		at = field_find(at, path, name);
		path += name;
		if (*path == '[')
			path += strcspn(path, ".");
		path += *path == '.';
	}
	return at;
}
