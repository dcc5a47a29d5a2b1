/* SPDX-License-Identifier: MIT */
/* What a system call of a foreign program costs, there and back, in instructions: see bench.c. */
#include "sandbox.h"

#define ROUNDS 64

TEST(guest_null_call)
{
	struct sandbox s;

	sandbox_new(&s);
	sandbox_begin(&s, foreign_null, 0, 0);
	s.shared->arg[0] = ROUNDS;
	sandbox_run(&s, task_measure); /* for what is paid only once */
	sandbox_run(&s, task_measure);
	CHECK(s.shared->status == ST_OK && s.exit->reason == GUEST_SYSCALL);
	CHECK(s.shared->enters == 0 && s.regs->rax == 39);
	bench_report("guest_null_call_instr", s.shared->result / ROUNDS, "instructions");
}
