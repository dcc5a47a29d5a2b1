/* SPDX-License-Identifier: MIT */
/* boot/uefi/options.h - the command line that the firmware hands over. */
#pragma once
#include <abi/boot.h>
#include <stdbool.h>
#include <stddef.h>

/* True if the `size` bytes at `text` are a command line: 16-bit characters of
 * printable ASCII, not all blank, up to a zero or the end. Load options of
 * firmware-made boot entries may also be binary, or absent. */
bool options_are_text(const uint8_t *text, size_t size);

/* Copies what options_are_text said yes to. False if it is too long. */
bool options_copy(const uint8_t *text, size_t size, char out[BOOT_CMDLINE]);
