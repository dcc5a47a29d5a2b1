/* SPDX-License-Identifier: MIT */
/* What programs leave for their next incarnation. */
#include "program.h"
#include <lib/sys/calls.h>
#include <string.h>

static bool is_name(const char name[PROGRAM_NAME])
{
	return name[0] != '\0' && memchr(name, '\0', PROGRAM_NAME) != NULL;
}

static struct deposit *find(struct program *p, const char name[PROGRAM_NAME])
{
	for (unsigned i = 0; is_name(name) && i < SUPERVISOR_DEPOSITS; i++) {
		if (strcmp(p->deposit[i].name, name) == 0)
			return &p->deposit[i];
	}
	return NULL;
}

static void drop(struct deposit *d)
{
	(void)sys_cap_drop(workshop.startup->cspace, d->cap);
	*d = (struct deposit){ .cap = CAP_NONE };
}

status_t deposit_add(struct program *p, const struct supervisor_deposit_req *req,
		     const struct msg_cap *cap)
{
	const rights_t needed = RIGHT_COPY | RIGHT_SEND;

	if (!is_name(req->name))
		return ST_BAD_ARG;
	if (find(p, req->name) != NULL)
		return ST_EXISTS;
	if ((cap->rights & needed) != needed)
		return ST_NO_RIGHT; /* it could not be given again */
	for (unsigned i = 0; i < SUPERVISOR_DEPOSITS; i++) {
		struct deposit *d = &p->deposit[i];

		if (d->name[0] != '\0')
			continue;
		strcpy(d->name, req->name);
		d->value = req->value;
		d->cap = cap->handle;
		return ST_OK;
	}
	return ST_NO_SLOTS;
}

status_t deposit_find(struct program *p, const char name[PROGRAM_NAME], uint64_t *value,
		      struct msg_cap *copy)
{
	struct deposit *d = find(p, name);
	enum object_type type;
	rights_t rights;

	if (d == NULL)
		return ST_BAD_ARG;
	/* What it was paid with may be gone, or its owner has revoked it. */
	if (sys_cap_inspect(workshop.startup->cspace, d->cap, &type, &rights) != ST_OK) {
		drop(d);
		return ST_BAD_ARG;
	}
	*value = d->value;
	*copy = (struct msg_cap){ .handle = d->cap, .rights = rights };
	return ST_OK;
}

status_t deposit_withdraw(struct program *p, const char name[PROGRAM_NAME])
{
	struct deposit *d = find(p, name);

	if (d == NULL)
		return ST_BAD_ARG;
	drop(d);
	return ST_OK;
}

void deposit_drop_all(struct program *p)
{
	for (unsigned i = 0; i < SUPERVISOR_DEPOSITS; i++) {
		if (p->deposit[i].name[0] != '\0')
			drop(&p->deposit[i]);
	}
}
