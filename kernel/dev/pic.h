/* SPDX-License-Identifier: MIT */
/* kernel/dev/pic.h - the two 8259 interrupt controllers of the old PC, which we
 * only silence. */
#pragma once
#include <core/types.h>

/* Masks every line, and moves the vectors that a controller may still raise by
 * mistake to PIC_VECTOR and the 15 after it, away from the exceptions. */
#define PIC_VECTOR 32
void pic_disable(void);
