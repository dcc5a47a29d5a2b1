/* SPDX-License-Identifier: MIT */
#include <services/config/document.h>
#include <stdlib.h>
#include <string.h>

void document_init(struct document *d)
{
	*d = (struct document){ 0 };
}

/* Keys are among the texts. */
static void value_destroy(struct document_value *v)
{
	explicit_bzero(v->text, v->size);
	free(v->text);
}

void document_destroy(struct document *d)
{
	for (size_t i = 0; i < d->count; i++)
		value_destroy(&d->value[i]);
	free(d->value);
	document_init(d);
}

static bool grow(struct document *d)
{
	size_t room = d->room == 0 ? 64 : d->room * 2;
	struct document_value *more;

	if (d->count < d->room)
		return true;
	if (d->count == DOCUMENT_VALUES)
		return false;
	more = realloc(d->value, room * sizeof(*more));
	if (more == NULL)
		return false;
	d->value = more;
	d->room = room;
	return true;
}

status_t document_add(struct document *d, const char *path, const char *text, size_t size,
		      bool secret)
{
	struct document_value v = { .secret = secret, .size = (uint32_t)size };

	if (strlen(path) >= sizeof(v.path))
		return ST_TOO_BIG;
	if (size > DOCUMENT_BYTES - d->bytes || !grow(d))
		return ST_NO_MEMORY;
	v.text = malloc(size + 1);
	if (v.text == NULL)
		return ST_NO_MEMORY;
	memcpy(v.text, text, size);
	v.text[size] = '\0';
	strcpy(v.path, path);
	v.index = document_count(d, path);
	d->value[d->count++] = v;
	d->bytes += size;
	return ST_OK;
}

static bool is_at_or_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return strncmp(path, above, length) == 0 &&
	       (path[length] == '\0' || path[length] == '.' || path[length] == '[');
}

static void take_out(struct document *d, size_t at)
{
	d->bytes -= d->value[at].size;
	value_destroy(&d->value[at]);
	d->count--;
	memmove(&d->value[at], &d->value[at + 1], (d->count - at) * sizeof(d->value[0]));
}

void document_remove(struct document *d, const char *path)
{
	for (size_t i = d->count; i-- > 0;) {
		if (is_at_or_below(d->value[i].path, path))
			take_out(d, i);
	}
}

void document_remove_last(struct document *d, const char *path)
{
	for (size_t i = d->count; i-- > 0;) {
		if (strcmp(d->value[i].path, path) == 0) {
			take_out(d, i);
			return;
		}
	}
}

const struct document_value *document_find(const struct document *d, const char *path,
					   uint32_t index)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->value[i].index == index && strcmp(d->value[i].path, path) == 0)
			return &d->value[i];
	}
	return NULL;
}

uint32_t document_count(const struct document *d, const char *path)
{
	uint32_t count = 0;

	for (size_t i = 0; i < d->count; i++)
		count += strcmp(d->value[i].path, path) == 0;
	return count;
}
