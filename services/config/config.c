/* SPDX-License-Identifier: MIT */
#include <services/config/config.h>
#include <services/config/schema.h>
#include <stdio.h>
#include <string.h>

#define LINE  300
#define PLACE "boot options"

static void tell(const struct report *r, const char *path, const char *why)
{
	char line[LINE];

	(void)snprintf(line, sizeof(line), "%s: %s", path, why);
	r->say(r->self, line);
}

/* ---- boot options ---- */

static void option_refused(const struct report *r, const struct field *f, const char *path)
{
	char line[LINE];

	(void)snprintf(line, sizeof(line), PLACE ": %s=: %s: it has to be %s", f->option, path,
		       f->expects);
	r->say(r->self, line);
}

/* Adds the text of one option; those of a list are parted by commas. */
static bool option_add(struct document *d, const struct field *f, const char *path,
		       const char *text, size_t size)
{
	char one[LINE];
	uint32_t count = 0;

	while (true) {
		const char *comma = f->kind == FIELD_LIST ? memchr(text, ',', size) : NULL;
		size_t length = comma == NULL ? size : (size_t)(comma - text);

		if (length < f->least || length > f->most || length >= sizeof(one))
			return false;
		memcpy(one, text, length);
		one[length] = '\0';
		if (!f->check(one, length) || (f->kind == FIELD_LIST && count++ == f->count))
			return false;
		if (document_add(d, path, one, length, f->secret) != ST_OK)
			return false;
		if (comma == NULL)
			return true;
		text += length + 1;
		size -= length + 1;
	}
}

/* What an option says takes the place of what there was; if it is wrong, the default does. */
static void option_take(struct document *d, const struct field *f, const char *path,
			const char *text, size_t size, const struct report *r)
{
	document_remove(d, path);
	if (option_add(d, f, path, text, size))
		return;
	document_remove(d, path);
	option_refused(r, f, path);
}

static void options_of(struct document *d, const struct field *object, const char *prefix,
		       const char *word, size_t size, const struct report *r)
{
	for (size_t i = 0; i < object->fields; i++) {
		const struct field *f = &object->field[i];
		char path[DOCUMENT_PATH];
		size_t name = f->option == NULL ? 0 : strlen(f->option);

		(void)snprintf(path, sizeof(path), "%s%s", prefix, f->name);
		if (name > 0 && size > name && word[name] == '=' &&
		    memcmp(word, f->option, name) == 0) {
			option_take(d, f, path, word + name + 1, size - name - 1, r);
			continue;
		}
		if (f->kind == FIELD_OBJECT) {
			(void)snprintf(path, sizeof(path), "%s%s.", prefix, f->name);
			options_of(d, f, path, word, size, r);
		}
	}
}

static void options_read(struct document *d, const char *options, const struct report *r)
{
	while (*options != '\0') {
		size_t size = strcspn(options, " \t\r\n");

		options_of(d, &schema, "", options, size, r);
		options += size;
		options += strspn(options, " \t\r\n");
	}
}

/* ---- the whole ---- */

static bool is_text(const struct document *d, const char *path, const char *text)
{
	const struct document_value *v = document_find(d, path, 0);

	return v != NULL && strcmp(v->text, text) == 0;
}

static void check_network(struct document *d, const struct report *r)
{
	bool has_address = document_count(d, "network.address") > 0;

	if (is_text(d, "network.mode", "static") && !has_address) {
		document_remove(d, "network.mode");
		tell(r, "network.mode",
		     "static needs a good network.address; the default is taken");
	}
}

/* Whether one of the listeners wants a key that is not there, or the other way round. */
static void check_api(struct document *d, const struct report *r)
{
	bool has_key = document_count(d, "api.key") > 0;
	bool has_certificate = document_count(d, "api.certificate") > 0;
	bool wants_key = false;

	for (uint32_t i = 0; i < document_count(d, "api.listen"); i++)
		wants_key |= strncmp(document_find(d, "api.listen", i)->text, "https:", 6) == 0;
	if (has_key != has_certificate)
		tell(r, has_key ? "api.key" : "api.certificate",
		     "certificate and key belong together, and one of them is missing");
	if (wants_key && !(has_key && has_certificate)) {
		document_remove(d, "api.listen");
		tell(r, "api.listen", "https needs certificate and key; nothing listens");
	}
}

static void fall_back(struct document *d, const struct field *object, const char *prefix)
{
	for (size_t i = 0; i < object->fields; i++) {
		const struct field *f = &object->field[i];
		char path[DOCUMENT_PATH], below[DOCUMENT_PATH + 16];
		uint32_t count;

		(void)snprintf(path, sizeof(path), "%s%s", prefix, f->name);
		count = f->kind == FIELD_OBJECTS ? document_count(d, path) : 0;
		for (uint32_t j = 0; j < count; j++) {
			(void)snprintf(below, sizeof(below), "%s[%u].", path, j);
			fall_back(d, f, below);
		}
		if (f->kind == FIELD_OBJECT) {
			(void)snprintf(below, sizeof(below), "%s.", path);
			fall_back(d, f, below);
		}
		/* Without memory for a few bytes the field has no value, as readers expect. */
		if (f->fallback != NULL && document_count(d, path) == 0)
			(void)!document_add(d, path, f->fallback, strlen(f->fallback), f->secret);
	}
}

void config_merge(struct document *d, const char *json, size_t json_size, const char *options,
		  const struct report *r)
{
	if (json_size > 0)
		json_read(d, "fw_cfg", json, json_size, r);
	options_read(d, options, r);
	check_network(d, r);
	check_api(d, r);
	fall_back(d, &schema, "");
}
