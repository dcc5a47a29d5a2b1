/* SPDX-License-Identifier: MIT */
#include <lib/virtio/virtqueue.h>
#include <stdatomic.h>

/* Shared with the device (2.7.5, 2.7.6, 2.7.8). Machines are little-endian, as virtio is. */
struct virtqueue_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

#define DESCRIPTOR_NEXT  1u
#define DESCRIPTOR_WRITE 2u

struct virtqueue_avail {
	uint16_t flags;
	_Atomic uint16_t idx;
	uint16_t ring[]; /* behind them: used_event */
};

#define AVAIL_NO_INTERRUPT 1u

struct virtqueue_used {
	uint16_t flags;
	_Atomic uint16_t idx;
	struct {
		uint32_t id, length;
	} ring[]; /* behind them: avail_event */
};

#define USED_NO_NOTIFY 1u

struct virtqueue_layout virtqueue_layout(unsigned size)
{
	struct virtqueue_layout l = { .avail = size * sizeof(struct virtqueue_descriptor) };
	size_t end = l.avail + sizeof(struct virtqueue_avail) + (size + 1) * sizeof(uint16_t);

	l.used = (end + 3) & ~(size_t)3;
	l.bytes = l.used + sizeof(struct virtqueue_used) + size * 2 * sizeof(uint32_t) +
		  sizeof(uint16_t);
	return l;
}

bool virtqueue_init(struct virtqueue *q, void *memory, size_t bytes, unsigned size, bool by_index)
{
	struct virtqueue_layout l = virtqueue_layout(size);

	if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)) != 0)
		return false;
	if ((uintptr_t)memory % 16 != 0 || bytes < l.bytes)
		return false;
	*q = (struct virtqueue){
		.descriptor = memory,
		.avail = (void *)((char *)memory + l.avail),
		.used = (void *)((char *)memory + l.used),
		.size = (uint16_t)size,
		.free_count = (uint16_t)size,
		.by_index = by_index,
	};
	for (unsigned i = 0; i < size; i++)
		q->own[i].next = (uint16_t)(i + 1);
	return true;
}

static volatile uint16_t *used_event(const struct virtqueue *q)
{
	return &q->avail->ring[q->size];
}

static volatile uint16_t *avail_event(const struct virtqueue *q)
{
	return (volatile uint16_t *)&q->used->ring[q->size];
}

bool virtqueue_add(struct virtqueue *q, const struct virtqueue_part *part, unsigned out,
		   unsigned in, uint64_t cookie)
{
	unsigned count = out + in;
	uint16_t at = q->free;
	struct virtqueue_own *first = &q->own[at];

	if (q->broken || count == 0 || count < in || count > q->free_count)
		return false;
	first->cookie = cookie;
	first->count = (uint16_t)count;
	first->room = 0;
	for (unsigned i = 0; i < count; i++, at = q->own[at].next) {
		volatile struct virtqueue_descriptor *d = &q->descriptor[at];
		d->address = part[i].address;
		d->length = part[i].length;
		d->next = i + 1 < count ? q->own[at].next : 0;
		d->flags = (uint16_t)((i + 1 < count ? DESCRIPTOR_NEXT : 0) |
				      (i >= out ? DESCRIPTOR_WRITE : 0));
		first->room += i >= out ? part[i].length : 0;
	}
	q->avail->ring[q->added & (q->size - 1)] = q->free;
	q->free = at;
	q->free_count = (uint16_t)(q->free_count - count);
	atomic_store_explicit(&q->avail->idx, ++q->added, memory_order_release);
	return true;
}

bool virtqueue_notify(struct virtqueue *q)
{
	uint16_t before = q->told;

	if (q->added == before)
		return false;
	q->told = q->added;
	atomic_thread_fence(memory_order_seq_cst);
	if (!q->by_index)
		return !(q->used->flags & USED_NO_NOTIFY);
	/* 2.7.10: told if its index lies among those that are new. */
	return (uint16_t)(q->added - *avail_event(q) - 1) < (uint16_t)(q->added - before);
}

/* Whether one has come back; a device that says more than it has is broken. */
static bool is_ready(struct virtqueue *q)
{
	uint16_t index = atomic_load_explicit(&q->used->idx, memory_order_acquire);

	if ((uint16_t)(index - q->seen) > (uint16_t)(q->added - q->seen))
		q->broken = true;
	return !q->broken && index != q->seen;
}

/* Its descriptors are free again, in front of the others. */
static void give_back(struct virtqueue *q, uint16_t first)
{
	uint16_t last = first;

	for (unsigned n = 1; n < q->own[first].count; n++)
		last = q->own[last].next;
	q->own[last].next = q->free;
	q->free = first;
	q->free_count = (uint16_t)(q->free_count + q->own[first].count);
	q->own[first].count = 0;
}

bool virtqueue_get(struct virtqueue *q, uint64_t *cookie, uint32_t *written)
{
	if (q->broken || !is_ready(q))
		return false;
	uint32_t id = q->used->ring[q->seen & (q->size - 1)].id;
	uint32_t length = q->used->ring[q->seen & (q->size - 1)].length;
	if (id >= q->size || q->own[id].count == 0 || length > q->own[id].room) {
		q->broken = true;
		return false;
	}
	*cookie = q->own[id].cookie;
	*written = length;
	give_back(q, (uint16_t)id);
	q->seen++;
	return true;
}

bool virtqueue_wait(struct virtqueue *q)
{
	if (q->by_index)
		*used_event(q) = q->seen;
	else
		q->avail->flags = 0;
	atomic_thread_fence(memory_order_seq_cst);
	return !is_ready(q);
}

void virtqueue_quiet(struct virtqueue *q)
{
	if (q->by_index)
		*used_event(q) = (uint16_t)(q->seen - 1); /* far behind: never among the new ones */
	else
		q->avail->flags = AVAIL_NO_INTERRUPT;
}
