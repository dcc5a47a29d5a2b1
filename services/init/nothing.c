/* SPDX-License-Identifier: MIT */
/* A composition without programs: the machine comes up and is switched off. */
#include "composition.h"

const struct composition composition = { .programs = 0 };
