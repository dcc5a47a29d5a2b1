/* SPDX-License-Identifier: MIT */
#include <lib/session/client.h>

status_t session_client_open(struct session_client *c)
{
	if (c->is_open)
		return ST_OK;
	status_t st = c->open(c->self);
	if (st == ST_EXISTS)
		st = ST_OK;
	c->is_open = st == ST_OK;
	return st;
}

bool session_client_is_lost(struct session_client *c, status_t st)
{
	if (st == ST_NO_SESSION && ++c->tries < SESSION_TRIES) {
		c->is_open = false;
		return true;
	}
	if (st == ST_NO_SESSION)
		c->is_open = false;
	c->tries = 0;
	return false;
}
