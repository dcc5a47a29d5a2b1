/* SPDX-License-Identifier: MIT */
/* abi/device.h - arguments of the calls for drivers. */
#pragma once
#include <stdint.h>

/* Where an interrupt comes from (irq_create): a line, counted over all of the machine's
 * interrupt controllers, with flags for how it shows an interrupt; or messages that the
 * device sends. */
#define IRQ_LINE(n)  ((uint64_t)(uint32_t)(n))
#define IRQ_LEVEL    (1ull << 32) /* level-triggered, not by edges */
#define IRQ_LOW      (1ull << 33) /* active low */
#define IRQ_MESSAGE  (1ull << 34) /* no line: all other bits are zero */
#define IRQ_ALL_BITS (IRQ_LINE(UINT32_MAX) | IRQ_LEVEL | IRQ_LOW | IRQ_MESSAGE)

/* What a device may do with memory (dma_map). */
#define DMA_READ  1u
#define DMA_WRITE 2u

/* A device, for dma_create: its PCI segment, bus, device and function. */
#define DMA_PCI(segment, bus, device, function)                                                    \
	((uint64_t)(segment) << 16 | (uint64_t)(bus) << 8 | (uint64_t)(device) << 3 | (function))
#define DMA_DEVICES (1ull << 32)
