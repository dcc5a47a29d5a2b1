/* SPDX-License-Identifier: MIT */
#include <services/config/json.h>
#include <services/config/schema.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define LINE   300 /* bytes of what is told at once */
#define TOLD   96
#define KEY    32 /* bytes of an unknown field that are told */
#define NUMBER 9  /* digits, no more are looked at */

/* How far the text was read. Keys, texts and numbers point into `buffer`, at the same offset as in
 * `text`, which still has its line ends. */
struct walk {
	struct document *d;
	const struct report *r;
	const char *place, *text, *buffer;
	size_t size, counted;
	unsigned line;
	char told[TOLD];          /* path, as the text has it */
	char kept[DOCUMENT_PATH]; /* path in the document: elements that were left out do not count
				   */
};

static __attribute__((format(printf, 2, 3))) void tell(struct walk *w, const char *format, ...)
{
	char line[LINE];
	int at = snprintf(line, sizeof(line), "%s, line %u: %s: ", w->place, w->line,
			  w->told[0] == '\0' ? "the text" : w->told);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line + at, sizeof(line) - (size_t)at, format, args);
	va_end(args);
	w->r->say(w->r->self, line);
}

/* The walk has come to this byte. */
static void come_to(struct walk *w, const char *in_buffer)
{
	size_t offset = (size_t)(in_buffer - w->buffer);

	for (; w->counted < offset && w->counted < w->size; w->counted++)
		w->line += w->text[w->counted] == '\n';
}

static void come_to_value(struct walk *w, yyjson_val *v)
{
	if (yyjson_is_str(v))
		come_to(w, yyjson_get_str(v));
	else if (yyjson_is_raw(v))
		come_to(w, yyjson_get_raw(v));
}

/* Goes down by one step; what is too long is cut, and then found by nobody. */
static void go_down(char *path, size_t room, const char *name)
{
	size_t length = strlen(path);
	const char *dot = length == 0 || name[0] == '[' ? "" : ".";

	(void)snprintf(path + length, room - length, "%s%s", dot, name);
}

static void go_to_element(struct walk *w, size_t told, size_t kept)
{
	char step[24];

	(void)snprintf(step, sizeof(step), "[%zu]", told);
	go_down(w->told, sizeof(w->told), step);
	(void)snprintf(step, sizeof(step), "[%zu]", kept);
	go_down(w->kept, sizeof(w->kept), step);
}

/* Keeps a value; false: there is no room. */
static bool keep(struct walk *w, const struct field *f, const char *text, size_t size)
{
	if (document_add(w->d, w->kept, text, size, f->secret) == ST_OK)
		return true;
	tell(w, "there is no room for it");
	return false;
}

static bool take_text(struct walk *w, const struct field *f, yyjson_val *v)
{
	const char *text = yyjson_get_str(v);
	size_t size = yyjson_get_len(v);

	if (text == NULL) {
		tell(w, "it has to be a text: %s", f->expects);
		return false;
	}
	if (size < f->least || size > f->most) {
		tell(w, "it has %zu bytes, and may have %u to %u", size, (unsigned)f->least,
		     (unsigned)f->most);
		return false;
	}
	if (!f->check(text, size)) {
		tell(w, "it has to be %s", f->expects);
		return false;
	}
	return keep(w, f, text, size);
}

/* Whole numbers, as the text has them. */
static bool take_number(struct walk *w, const struct field *f, yyjson_val *v)
{
	const char *text = yyjson_get_raw(v);
	size_t size = yyjson_get_len(v);
	uint64_t n = 0;

	for (size_t i = 0; text != NULL && i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || size > NUMBER)
			text = NULL;
		else
			n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (text == NULL || n < f->least || n > f->most) {
		tell(w, "it has to be a whole number from %u to %u", (unsigned)f->least,
		     (unsigned)f->most);
		return false;
	}
	return keep(w, f, text, size);
}

static bool take_bool(struct walk *w, const struct field *f, yyjson_val *v)
{
	const char *text = yyjson_get_bool(v) ? "true" : "false";

	if (!yyjson_is_bool(v)) {
		tell(w, "it has to be true or false");
		return false;
	}
	return keep(w, f, text, strlen(text));
}

static bool take_object(struct walk *w, const struct field *f, yyjson_val *v);

/* Whether it is a list that is not too long. */
static bool is_list(struct walk *w, const struct field *f, yyjson_val *v)
{
	if (!yyjson_is_arr(v))
		tell(w, "it has to be a list");
	else if (yyjson_arr_size(v) > f->count)
		tell(w, "the list has %zu elements, and may have %u", yyjson_arr_size(v), f->count);
	else
		return true;
	return false;
}

/* Texts mean something together: one that is wrong spoils the list. */
static bool take_list(struct walk *w, const struct field *f, yyjson_val *v)
{
	size_t length = strlen(w->told), i, max;
	yyjson_val *element;
	bool good = is_list(w, f, v);

	if (!good)
		return false;
	yyjson_arr_foreach(v, i, max, element)
	{
		come_to_value(w, element);
		(void)snprintf(w->told + length, sizeof(w->told) - length, "[%zu]", i);
		good &= take_text(w, f, element);
		w->told[length] = '\0';
	}
	return good;
}

static bool has_needed(struct walk *w, const struct field *f)
{
	size_t length = strlen(w->kept);

	for (size_t i = 0; i < f->fields; i++) {
		bool is_there;

		if (!f->field[i].needed)
			continue;
		go_down(w->kept, sizeof(w->kept), f->field[i].name);
		is_there = document_count(w->d, w->kept) > 0;
		w->kept[length] = '\0';
		if (!is_there) {
			tell(w, "it has no good %s and is left out", f->field[i].name);
			return false;
		}
	}
	return true;
}

