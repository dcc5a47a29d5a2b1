/* SPDX-License-Identifier: MIT */
#include <core/frame.h>
#include <core/boot.h>
#include <core/cpu.h>
#include <core/extent.h>

/* All numbers here are frame numbers unless they are called pa. */
#define LOW_END    (GIB(4) >> FRAME_SHIFT)
#define FRAMES_MAX (FRAME_LIMIT >> FRAME_SHIFT)

/* The table is mapped a region at a time: the entries of 1 GiB of addresses, in
 * pages that hold the entries of a chunk each. Where a chunk has no RAM, all
 * regions share one read-only page that says FRAME_ABSENT. So within a region
 * every entry can be read; and buddies never lie in different regions. */
#define REGION_FRAMES (1ul << FRAME_ORDER_MAX)
#define REGIONS       (FRAMES_MAX / REGION_FRAMES)
#define CHUNK_FRAMES  (FRAME_SIZE / sizeof(struct frame))
#define REGION_CHUNKS (REGION_FRAMES / CHUNK_FRAMES)

struct frame_buddies frame_buddies[FRAME_ZONES] = {
	[FRAME_LOW] = { .lock = SPINLOCK_INIT(LOCK_FRAME) },
	[FRAME_HIGH] = { .lock = SPINLOCK_INIT(LOCK_FRAME) },
};

/* Where an allocation looks first. FRAME_ANY begins high only on a machine that has
 * high frames, so that others do not look at an empty zone each time. */
static enum frame_zone first_zone[] = { [FRAME_ANY] = FRAME_LOW, [FRAME_BELOW_4G] = FRAME_LOW };
static struct {
	struct extent_list ram;    /* all RAM, loader's included */
	struct extent_list free;   /* what nothing occupies */
	struct extent_list loader; /* what frame_free_loader will free, the archive's frames too */
} boot;

static bool region_mapped[REGIONS];
static bool ready;

static struct frame *entry(uint64_t n)
{
	return (struct frame *)ARCH_FRAME_TABLE + n;
}

/* A state is written by the frame's owner or, for free ones, under the lock of
 * its zone; others read it to learn whether it is free, which then holds as long
 * as they have the lock. */
static void set_state(struct frame *f, enum frame_state state)
{
	atomic_store_explicit(&f->state, (uint8_t)state, memory_order_relaxed);
}

static enum frame_zone zone_of(uint64_t n)
{
	return n < LOW_END ? FRAME_LOW : FRAME_HIGH;
}

/* The entry of frame `n` can be read. */
static bool is_mapped(uint64_t n)
{
	return n < FRAMES_MAX && region_mapped[n / REGION_FRAMES];
}

bool frame_exists(paddr_t pa)
{
	return is_mapped(pa >> FRAME_SHIFT) && frame_of(pa)->state != FRAME_ABSENT;
}

bool frame_exists_in(paddr_t pa, uint64_t size)
{
	return extent_overlap(&boot.ram, pa >> FRAME_SHIFT, (pa + size) >> FRAME_SHIFT) > 0;
}

bool frame_ready(void)
{
	return ready;
}

/* ---- buddy lists, under the lock of the zone ---- */

static void list_push(struct frame_buddies *z, unsigned order, uint32_t n) REQUIRES(z->lock)
{
	struct frame *f = entry(n);
	uint32_t next = z->head[order];

	f->free.next = next;
	f->free.prev = 0;
	f->order = (uint8_t)order;
	set_state(f, FRAME_FREE);
	if (next != 0)
		entry(next)->free.prev = n;
	z->head[order] = n;
	z->orders |= 1u << order;
}

static void list_remove(struct frame_buddies *z, unsigned order, uint32_t n) REQUIRES(z->lock)
{
	struct frame *f = entry(n);

	*(f->free.prev != 0 ? &entry(f->free.prev)->free.next : &z->head[order]) = f->free.next;
	if (f->free.next != 0)
		entry(f->free.next)->free.prev = f->free.prev;
	if (z->head[order] == 0)
		z->orders &= ~(1u << order);
	set_state(f, FRAME_TAIL);
}

/* A block of `order` from the smallest one that has it; 0: there is none. */
static uint32_t buddy_take(struct frame_buddies *z, unsigned order) REQUIRES(z->lock)
{
	uint32_t fit = z->orders & ~0u << order;

	if (fit == 0)
		return 0;
	unsigned from = (unsigned)__builtin_ctz(fit);
	uint32_t n = z->head[from];

	list_remove(z, from, n);
	while (from > order) {
		from--;
		list_push(z, from, n + (1u << from));
	}
	z->free -= 1ull << order;
	return n;
}

