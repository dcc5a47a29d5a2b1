/* SPDX-License-Identifier: MIT */
#include "regs.h"
#include <arch/arch.h>

/* The first serial port of a PC: a 16550 at I/O port 0x3f8, 115200 8N1. */
#define UART_PORT     0x3f8
#define UART_DATA     (UART_PORT + 0)
#define UART_IER      (UART_PORT + 1)
#define UART_FCR      (UART_PORT + 2)
#define UART_LCR      (UART_PORT + 3)
#define UART_MCR      (UART_PORT + 4)
#define UART_LSR      (UART_PORT + 5)
#define LCR_8N1       0x03
#define LCR_DLAB      0x80
#define FCR_ENABLE    0x07 /* FIFO on, both cleared */
#define MCR_DTR_RTS   0x03
#define LSR_THR_EMPTY 0x20

/* A port that never becomes ready must not hang the kernel: after this many looks
 * a character is lost, and while the port stays so, the next ones at the first
 * look. (Where no port is fitted, all bits read as ones, so it seems ready.) */
#define UART_LOOKS 100000

static unsigned looks = UART_LOOKS;

void arch_console_init(void)
{
	out8(UART_IER, 0);
	out8(UART_LCR, LCR_DLAB);
	out8(UART_DATA, 1); /* divisor 1: 115200 baud */
	out8(UART_IER, 0);
	out8(UART_LCR, LCR_8N1);
	out8(UART_FCR, FCR_ENABLE);
	out8(UART_MCR, MCR_DTR_RTS);
}

static bool uart_is_ready(void)
{
	for (unsigned i = 0; i < looks; i++) {
		if (in8(UART_LSR) & LSR_THR_EMPTY)
			return true;
	}
	return false;
}

static void uart_put(char c)
{
	bool ready = uart_is_ready();

	looks = ready ? UART_LOOKS : 1;
	if (ready)
		out8(UART_DATA, (uint8_t)c);
}

void arch_console_write(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			uart_put('\r');
		uart_put(text[i]);
	}
}
