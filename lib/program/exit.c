/* SPDX-License-Identifier: MIT */
/* The end of a program, where it has none of its own. */
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <lib/sys/syscall.h>
#include <proto/supervisor.h>

/* Init destroys the program and does not answer; who can't reach it stops. */
_Noreturn void libc_exit(int status)
{
	const struct program_block *b = program_block();
	const struct supervisor_exit_req req = { .status = status };
	struct supervisor_exit_rep rep;

	libc_write(1, "", 0);
	libc_write(2, "", 0);
	for (;;) {
		if (b != NULL && supervisor_exit(b->supervisor, &req, &rep, NULL) == ST_OK)
			b = NULL;
		SYS(thread_suspend, libc_thread());
	}
}