/* Frees a block whose head is FRAME_TAIL by now, with every free buddy. Whatever
 * the buddy is, its entry can be read, as it lies in the same region, and says
 * FRAME_FREE only if it heads a free block. A frame in a CPU's cache does not, so
 * caches are never merged under their owner's hands. */
static void buddy_put(struct frame_buddies *z, uint32_t n, unsigned order) REQUIRES(z->lock)
{
	z->free += 1ull << order;
	while (order < FRAME_ORDER_MAX) {
		uint32_t buddy = n ^ (1u << order);
		const struct frame *f = entry(buddy);

		if (f->state != FRAME_FREE || f->order != order)
			break;
		list_remove(z, order, buddy);
		n &= ~(1u << order);
		order++;
	}
	list_push(z, order, n);
}

/* ---- the cache of single frames, one for each zone on each CPU ---- */

static void cache_set_count(struct frame_cache *cache, uint32_t count)
{
	atomic_store_explicit(&cache->count, count, memory_order_relaxed);
}

/* Fills an empty cache with a batch; false if the zone has nothing. */
static bool cache_refill(struct frame_cache *cache, struct frame_buddies *z)
{
	uint32_t count = 0;

	if (z->free == 0)
		return false;
	spin_lock(&z->lock);
	while (count < FRAME_CACHE_BATCH) {
		uint32_t n = buddy_take(z, 0);
		if (n == 0)
			break;
		entry(n)->order = 0;
		set_state(entry(n), FRAME_CACHED);
		cache->frame[count++] = n;
	}
	spin_unlock(&z->lock);
	cache_set_count(cache, count);
	return count > 0;
}

/* Gives back the `batch` frames that have been in the cache longest. Those that
 * were freed last stay: their contents are likely to be in the processor's cache. */
static void cache_give_back(struct frame_cache *cache, struct frame_buddies *z, uint32_t batch)
{
	uint32_t left = cache->count - batch;

	spin_lock(&z->lock);
	for (uint32_t i = 0; i < batch; i++) {
		set_state(entry(cache->frame[i]), FRAME_TAIL);
		buddy_put(z, cache->frame[i], 0);
	}
	spin_unlock(&z->lock);
	for (uint32_t i = 0; i < left; i++)
		cache->frame[i] = cache->frame[batch + i];
	cache_set_count(cache, left);
}

void frame_cache_drain(void)
{
	struct cpu *c = arch_this_cpu();

	for (unsigned zone = 0; zone < FRAME_ZONES; zone++)
		cache_give_back(&c->frames[zone], &frame_buddies[zone], c->frames[zone].count);
}

/* ---- allocation ---- */

/* Makes frame `n`, off every list, the head of an allocated block of the order that
 * its entry says. */
static paddr_t frame_hand_out(uint32_t n)
{
	struct frame *f = entry(n);

	atomic_store_explicit(&f->uses, 0, memory_order_relaxed);
	f->payer = 0;
	atomic_store_explicit(&f->flags, 0, memory_order_relaxed);
	set_state(f, FRAME_USED);
	return (paddr_t)n << FRAME_SHIFT;
}

/* Single frames come by way of this CPU's caches; 0: there is none. */
static uint32_t take(unsigned order, enum frame_want want)
{
	uint32_t n = 0;

	for (unsigned zone = first_zone[want] + 1; n == 0 && zone-- > FRAME_LOW;) {
		struct frame_cache *cache = &arch_this_cpu()->frames[zone];
		struct frame_buddies *z = &frame_buddies[zone];

		if (order > 0) {
			spin_lock(&z->lock);
			n = buddy_take(z, order);
			spin_unlock(&z->lock);
		} else if (cache->count > 0 || cache_refill(cache, z)) {
			cache_set_count(cache, cache->count - 1);
			n = cache->frame[cache->count];
		}
	}
	return n;
}

NOINLINE static bool alloc_slowly(unsigned order, enum frame_want want, paddr_t *out)
{
	ASSERT(order <= FRAME_ORDER_MAX);
	uint32_t n = take(order, want);
	if (n == 0 && order > 0) {
		/* What this CPU has cached may be what keeps a block from being whole. */
		frame_cache_drain();
		n = take(order, want);
	}
	if (n == 0)
		return false;
	entry(n)->order = (uint8_t)order;
	*out = frame_hand_out(n);
	return true;
}

bool frame_alloc(unsigned order, enum frame_want want, paddr_t *out)
{
	struct frame_cache *cache = &arch_this_cpu()->frames[first_zone[want]];
	uint32_t count = cache->count;

	if (UNLIKELY(arch_fail_step()))
		return false;
	if (UNLIKELY(order != 0 || count == 0))
		return alloc_slowly(order, want, out);
	cache_set_count(cache, --count);
	*out = frame_hand_out(cache->frame[count]); /* of order 0 while it is cached */
	return true;
}

