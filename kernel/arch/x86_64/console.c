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

/* A port that never becomes ready (none is fitted) must not hang the boot. */
#define UART_SPIN_MAX 100000

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

static void uart_put(char c)
{
	for (unsigned spin = 0; !(in8(UART_LSR) & LSR_THR_EMPTY); spin++) {
		if (spin == UART_SPIN_MAX)
			return;
	}
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
