/* SPDX-License-Identifier: MIT */
/* What the node is told at boot: text up to the first zero byte is the boot options, what is
 * behind it the JSON text. Whatever they are, a document comes out that keeps its bounds. */
#include <services/config/config.h>
#include <services/config/schema.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A line of the log: short, and nothing in it that could be taken for another line. */
static void say(void *self, const char *line)
{
	(void)self;
	if (strlen(line) > 300)
		abort();
	for (; *line != '\0'; line++) {
		if ((unsigned char)*line < ' ')
			abort();
	}
}

static void check(const struct document *d)
{
	size_t bytes = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct document_value *v = &d->value[i];
		const struct field *f = schema_find(v->path);

		if (f == NULL || v->text[v->size] != '\0' || v->secret != f->secret)
			abort();
		if (f->kind == FIELD_TEXT && (!f->check(v->text, v->size) || v->size > f->most))
			abort();
		bytes += v->size;
	}
	if (bytes != d->bytes || bytes > DOCUMENT_BYTES || document_count(d, "hostname") != 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct report report = { say, NULL };
	size_t options = strnlen((const char *)data, size);
	char *copy = malloc(options + 1);
	struct document d;

	memcpy(copy, data, options);
	copy[options] = '\0';
	data += options + (options < size);
	size -= options + (options < size);
	document_init(&d);
	config_merge(&d, (const char *)data, size, copy, &report);
	check(&d);
	document_destroy(&d);
	free(copy);
	return 0;
}
