/* SPDX-License-Identifier: MIT */
#include "serial.h"
#include <lib/sys/calls.h>

/* PC16550D data sheet, section 8.4. */
#define UART_DATA     0
#define UART_LSR      5
#define LSR_THR_EMPTY 0x20

/* A character takes 87 us at 115200 baud; a look is a system call. */
#define LOOKS 4000

static bool is_ready(const struct serial *s)
{
	uint64_t state;

	return sys_ioport_read(s->ports, UART_LSR, 1, &state) == ST_OK && (state & LSR_THR_EMPTY);
}

static bool wait_until_ready(struct serial *s)
{
	unsigned looks = s->is_stuck ? 1 : LOOKS;

	while (looks > 0 && !is_ready(s))
		looks--;
	s->is_stuck = looks == 0;
	return looks > 0;
}

void serial_write(struct serial *s, const char *bytes, size_t size)
{
	if (s->ports == CAP_NONE)
		return;
	for (size_t i = 0; i < size && wait_until_ready(s); i++)
		(void)sys_ioport_write(s->ports, UART_DATA, 1, (uint8_t)bytes[i]);
}
