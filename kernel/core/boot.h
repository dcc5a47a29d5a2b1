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

/* Less than this is refused: the kernel runs in a fraction of it, the first
 * services do not. Counted is what becomes RAM, so a machine's holes don't. */
#define BOOT_MEMORY_MIN MIB(32)

/* No machine that we run on has wider physical addresses. */
#define BOOT_ADDRESS_BITS 52

/* The checked copy; constant after boot_take. */
extern struct boot_info boot_info;

/* Checks `in` as a whole: magic, version, counts, the command line's end; every
 * range of a known kind, not empty, not wrapping, none overlapping another;
 * enough memory; kernel and archive there, inside RAM below 4 GiB, and apart.
 * RAM is what is BOOT_RAM or BOOT_LOADER; ranges may touch, and what lies
 * across such a joint is inside. Sorts `in->range` by base.
 * Returns NULL, or why not, as one sentence that names the offending addresses; the
 * next call writes over it. */
MUST_CHECK const char *boot_info_check(struct boot_info *in);

/* Copies `in` to boot_info, erases the seed in `in`, whose memory somebody else
 * gets one day, checks the copy and walks the archive; refuses to boot if
 * anything is wrong. Called once, first of all, with the low 4 GiB in
 * the direct map. Reports words of the command line that no one knows. */
void boot_take(struct boot_info *in);

/* Looks up option `name`: false if it is absent, else true with the text after
 * '=' in `value` ("" without one; cut to `size`). The last one given counts. */
bool boot_option(const char *name, char *value, size_t size);

/* Where the port enters the core: on the boot CPU, on its boot stack, with
 * interrupts off, the early console working, and `info` filled but unchecked.
 * Never returns. */
NORETURN void kernel_main(struct boot_info *info);

/* The last step of a boot. In the kernel that ships it does nothing; a kernel
 * with tests or benchmarks linked in (test/) runs them here and powers off. */
void kernel_test_main(void);
