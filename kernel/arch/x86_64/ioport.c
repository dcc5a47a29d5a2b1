/* SPDX-License-Identifier: MIT */
#include "regs.h"
#include <arch/arch.h>

uint32_t arch_port_read(uint16_t port, unsigned width)
{
	switch (width) {
	case 1:
		return in8(port);
	case 2:
		return in16(port);
	default:
		return in32(port);
	}
}

void arch_port_write(uint16_t port, unsigned width, uint32_t value)
{
	switch (width) {
	case 1:
		out8(port, (uint8_t)value);
		break;
	case 2:
		out16(port, (uint16_t)value);
		break;
	default:
		out32(port, value);
		break;
	}
}
