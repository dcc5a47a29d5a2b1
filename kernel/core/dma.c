/* SPDX-License-Identifier: MIT */
#include <core/dma.h>
#include <abi/device.h>
#include <core/log.h>
#include <core/sys_cap.h>

/* Who has which device: struct dma, by device. */
static struct spinlock devices_lock = SPINLOCK_INIT(LOCK_IPC);
static struct tree devices;

static struct dma *dma_of(struct object *o)
{
	return container_of(o, struct dma, obj);
}

/* The memory is its owner's no longer to take back. */
bool dma_cut(struct cap_slot *binding)
{
	STORE(container_of(binding, struct dma_mapping, bound)->revoked, true);
	return true;
}

static bool mapping_close(struct object *o)
{
	struct dma_mapping *map = container_of(o, struct dma_mapping, obj);

	if (!cap_unbind(&map->bound))
		return false;
	memory_let_go(&map->hold, o->quota);
	return true;
}

static bool dma_close(struct object *o)
{
	struct dma *d = dma_of(o);

	spin_lock(&o->lock);
	struct tree_node *n = tree_first(&d->mappings);
	if (n != NULL)
		tree_remove(&d->mappings, n);
	spin_unlock(&o->lock);
	if (n != NULL) {
		object_discard(&container_of(n, struct dma_mapping, node)->obj);
		return false;
	}
	spin_lock(&devices_lock);
	if (d->device.linked)
		tree_remove(&devices, &d->device);
	spin_unlock(&devices_lock);
	return true;
}

const struct object_ops dma_ops = OBJECT_OPS("dma", struct dma, LOCK_IPC, dma_close);
const struct object_ops dma_mapping_ops =
	OBJECT_OPS("dma mapping", struct dma_mapping, LOCK_IPC, mapping_close);

status_t sys_dma_create(struct syscall *c)
{
	const uint64_t device = c->arg[2];
	static _Atomic bool told;

	if (device >= DMA_DEVICES)
		return ST_BAD_ARG;
	struct object *o = object_create(sys_payer(c), OBJ_DMA);
	if (o == NULL)
		return ST_NO_MEMORY;
	spin_lock(&devices_lock);
	bool taken = tree_overlap(&devices, device, device) != NULL;
	if (!taken)
		tree_insert(&devices, &dma_of(o)->device, device, device);
	spin_unlock(&devices_lock);
	if (taken) {
		object_discard(o);
		return ST_EXISTS;
	}
	if (!atomic_exchange(&told, true))
		log_warn("dma", "no IOMMU is used: what drives a device reaches all memory");
	return sys_publish(c, o);
}

UNCHECKED_LOCKS static status_t mapping_hold(struct dma_mapping *map, const struct cap_ref *memory,
					     uint64_t page, uint64_t pages)
{
	struct memory *m = memory_of(memory);
	status_t st = cap_ref_lock(memory);

	if (st != ST_OK)
		return st;
	if (pages == 0 || !memory_range(m, memory->badge, &page, pages))
		st = ST_BAD_ARG;
	else if (pages > 1 && m->kind != MEMORY_BLOCK)
		st = ST_UNSUPPORTED;
	else
		st = memory_hold(m, page, map->obj.quota, &map->hold);
	spin_unlock(&m->obj.lock);
	return st;
}

/* out 0: the bus address. ST_UNSUPPORTED: several pages, of memory that is not contiguous; they can
 * be mapped one by one. ST_NO_MEMORY; as from memory_pin and cap_bind. */
UNCHECKED_LOCKS status_t sys_dma_map(struct syscall *c)
{
	const struct cap_ref *by = &c->cap[0], *memory = &c->cap[1];
	struct dma *d = dma_of(by->object);
	uint64_t pages = c->arg[3], access = c->arg[4];

	if (~token_rights(memory->token) & (RIGHT_READ | RIGHT_MAP))
		return cap_refuse(memory, ST_NO_RIGHT);
	if (access == 0 || (access & ~(uint64_t)(DMA_READ | DMA_WRITE)))
		return ST_BAD_ARG;
	struct object *o = object_create(d->obj.quota, OBJECT_DMA_MAPPING);
	if (o == NULL)
		return ST_NO_MEMORY;
	struct dma_mapping *map = container_of(o, struct dma_mapping, obj);
	status_t st = mapping_hold(map, memory, c->arg[2], pages);
	if (st == ST_OK) {
		st = cap_bind(memory, &d->obj, token_gen(by->token), BIND_DMA_MEMORY, &map->bound);
		st = st == ST_BAD_STATE ? ST_BAD_CAP : st; /* the dma object died */
	}
	if (st == ST_OK)
		st = cap_ref_lock(by);
	if (st != ST_OK) {
		object_discard(o);
		return st;
	}
	c->out[0] = map->hold.pa;
	tree_insert(&d->mappings, &map->node, map->hold.pa, map->hold.pa + pages * FRAME_SIZE - 1);
	spin_unlock(&d->obj.lock);
	return ST_OK;
}

/* The mapping of just this range, found in the tree. */
static struct tree_node *mapping_find(struct dma *d, uint64_t address, uint64_t pages)
{
	uint64_t last = address + pages * FRAME_SIZE - 1;
	struct tree_node *n = tree_overlap(&d->mappings, address, address);

	while (n != NULL && (n->key != address || n->last != last))
		n = tree_overlap_next(n, address, address);
	return n;
}

/* The device does not use this mapping any more. out 0: 1 if its memory was taken back meanwhile.
 * ST_BAD_ARG: there is none of just this range. */
UNCHECKED_LOCKS status_t sys_dma_unmap(struct syscall *c)
{
	struct dma *d = dma_of(c->cap[0].object);
	struct tree_node *n = mapping_find(d, c->arg[1], c->arg[2]);

	if (n != NULL)
		tree_remove(&d->mappings, n);
	spin_unlock(&d->obj.lock);
	if (n == NULL)
		return ST_BAD_ARG;
	struct dma_mapping *map = container_of(n, struct dma_mapping, node);
	c->out[0] = LOAD(map->revoked);
	object_discard(&map->obj);
	return ST_OK;
}
