/* SPDX-License-Identifier: MIT */
/* lib/net/pool.h - the memory of the instance: taken when needed, given back when not, never
 * more than one bound, whoever asks. */
#pragma once
#include <stddef.h>

/* Sets the bound in bytes; what is taken already counts. */
void net_pool_bound(size_t bytes);

/* As malloc and calloc, aligned to 16; NULL beyond the bound. */
void *net_pool_take(size_t bytes);
void *net_pool_take_zeroed(size_t count, size_t bytes);

/* As free. */
void net_pool_give(void *memory);

/* Bytes that are taken, what it costs to keep account of them included. */
size_t net_pool_used(void);