/* Whether no element before it has its name, if elements have one. */
static bool has_own_name(struct walk *w, const char *list, size_t element)
{
	char path[2 * DOCUMENT_PATH];
	const struct document_value *mine, *other;

	(void)snprintf(path, sizeof(path), "%s.name", w->kept);
	mine = document_find(w->d, path, 0);
	for (size_t i = 0; mine != NULL && i < element; i++) {
		(void)snprintf(path, sizeof(path), "%s[%zu].name", list, i);
		other = document_find(w->d, path, 0);
		if (other != NULL && strcmp(other->text, mine->text) == 0) {
			tell(w, "one before it has its name; it is left out");
			return false;
		}
	}
	return true;
}

/* An element with all that it needs is kept, whatever there is about the others. */
static bool take_objects(struct walk *w, const struct field *f, yyjson_val *v)
{
	size_t told = strlen(w->told), kept = strlen(w->kept), i, max, count = 0;
	yyjson_val *element;

	if (!is_list(w, f, v))
		return false;
	yyjson_arr_foreach(v, i, max, element)
	{
		bool good = keep(w, f, "", 0);

		come_to_value(w, element);
		go_to_element(w, i, count);
		good = good && take_object(w, f, element) && has_needed(w, f) &&
		       has_own_name(w, f->name, count);
		if (!good)
			document_remove(w->d, w->kept);
		w->told[told] = '\0';
		w->kept[kept] = '\0';
		if (!good)
			document_remove_last(w->d, w->kept);
		count += good;
	}
	return true;
}

static bool take(struct walk *w, const struct field *f, yyjson_val *v)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return take_text(w, f, v);
	case FIELD_NUMBER:
		return take_number(w, f, v);
	case FIELD_BOOL:
		return take_bool(w, f, v);
	case FIELD_LIST:
		return take_list(w, f, v);
	case FIELD_OBJECT:
		return take_object(w, f, v);
	case FIELD_OBJECTS:
		return take_objects(w, f, v);
	}
	return false;
}

/* A field that was found for the key, which is told. `seen`: a bit for each field that was there
 * before. */
static void take_member(struct walk *w, const struct field *object, const struct field *f,
			yyjson_val *v, uint64_t *seen)
{
	uint64_t bit = 1ull << (f - object->field);
	size_t kept = strlen(w->kept);

	go_down(w->kept, sizeof(w->kept), f->name);
	if ((*seen & bit) != 0)
		tell(w, "it is there a second time; the first is taken");
	else if (!take(w, f, v))
		document_remove(w->d, w->kept);
	*seen |= bit;
	w->kept[kept] = '\0';
}

/* Bytes of a key that can be shown. */
static void go_to_key(struct walk *w, const char *name, size_t size)
{
	char shown[KEY + 1];
	size_t n = size < KEY ? size : KEY;

	for (size_t i = 0; i < n; i++)
		shown[i] = name[i] > ' ' && name[i] < 0x7f && name[i] != '[' ? name[i] : '?';
	shown[n] = '\0';
	go_down(w->told, sizeof(w->told), shown);
}

static bool take_object(struct walk *w, const struct field *f, yyjson_val *v)
{
	size_t told = strlen(w->told), i, max;
	yyjson_val *key, *member;
	uint64_t seen = 0;

	if (!yyjson_is_obj(v)) {
		tell(w, "it has to be an object");
		return false;
	}
	yyjson_obj_foreach(v, i, max, key, member)
	{
		const char *name = yyjson_get_str(key);
		const struct field *found = field_find(f, name, yyjson_get_len(key));

		come_to(w, name);
		come_to_value(w, member);
		go_to_key(w, name, yyjson_get_len(key));
		if (found != NULL)
			take_member(w, f, found, member, &seen);
		else
			tell(w, "there is no such field");
		w->told[told] = '\0';
	}
	return true;
}

/* Whether nothing is nested deeper than JSON_DEPTH: the library has no bound of its own. Where the
 * text is no JSON this may be wrong; then it is refused later. */
static bool is_shallow(const char *text, size_t size)
{
	bool in_text = false;
	unsigned depth = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_text && c == '\\')
			i++;
		else if (c == '"')
			in_text = !in_text;
		else if (!in_text && (c == '{' || c == '['))
			depth++;
		else if (!in_text && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > JSON_DEPTH)
			return false;
	}
	return true;
}

static void walk(struct walk *w, char *buffer)
{
	yyjson_read_err error;
	yyjson_doc *doc = yyjson_read_opts(
		buffer, w->size, YYJSON_READ_INSITU | YYJSON_READ_NUMBER_AS_RAW, NULL, &error);

	if (doc == NULL) {
		come_to(w, buffer + error.pos);
		tell(w, "it is no JSON (%s) and is left out", error.msg);
		return;
	}
	(void)take_object(w, &schema, yyjson_doc_get_root(doc));
	yyjson_doc_free(doc);
}

void json_read(struct document *d, const char *place, const char *text, size_t size,
	       const struct report *r)
{
	struct walk w = { .d = d, .r = r, .place = place, .text = text, .size = size, .line = 1 };
	char *buffer;

	if (size > JSON_SIZE) {
		tell(&w, "it is longer than %u bytes and is left out", JSON_SIZE);
		return;
	}
	if (!is_shallow(text, size)) {
		tell(&w, "it is nested deeper than %u levels and is left out", JSON_DEPTH);
		return;
	}
	buffer = calloc(1, size + YYJSON_PADDING_SIZE);
	if (buffer == NULL) {
		tell(&w, "there is no memory for it");
		return;
	}
	memcpy(buffer, text, size);
	w.buffer = buffer;
	walk(&w, buffer);
	explicit_bzero(buffer, size);
	free(buffer);
}
