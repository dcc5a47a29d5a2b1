/* SPDX-License-Identifier: MIT */
/* kernel/core/root.h - the first program.
 *
 * The kernel loads one program itself, so that all others can be loaded by programs. What it
 * is given is described in abi/startup.h, and is made here by the same functions that serve
 * system calls. From then on nobody but this program has authority over anything.
 */
#pragma once
#include <core/types.h>

/* Where a program that can lie anywhere lies, and its stack, with the startup structure behind it:
 * each at one of ROOT_PLACES pages from here on, by chance (32 bits). Nothing else is mapped by
 * the kernel, so there are unmapped pages before and behind each. */
#define ROOT_PROGRAM (1ull << 43)
#define ROOT_STACK   (3ull << 45)
#define ROOT_PLACES  (1ull << 32)

/* One of these places, from `first` on; another each time. */
vaddr_t root_place(vaddr_t first);

/* Loads the program of the boot archive. False: the archive holds no file "root". A
 * file that can't be started, or a machine too small for it, refuses the boot. */
bool root_start(void) MUST_CHECK;

/* Lets it run, on whichever CPU. */
void root_run(void);
