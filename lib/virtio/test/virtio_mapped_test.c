/* SPDX-License-Identifier: MIT */
#include <lib/virtio/virtio_mapped.h>
#include <string.h>
#include <test/test.h>

/* Each part has memory of just its length, and what is beyond it is looked at. */
TEST(virtio_mapped_touches_its_parts_only)
{
	static _Alignas(4) uint8_t memory[2][64];
	const struct virtio_pci v = { .part = { [VIRTIO_COMMON] = { .length = 56 },
						[VIRTIO_NOTIFY] = { .length = 6 },
						[VIRTIO_CONFIG] = { .length = 8 } } };
	volatile void *const part[VIRTIO_PARTS] = {
		[VIRTIO_COMMON] = memory[0], [VIRTIO_NOTIFY] = memory[1]
	};
	struct virtio_mapped m;
	struct virtio_registers r = virtio_mapped_init(&m, &v, part);

	r.write(&m, VIRTIO_COMMON, 0x34, 4, 0x44332211);
	r.write(&m, VIRTIO_NOTIFY, 4, 2, 0x7788);
	r.write(&m, VIRTIO_COMMON, 0x14, 1, 0x99);
	CHECK(memcmp(memory[0] + 0x34, "\x11\x22\x33\x44", 4) == 0 && memory[0][0x14] == 0x99);
	CHECK(memory[0][0x15] == 0 && memory[1][4] == 0x88 && memory[1][5] == 0x77);
	CHECK(r.read(&m, VIRTIO_COMMON, 0x34, 4) == 0x44332211);
	CHECK(r.read(&m, VIRTIO_COMMON, 0x36, 2) == 0x4433);
	CHECK(r.read(&m, VIRTIO_COMMON, 0x37, 1) == 0x44);
	r.write(&m, VIRTIO_COMMON, 56, 1, 1);
	r.write(&m, VIRTIO_NOTIFY, 6, 2, 1);
	r.write(&m, VIRTIO_NOTIFY, UINT32_MAX - 1, 2, 1);
	r.write(&m, VIRTIO_CONFIG, 0, 4, 1); /* has a length, and no memory */
	CHECK(memory[0][56] == 0 && memory[1][6] == 0 && memory[1][7] == 0);
	CHECK(r.read(&m, VIRTIO_CONFIG, 0, 4) == UINT32_MAX);
	CHECK(r.read(&m, VIRTIO_ISR, 0, 1) == UINT32_MAX);
	CHECK(r.read(&m, VIRTIO_NOTIFY, 4, 4) == UINT32_MAX);
}
