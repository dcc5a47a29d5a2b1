/* SPDX-License-Identifier: MIT */
/* services/log/serial.h - a 16550 serial port that the firmware or the kernel has set up. */
#pragma once
#include <abi/rights.h>
#include <stdbool.h>
#include <stddef.h>

struct serial {
	cap_t ports;   /* its eight registers; CAP_NONE: there is none */
	bool is_stuck; /* it took nothing the last time */
};

/* Writes bytes. A port that does not get ready costs one bounded wait, and then loses what is to be
 * written until it is ready again. */
void serial_write(struct serial *s, const char *bytes, size_t size);
