/* SPDX-License-Identifier: MIT */
/* lib/net/port/arch/cc.h - what lwIP asks of the compiler and of its surroundings. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define LWIP_RAND()           net_random()
#define LWIP_PLATFORM_DIAG(x) ((void)0)
/* What it holds for impossible has happened: the process ends rather than go on. */
#define LWIP_PLATFORM_ASSERT(x) abort()

/* See ../../pool.h and ../../random.h. */
void *net_pool_take(size_t bytes);
void *net_pool_take_zeroed(size_t count, size_t bytes);
void net_pool_give(void *memory);
uint32_t net_random(void);
