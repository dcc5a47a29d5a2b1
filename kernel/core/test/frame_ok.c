/* SPDX-License-Identifier: MIT */
#include "frame_ok.h"
#include <core/boot.h>
#include <core/cpu.h>
#include <core/frame.h>

static struct frame *entry(uint64_t n)
{
	return frame_of(n << FRAME_SHIFT);
}

static enum frame_zone zone_of(uint64_t n)
{
	return n < GIB(4) >> FRAME_SHIFT ? FRAME_LOW : FRAME_HIGH;
}

static bool lists_ok(const struct frame_buddies *z, enum frame_zone zone) REQUIRES(z->lock)
{
	uint64_t free = 0;

	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
		uint32_t prev = 0;

		if ((z->head[order] != 0) != (z->orders >> order & 1))
			return false;
		for (uint32_t n = z->head[order]; n != 0; n = entry(n)->free.next) {
			const struct frame *f = entry(n);
			const struct frame *buddy = entry(n ^ (1u << order));

			if (f->state != FRAME_FREE || f->order != order || f->free.prev != prev ||
			    n % (1u << order) != 0 || zone_of(n) != zone)
				return false;
			if (order < FRAME_ORDER_MAX && buddy->state == FRAME_FREE &&
			    buddy->order == order)
				return false; /* not merged */
			free += 1ull << order;
			prev = n;
		}
	}
	return free == z->free;
}

static bool caches_ok(uint64_t *cached)
{
	for (cpumask_t left = cpu_online_mask() | 1; left != 0; left &= left - 1) {
		const struct cpu *c = cpu_by_id[__builtin_ctzll(left)];

		for (unsigned zone = 0; zone < FRAME_ZONES; zone++) {
			uint32_t count = c->frames[zone].count;

			for (uint32_t i = 0; i < count; i++) {
				uint32_t n = c->frames[zone].frame[i];
				if (entry(n)->state != FRAME_CACHED || zone_of(n) != zone)
					return false;
			}
			*cached += count;
		}
	}
	return true;
}

/* The block that begins with frame `n` is whole: so many frames; 0: it is not. */
static uint64_t block_size(uint64_t n)
{
	const struct frame *f = entry(n);
	uint64_t frames = f->state == FRAME_FREE || f->state == FRAME_USED ? 1ull << f->order : 1;

	if (f->state == FRAME_TAIL || !frame_exists((n + frames - 1) << FRAME_SHIFT))
		return 0;
	for (uint64_t tail = n + 1; tail < n + frames; tail++) {
		if (entry(tail)->state != FRAME_TAIL)
			return 0;
	}
	return frames;
}

/* Every frame of RAM belongs to exactly one block, and is counted in `sum` under the state
 * of its head. */
static bool blocks_ok(uint64_t sum[])
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		uint64_t end = (r->base + r->size - 1) / FRAME_SIZE;

		n = n > r->base / FRAME_SIZE ? n : r->base / FRAME_SIZE;
		while (n <= end) {
			uint64_t frames = 1;

			if (frame_exists(n << FRAME_SHIFT)) {
				frames = block_size(n);
				sum[entry(n)->state] += frames;
			}
			if (frames == 0)
				return false;
			n += frames;
		}
	}
	return true;
}

bool frame_ok(void)
{
	uint64_t sum[FRAME_ABSENT + 1] = { 0 };
	uint64_t cached = 0;
	uint64_t free = 0;
	bool ok = caches_ok(&cached);

	for (unsigned zone = 0; zone < FRAME_ZONES; zone++) {
		struct frame_buddies *z = &frame_buddies[zone];

		spin_lock(&z->lock);
		ok = ok && lists_ok(z, zone);
		free += z->free;
		spin_unlock(&z->lock);
	}
	return ok && blocks_ok(sum) && sum[FRAME_FREE] == free && sum[FRAME_CACHED] == cached;
}
