/* SPDX-License-Identifier: MIT */
/* kernel/core/boot.h - checks what the boot path handed over, and options.
 *
 * Boot options are words `name` or `name=value` on the kernel command line,
 * separated by blanks. Words without a known name are reported and ignored by
 * the kernel; user space reads the whole line.
 */
#pragma once
#include <abi/boot.h>
#include <core/types.h>

/* The checked copy; constant after boot_take. */
extern struct boot_info boot_info;

/* Checks `in` as a whole: magic, version, counts, every range non-empty, not
 * wrapping, none overlapping another, kernel and archive inside RAM and apart.
 * Returns ST_OK, or the reason in `why` as one sentence that names the
 * offending addresses. Sorts `in->range` by base. */
MUST_CHECK status_t boot_info_check(struct boot_info *in, char *why, size_t why_size);

/* Looks up option `name`: false if it is absent, else true with the text after
 * '=' in `value` ("" without one; cut to `size`). The last one given counts. */
bool boot_option(const char *name, char *value, size_t size);

/* Where the port enters the core: on the boot CPU, on its boot stack, with
 * interrupts off, the early console working, and `info` filled but unchecked.
 * Never returns. */
NORETURN void kernel_main(const struct boot_info *info);

/* The last step of a boot. In the kernel that ships it does nothing; a kernel
 * with tests or benchmarks linked in (test/) runs them here and powers off. */
void kernel_test_main(void);
