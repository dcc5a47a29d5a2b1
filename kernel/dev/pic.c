/* SPDX-License-Identifier: MIT */
#include <dev/pic.h>
#include <regs.h>

/* Intel 8259A data sheet. The data port takes ICW2 to ICW4 after ICW1 came by
 * the command port, and the mask from then on. */
#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xa0
#define SLAVE_DATA     0xa1
#define ICW1_WITH_ICW4 0x11
#define ICW3_MASTER    0x04 /* the slave is at line 2 */
#define ICW3_SLAVE     0x02
#define ICW4_8086      0x01
#define MASK_ALL       0xff

/* Masking alone is not enough. A line that falls silent at the wrong moment gives a
 * spurious interrupt even so, and after reset its vector is that of an exception;
 * so the vectors are moved first. */
void pic_disable(void)
{
	out8(MASTER_COMMAND, ICW1_WITH_ICW4);
	out8(SLAVE_COMMAND, ICW1_WITH_ICW4);
	out8(MASTER_DATA, PIC_VECTOR);
	out8(SLAVE_DATA, PIC_VECTOR + 8);
	out8(MASTER_DATA, ICW3_MASTER);
	out8(SLAVE_DATA, ICW3_SLAVE);
	out8(MASTER_DATA, ICW4_8086);
	out8(SLAVE_DATA, ICW4_8086);
	out8(MASTER_DATA, MASK_ALL);
	out8(SLAVE_DATA, MASK_ALL);
}
