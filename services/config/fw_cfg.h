/* SPDX-License-Identifier: MIT */
/* services/config/fw_cfg.h - files that QEMU hands to its guest.
 *
 * Its traditional interface (docs/specs/fw_cfg.rst of QEMU): a register of two bytes selects an
 * item, from another its bytes come one after the other. What comes is believed no more than
 * anything else from outside.
 */
#pragma once
#include <abi/status.h>
#include <stddef.h>
#include <stdint.h>

#define FW_CFG_NAME 56 /* bytes, with the zero byte at its end */

/* The device. Both functions fail as ioport_read and ioport_write do. */
struct fw_cfg {
	status_t (*select)(void *self, uint16_t item);
	status_t (*read)(void *self, uint8_t *byte);
	void *self;
};

/* Reads a file into memory that the caller frees (malloc). ST_UNSUPPORTED: there is no such device;
 * ST_WOULD_BLOCK: it has no such file; ST_TOO_BIG: it has more than `most` bytes;
 * ST_NO_MEMORY; or as the device fails. */
status_t fw_cfg_read(const struct fw_cfg *device, const char *name, size_t most, char **bytes,
		     size_t *size) __attribute__((warn_unused_result));
