/* SPDX-License-Identifier: MIT */
/* kernel/core/assert.h - claims that we can show are always true.
 *
 * ASSERT is on in every build, DEBUG_ASSERT (a costly check) only in debug
 * builds. Neither is for input: what comes from outside is refused by code.
 */
#pragma once
#include <core/panic.h>

#define ASSERT(x)                                                                                  \
	do {                                                                                       \
		if (__builtin_expect(!(x), 0))                                                     \
			panic("assertion failed: %s, %s:%d", #x, __FILE__, __LINE__);              \
	} while (0)

#ifdef DEBUG
#define DEBUG_ASSERT(x) ASSERT(x)
#else
#define DEBUG_ASSERT(x) ((void)sizeof(x))
#endif
