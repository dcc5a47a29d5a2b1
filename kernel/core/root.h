/* SPDX-License-Identifier: MIT */
/* kernel/core/root.h - the first program.
 *
 * The kernel loads one program itself, so that all others can be loaded by programs. What it
 * is given is described in abi/startup.h, and is made here by the same functions that serve
 * system calls. From then on nobody but this program has authority over anything.
 */
#pragma once
#include <core/types.h>

/* Loads the program of the boot archive. False: the archive holds no file "root". A
 * file that can't be started, or a machine too small for it, refuses the boot with the reason. */
bool root_start(void) MUST_CHECK;

/* Lets it run, on whichever CPU. */
void root_run(void);
