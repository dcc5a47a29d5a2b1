/* SPDX-License-Identifier: MIT */
/* tests/guest/console.h - lines on the first serial port, through the I/O port object. */
#pragma once
#include <abi/rights.h>

/* The ports to use from now on. */
void console_init(cap_t ports);

/* Writes one line. Knows %s, %d, %u, %lu, %lx and %%. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
