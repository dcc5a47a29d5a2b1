/* SPDX-License-Identifier: MIT */
#include "common.h"
#include <lib/program/program.h>
#include <stdio.h>
#include <stdlib.h>

static struct loop loop;

_Noreturn void common_fail(const char *what)
{
	printf("gives up: %s\n", what);
	exit(9);
}

static void tell_stop(void *nothing)
{
	const struct desk_stopping_req req = { 0 };
	struct desk_stopping_rep rep;
	cap_t desk = program_cap("desk");

	(void)nothing;
	if (desk != CAP_NONE && desk_stopping(desk, &req, &rep, NULL) != ST_OK)
		common_fail("nobody listens");
}

struct loop *common_loop(void)
{
	const struct program_block *b = program_block();
	const struct loop_setup setup = {
		.quota = b->quota, .service = b->service, .events = b->events, .alive = b->alive
	};

	if (loop_init(&loop, &setup) != ST_OK)
		common_fail("no loop");
	loop_on_stop(&loop, tell_stop, NULL);
	return &loop;
}

_Noreturn void common_run(void)
{
	status_t st = loop_run(&loop);

	exit(st == ST_OK ? 0 : 8);
}

enum desk_role common_hello(void)
{
	const struct desk_hello_req req = { program_block()->incarnation };
	struct desk_hello_rep rep;

	if (desk_hello(program_cap("desk"), &req, &rep, NULL) != ST_OK)
		common_fail("nobody is there");
	return (enum desk_role)rep.role;
}
