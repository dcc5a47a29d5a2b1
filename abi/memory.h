/* SPDX-License-Identifier: MIT */
/* abi/memory.h - arguments of the calls on memory objects and address spaces. */
#pragma once
#include <stdint.h>

#define MEMORY_PAGE 4096u

/* Flags of memory_create. Without CONTIGUOUS, pages are found when they are first used. */
#define MEMORY_CONTIGUOUS 1u
#define MEMORY_BELOW_4G   2u /* only with CONTIGUOUS */

/* Modes of memory_share. */
#define SHARE_COPY      0u /* each side has a copy of its own once it is written */
#define SHARE_READ_ONLY 1u /* never written through the object that receives them */

/* Access of a mapping; nothing goes without reading. As FAULT_READ and its like in msg.h. */
#define MAP_READ  1u
#define MAP_WRITE 2u
#define MAP_EXEC  4u

#define PROTECT_MAX 64u /* mappings in one call of aspace_protect */

/* Kinds of aspace_create. */
enum aspace_kind {
	ASPACE_PLAIN,
	ASPACE_PERSONALITY, /* the last 512 GiB of the user addresses alone */
	ASPACE_GUEST,       /* what lies below; made with the personality half that serves it */
};

/* What aspace_scan tells of each page, in a byte: since the last scan; of contiguous or device
 * memory, since it was mapped. */
#define SCAN_ACCESSED 1u
#define SCAN_DIRTY    2u
#define SCAN_PRESENT  4u
#define SCAN_MAX      64u /* pages in one call */
