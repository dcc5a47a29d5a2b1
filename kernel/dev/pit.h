/* SPDX-License-Identifier: MIT */
/* kernel/dev/pit.h - channel 2 of the 8254 timer as a counter of known rate. It
 * is the one channel that software can gate and that raises no interrupt. */
#pragma once
#include <core/types.h>

#define PIT_HZ   1193182u
#define PIT_MASK 0xffffu /* it wraps after 54 ms */

/* Starts the counter; false when there is no such timer. */
MUST_CHECK bool pit_start(void);

/* Ticks since some moment, counting up. */
uint32_t pit_read(void);