NORETURN static void refuse_free(paddr_t pa, unsigned order)
{
	static const char *const what[] = {
		[FRAME_TAIL] = "inside a block", [FRAME_FREE] = "free already",
		[FRAME_CACHED] = "free already", [FRAME_USED] = "allocated",
		[FRAME_BOOT] = "taken for ever", [FRAME_ABSENT] = "not RAM",
	};

	if (!frame_exists(pa))
		panic("frame_free: 0x%lx is not RAM", pa);
	const struct frame *f = frame_of(pa);
	panic("frame_free: 0x%lx of order %u: it is %s, of order %u", pa, order, what[f->state],
	      f->order);
}

NOINLINE static void free_slowly(paddr_t pa, unsigned order)
{
	struct frame *f = frame_of(pa);
	uint32_t n = (uint32_t)(pa >> FRAME_SHIFT);
	struct frame_buddies *z = &frame_buddies[zone_of(n)];

	if (order == 0) { /* there is room afterwards */
		cache_give_back(&arch_this_cpu()->frames[zone_of(n)], z, FRAME_CACHE_BATCH);
		frame_free(pa, 0);
		return;
	}
	spin_lock(&z->lock);
	set_state(f, FRAME_TAIL);
	buddy_put(z, n, order);
	spin_unlock(&z->lock);
}

void frame_free(paddr_t pa, unsigned order)
{
	struct frame *f = frame_of(pa);
	uint64_t n = pa >> FRAME_SHIFT;

	/* Without a lock: the frame is the caller's, so nobody else changes its
	 * state, unless there is just the mistake that this looks for. */
	if (UNLIKELY(pa % FRAME_SIZE != 0 || !is_mapped(n) || f->state != FRAME_USED ||
		     f->order != order))
		refuse_free(pa, order);

	struct frame_cache *cache = &arch_this_cpu()->frames[zone_of(n)];
	uint32_t count = cache->count;
	if (UNLIKELY(order != 0 || count == FRAME_CACHE)) {
		free_slowly(pa, order);
		return;
	}
	cache->frame[count] = (uint32_t)n;
	cache_set_count(cache, count + 1);
	set_state(f, FRAME_CACHED);
}

void frame_zero(paddr_t pa, unsigned order)
{
	__builtin_memset(arch_phys_to_virt(pa), 0, FRAME_SIZE << order);
}

void frame_stats(struct frame_stats *out)
{
	*out = (struct frame_stats){ .total = extent_overlap(&boot.ram, 0, FRAMES_MAX),
				     .loader = extent_overlap(&boot.loader, 0, FRAMES_MAX) };
	for (unsigned zone = 0; zone < FRAME_ZONES; zone++) {
		struct frame_buddies *z = &frame_buddies[zone];

		spin_lock(&z->lock);
		out->free += z->free;
		spin_unlock(&z->lock);
		for (cpumask_t left = cpu_online_mask() | 1; left != 0; left &= left - 1)
			out->free += cpu_by_id[__builtin_ctzll(left)]->frames[zone].count;
	}
}

/* ---- boot: from the memory map to the table and the lists ---- */

/* Whole frames of the ranges of two kinds; ranges that touch count as one. */
static void collect(struct extent_list *l, uint32_t kind, uint32_t or_kind)
{
	for (uint32_t i = 0; i < boot_info.range_count; i++) {
		const struct boot_range *r = &boot_info.range[i];
		if (r->kind == kind || r->kind == or_kind)
			extent_append(l, r->base, r->base + r->size);
	}
	extent_scale_down(l, FRAME_SIZE);
	extent_cut(l, FRAMES_MAX, UINT64_MAX);
}

/* Takes out every frame that has some of an image. */
static void cut_image(struct extent_list *l, paddr_t base, uint64_t size)
{
	extent_cut(l, base / FRAME_SIZE, ALIGN_UP(base + size, FRAME_SIZE) / FRAME_SIZE);
}

/* Frame 0 is never handed out: number 0 ends lists, and no object has id 0. */
static void cut_occupied(struct extent_list *l)
{
	extent_cut(l, 0, 1);
	cut_image(l, boot_info.kernel_base, boot_info.kernel_size);
	cut_image(l, boot_info.archive_base, boot_info.archive_size);
}

