/* SPDX-License-Identifier: MIT */
#include <services/config/schema.h>
#include <services/config/service.h>

_Static_assert(CONFIG_PATH == DOCUMENT_PATH, "paths have one size");

/* Finds out what is asked for. Fails as config_get does; a path that is good may have no value. */
static status_t look_up(const struct document *d, const char *path, uint32_t index,
			bool with_secrets, const struct document_value **v)
{
	const struct field *f;

	if (memchr(path, '\0', CONFIG_PATH) == NULL)
		return ST_BAD_ARG;
	f = schema_find(path);
	if (f == NULL || f == &schema)
		return ST_BAD_ARG;
	if (f->secret && !with_secrets)
		return ST_NO_RIGHT;
	*v = document_find(d, path, index);
	return ST_OK;
}

/* Copies what fits of a text, from an offset on. */
static uint32_t fill(const struct document_value *v, uint32_t offset, char *text)
{
	size_t left = v == NULL || offset > v->size ? 0 : v->size - offset;

	if (left > 0)
		memcpy(text, v->text + offset, left < CONFIG_TEXT ? left : CONFIG_TEXT);
	return v == NULL ? 0 : v->size;
}

static status_t service_get(void *self, struct ipc_request *from, const struct config_get_req *req,
			    struct config_get_rep *rep, struct msg_cap *caps)
{
	const struct document_value *v;
	status_t st = look_up(self, req->path, req->index, false, &v);

	(void)from, (void)caps;
	if (st != ST_OK)
		return st;
	rep->count = document_count(self, req->path);
	rep->size = fill(v, req->offset, rep->text);
	return ST_OK;
}

static status_t service_secret(void *self, struct ipc_request *from,
			       const struct config_secret_req *req, struct config_secret_rep *rep,
			       struct msg_cap *caps)
{
	const struct document_value *v;
	status_t st = look_up(self, req->path, req->index, true, &v);

	(void)from, (void)caps;
	if (st != ST_OK)
		return st;
	rep->count = document_count(self, req->path);
	rep->size = fill(v, req->offset, rep->text);
	return ST_OK;
}

const struct config_ops service_ops = { .get = service_get, .secret = service_secret };
