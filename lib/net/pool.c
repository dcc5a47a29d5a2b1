/* SPDX-License-Identifier: MIT */
#include "pool.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct head {
	_Alignas(16) size_t bytes; /* with this head */
};

/* lwIP's allocations name no instance: the bound is the process's, as its state is. */
static size_t bound = SIZE_MAX;
static size_t used;

void net_pool_bound(size_t bytes)
{
	bound = bytes;
}

void *net_pool_take(size_t bytes)
{
	if (bytes > bound || sizeof(struct head) + bytes > bound ||
	    used > bound - sizeof(struct head) - bytes)
		return NULL;
	struct head *head = malloc(sizeof(*head) + bytes);
	if (head == NULL)
		return NULL;
	head->bytes = sizeof(*head) + bytes;
	used += head->bytes;
	return head + 1;
}

void *net_pool_take_zeroed(size_t count, size_t bytes)
{
	size_t all;

	if (__builtin_mul_overflow(count, bytes, &all))
		return NULL;
	void *memory = net_pool_take(all);
	if (memory != NULL)
		memset(memory, 0, all);
	return memory;
}

void net_pool_give(void *memory)
{
	if (memory == NULL)
		return;
	struct head *head = (struct head *)memory - 1;
	used -= head->bytes;
	free(head);
}

size_t net_pool_used(void)
{
	return used;
}
