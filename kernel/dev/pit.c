/* SPDX-License-Identifier: MIT */
#include <dev/pit.h>
#include <regs.h>

/* Intel 8254 data sheet. */
#define PORT_CHANNEL2 0x42
#define PORT_COMMAND  0x43
#define PORT_GATE     0x61 /* bit 0 gates channel 2, bit 1 lets it to the speaker */
#define GATE_ON       0x01
#define GATE_SPEAKER  0x02

#define COMMAND_RATE  0xb4 /* channel 2, low then high byte, mode 2 */
#define COMMAND_LATCH 0x80 /* channel 2 */

#define PRESENCE_READS 64

bool pit_start(void)
{
	out8(PORT_GATE, (uint8_t)((in8(PORT_GATE) & ~GATE_SPEAKER) | GATE_ON));
	out8(PORT_COMMAND, COMMAND_RATE);
	out8(PORT_CHANNEL2, 0); /* 0 stands for 65536 */
	out8(PORT_CHANNEL2, 0);

	/* A port that nobody answers reads the same for ever. */
	uint32_t first = pit_read();
	for (unsigned n = 0; n < PRESENCE_READS; n++) {
		if (pit_read() != first)
			return true;
	}
	return false;
}

uint32_t pit_read(void)
{
	out8(PORT_COMMAND, COMMAND_LATCH);
	uint32_t low = in8(PORT_CHANNEL2);
	uint32_t count = low | (uint32_t)in8(PORT_CHANNEL2) << 8;
	return -count & PIT_MASK;
}
