/* SPDX-License-Identifier: MIT */
/* tests/log/checker.h - what the cases have of the program that runs them. */
#pragma once
#include <abi/rights.h>

/* Has the log killed; it is started again, and what is called meanwhile waits for that. */
void checker_kill_log(void);
