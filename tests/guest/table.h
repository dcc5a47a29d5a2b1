/* SPDX-License-Identifier: MIT */
/* tests/guest/table.h - cases that are made out of the call table (abi/syscall.def). */
#pragma once
#include <stdbool.h>
#include <test/test.h>

/* The next case, with a name that is good until the next one; false: there is none left. */
bool table_next(struct test_case *out);
