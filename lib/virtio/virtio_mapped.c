/* SPDX-License-Identifier: MIT */
#include <lib/virtio/virtio_mapped.h>

/* NULL: there is no such register. */
static volatile void *place(const struct virtio_mapped *m, enum virtio_part part, uint32_t offset,
			    unsigned width)
{
	if (m->part[part] == NULL || width > m->length[part] || offset > m->length[part] - width)
		return NULL;
	return m->part[part] + offset;
}

static uint32_t mapped_read(void *self, enum virtio_part part, uint32_t offset, unsigned width)
{
	volatile void *at = place(self, part, offset, width);

	if (at == NULL)
		return UINT32_MAX;
	if (width == 1)
		return *(volatile uint8_t *)at;
	return width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void mapped_write(void *self, enum virtio_part part, uint32_t offset, unsigned width,
			 uint32_t value)
{
	volatile void *at = place(self, part, offset, width);

	if (at == NULL)
		return;
	if (width == 1)
		*(volatile uint8_t *)at = (uint8_t)value;
	else if (width == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else
		*(volatile uint32_t *)at = value;
}

struct virtio_registers virtio_mapped_init(struct virtio_mapped *m, const struct virtio_pci *v,
					   volatile void *const part[VIRTIO_PARTS])
{
	for (unsigned i = 0; i < VIRTIO_PARTS; i++) {
		m->part[i] = part[i];
		m->length[i] = v->part[i].length;
	}
	return (struct virtio_registers){ mapped_read, mapped_write, m };
}
