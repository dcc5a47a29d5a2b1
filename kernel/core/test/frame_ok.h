/* SPDX-License-Identifier: MIT */
/* kernel/core/test/frame_ok.h - whether the frame allocator is in order. */
#pragma once
#include <core/types.h>

/* Lists, states and counts agree; walks everything, and expects that nobody allocates
 * meanwhile. */
bool frame_ok(void);
