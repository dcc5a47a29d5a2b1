/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/test/probe.h - fetches that are allowed to fault, and a user
 * page to try them on. */
#pragma once
#include <core/types.h>

/* Both also in probe.S. */
#define USER_PAGE         0x400000ul
#define PROBE_KERNEL_BASE 0x200000ul /* where the image must lie for its alias to be listed */

/* Jumps to `code`, which holds what lies at probe_text_code: true when it ran,
 * false when it could not be fetched. Only from the addresses that probe.S lists. */
bool probe_exec(const void *code);

/* The code, in text and in data. */
extern const uint8_t probe_text_code[], probe_text_code_end[], probe_data_code[];

/* Maps a zeroed frame at USER_PAGE for user mode, writable, in the root of the
 * kernel; the code above is copied to its start. Returns it in the direct map, NULL
 * without memory. */
void *user_page_map(void);
void user_page_unmap(void);
