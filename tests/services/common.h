/* SPDX-License-Identifier: MIT */
/* tests/services/common.h - what the programs of the test composition have in common: one loop that
 * answers init, and tells the tester when it is told to stop. */
#pragma once
#include "desk.h"
#include <lib/loop/loop.h>
#include <proto/supervisor.h>

/* The loop of the program, ready for services. Ends the program if it can't be made. */
struct loop *common_loop(void);

/* Runs it to the end of the program. */
_Noreturn void common_run(void);

/* Says that the program has started; what is it to do? */
enum desk_role common_hello(void);

/* Ends the program as a failure, with this in the log. */
_Noreturn void common_fail(const char *what);
