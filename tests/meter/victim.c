/* SPDX-License-Identifier: MIT */
/* A service like others, which faults when it is asked for a secret. */
#include <lib/loop/loop.h>
#include <lib/program/program.h>
#include <proto/config.h>

static struct loop loop;

static status_t get(void *self, struct ipc_request *from, const struct config_get_req *req,
		    struct config_get_rep *rep, struct msg_cap *caps)
{
	(void)self, (void)from, (void)req, (void)rep, (void)caps;
	return ST_OK;
}

static status_t secret(void *self, struct ipc_request *from, const struct config_secret_req *req,
		       struct config_secret_rep *rep, struct msg_cap *caps)
{
	(void)self, (void)from, (void)req, (void)rep, (void)caps;
	*(volatile int *)0xbad000 = 1;
	return ST_OK;
}

static const struct config_ops ops = { .get = get, .secret = secret };

int main(void)
{
	const struct program_block *b = program_block();

	if (b == NULL)
		return 1;
	const struct loop_setup setup = {
		.quota = b->quota, .service = b->service, .events = b->events, .alive = b->alive
	};
	if (loop_init(&loop, &setup) != ST_OK ||
	    loop_serve(&loop, LOOP_SERVICE(0, config, &ops, NULL)) != ST_OK)
		return 1;
	return loop_run(&loop) == ST_OK ? 0 : 1;
}