/* At the first need, which is a page table before frame_init. */
static void read_map(void)
{
	if (boot.ram.count > 0)
		return;
	collect(&boot.ram, BOOT_RAM, BOOT_LOADER);
	collect(&boot.free, BOOT_RAM, BOOT_RAM);
	collect(&boot.loader, BOOT_LOADER, BOOT_LOADER);
	cut_occupied(&boot.free);
	cut_occupied(&boot.loader);
	/* What the archive shares with something else stays. */
	extent_append(&boot.loader, ALIGN_UP(boot_info.archive_base, FRAME_SIZE) / FRAME_SIZE,
		      (boot_info.archive_base + boot_info.archive_size) / FRAME_SIZE);
	extent_cut(&boot.loader, 0, 1);
}

bool frame_take_boot(paddr_t below, paddr_t *out)
{
	uint64_t n;

	ASSERT(!ready);
	read_map();
	if (!extent_take(&boot.free, below >> FRAME_SHIFT, &n))
		return false;
	*out = n << FRAME_SHIFT;
	frame_zero(*out, 0);
	return true;
}

paddr_t frame_alloc_boot(void)
{
	paddr_t pa;

	if (!frame_take_boot(GIB(4), &pa))
		boot_refuse("too little memory: no free frame below 4 GiB");
	return pa;
}

static void map_chunk(uint64_t chunk, paddr_t pa, unsigned access)
{
	vaddr_t va = (vaddr_t)entry(chunk * CHUNK_FRAMES);

	if (arch_kernel_map(va, pa, FRAME_SIZE, access) != ST_OK)
		boot_refuse("too little memory to map the frame table");
}

static void set_states(uint64_t n, uint64_t end, enum frame_state state)
{
	for (; n < end; n++)
		set_state(entry(n), state);
}

/* Corrects the entries, zeros which say FRAME_BOOT, of one chunk that is not RAM throughout. */
static void mark_absent(uint64_t chunk)
{
	uint64_t first = chunk * CHUNK_FRAMES, end = first + CHUNK_FRAMES;

	set_states(first, end, FRAME_ABSENT);
	for (uint32_t i = 0; i < boot.ram.count; i++) {
		const struct extent *e = &boot.ram.at[i];
		set_states(most(e->base, first), least(e->end, end), FRAME_BOOT);
	}
}

static void map_region(uint64_t region, paddr_t absent)
{
	uint64_t chunk = region * REGION_CHUNKS, end = chunk + REGION_CHUNKS;
	paddr_t pa;

	for (; chunk < end; chunk++) {
		uint64_t ram =
			extent_overlap(&boot.ram, chunk * CHUNK_FRAMES, (chunk + 1) * CHUNK_FRAMES);

		if (ram == 0) {
			map_chunk(chunk, absent, 0);
			continue;
		}
		if (!frame_take_boot(FRAME_LIMIT, &pa))
			boot_refuse("too little memory for the frame table");
		map_chunk(chunk, pa, ARCH_WRITE);
		if (ram < CHUNK_FRAMES)
			mark_absent(chunk);
	}
	region_mapped[region] = true;
}

static void map_regions(void)
{
	uint64_t next = 0;
	paddr_t absent;

	if (!frame_take_boot(FRAME_LIMIT, &absent))
		boot_refuse("no memory");
	struct frame *f = arch_phys_to_virt(absent);
	for (unsigned i = 0; i < CHUNK_FRAMES; i++)
		set_state(&f[i], FRAME_ABSENT);

	for (uint32_t i = 0; i < boot.ram.count; i++) {
		const struct extent *e = &boot.ram.at[i];

		for (next = most(next, e->base / REGION_FRAMES); next * REGION_FRAMES < e->end;
		     next++)
			map_region(next, absent);
	}
}

/* Frees what nobody has any more, in the largest blocks that its alignment allows. */
static void free_taken(struct extent_list *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		uint64_t n = l->at[i].base, end = l->at[i].end;

		set_states(n, end, FRAME_TAIL);
		while (n < end) {
			struct frame_buddies *z = &frame_buddies[zone_of(n)];
			unsigned order =
				(unsigned)least((unsigned)__builtin_ctzll(n), FRAME_ORDER_MAX);

			while (n + (1ull << order) > end)
				order--;
			spin_lock(&z->lock);
			buddy_put(z, (uint32_t)n, order);
			spin_unlock(&z->lock);
			n += 1ull << order;
		}
	}
	l->count = 0;
}

void frame_init(void)
{
	read_map();
	map_regions();
	free_taken(&boot.free);
	if (extent_overlap(&boot.ram, LOW_END, FRAMES_MAX) > 0)
		first_zone[FRAME_ANY] = FRAME_HIGH;
	ready = true;
}

void frame_free_loader(void)
{
	free_taken(&boot.loader);
}
