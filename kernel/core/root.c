/* SPDX-License-Identifier: MIT */
#include <core/root.h>
#include <abi/startup.h>
#include <core/archive.h>
#include <core/aspace.h>
#include <core/assert.h>
#include <core/boot.h>
#include <core/cpu.h>
#include <core/cspace.h>
#include <core/elf.h>
#include <core/ioport.h>
#include <core/log.h>
#include <core/memory.h>
#include <core/node.h>
#include <core/panic.h>
#include <core/quota.h>
#include <core/random.h>
#include <core/sched.h>
#include <core/thread.h>
#include <core/wipe.h>

#define RIGHTS_KEEP (RIGHT_COPY | RIGHT_SEND | RIGHT_REVOKE)
#define RIGHTS_ALL  (RIGHTS_KEEP | RIGHT_DESTROY)

#define RIGHTS_QUOTA  (RIGHT_CREATE | RIGHT_MANAGE | RIGHT_READ)
#define RIGHTS_MEMORY (RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC | RIGHT_MAP | RIGHT_SEAL)
#define RIGHTS_NODE                                                                                \
	(RIGHT_LOG | RIGHT_COUNTERS | RIGHT_ENTROPY | RIGHT_POWER | RIGHT_IRQ | RIGHT_DMA)

/* The stack and the structure lie this many pages, by chance, below the end of the
 * addresses for programs. */
#define PLACES (1u << 22)

_Static_assert(STARTUP_SEGMENTS == ELF_SEGMENTS, "each has a capability");

static struct thread *root_thread;

/* The program in the making. */
struct root {
	struct cspace *cs;
	struct cap_ref cspace, aspace;
	struct startup startup;
};

static void must(status_t st, const char *what)
{
	if (st != ST_OK)
		boot_refuse("the first program has no room for %s", what);
}

/* Makes the new object `o` live, with its first capability in the program's space. */
static cap_t give(struct root *r, struct object *o, rights_t rights, const char *what)
{
	cap_t handle;

	must(cap_insert(r->cs, o, rights, 0, &handle), what);
	return handle;
}

static struct cap_ref find(const struct root *r, cap_t handle)
{
	struct cap_ref ref;

	if (cap_find(r->cs, handle, OBJ_ANY, 0, &ref) != ST_OK)
		panic("a capability of the first program is gone");
	return ref;
}

/* ---- memory ---- */

/* Copies bytes into the memory that `ref` names. Nobody else knows it yet, so nothing is in
 * transition. */
static void fill(const struct cap_ref *ref, uint64_t offset, const void *data, size_t size)
{
	struct memory *m = container_of(ref->object, struct memory, obj);
	uintptr_t from = (uintptr_t)data;

	while (size > 0) {
		size_t n = FRAME_SIZE - offset % FRAME_SIZE;
		if (n > size)
			n = size;
		const struct memory_bytes b = { offset, (void *)from, n };
		spin_lock(&m->obj.lock);
		status_t st = memory_copy_in(ref, &b);
		spin_unlock(&m->obj.lock);
		must(st, "its memory");
		offset += n;
		from += n;
		size -= n;
	}
}

static cap_t make_memory(struct root *r, uint64_t pages, rights_t rights)
{
	struct memory *m;

	must(memory_create(quota_root, pages, MEMORY_ANON, false, &m), "its memory");
	return give(r, &m->obj, rights, "its memory");
}

static void map(struct root *r, cap_t memory, vaddr_t va, uint64_t pages, unsigned access)
{
	const struct cap_ref ref = find(r, memory);
	const struct map_request request = { .va = va, .count = pages, .access = access };

	must(aspace_map(&r->aspace, &ref, &request), "its mappings");
}

static void load(struct root *r, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];
		cap_t memory = make_memory(r, s->pages, RIGHTS_ALL | RIGHTS_MEMORY);
		const struct cap_ref ref = find(r, memory);

		fill(&ref, s->offset, s->data, s->size);
		map(r, memory, s->va, s->pages, s->access);
		r->startup.segment[i] = memory;
	}
}

/* The archive becomes memory like any other: what the boot path left is freed after this. */
static void give_archive(struct root *r)
{
	const void *archive = arch_phys_to_virt(boot_info.archive_base);
	uint64_t size = boot_info.archive_size;
	struct memory *m;

	must(memory_create(quota_root, ALIGN_UP(size, FRAME_SIZE) / FRAME_SIZE, MEMORY_ANON, false,
			   &m),
	     "the boot archive");
	r->startup.archive = give(r, &m->obj, RIGHTS_ALL | RIGHT_READ | RIGHT_MAP | RIGHT_EXEC,
				  "the boot archive");
	r->startup.archive_size = size;
	const struct cap_ref ref = find(r, r->startup.archive);
	fill(&ref, 0, archive, size);
	spin_lock(&m->obj.lock);
	status_t st = memory_seal(m);
	spin_unlock(&m->obj.lock);
	must(st, "the boot archive");
}

/* ---- capabilities ---- */

static void give_machine(struct root *r)
{
	struct startup *s = &r->startup;
	struct memory *device;
	struct ioport *ports;
	struct node *node;

	must(node_create(quota_root, &node), "the node");
	s->node = give(r, &node->obj, RIGHTS_KEEP | RIGHTS_NODE, "the node");
	must(memory_create_device(quota_root, 0, arch_physical_end() / FRAME_SIZE, &device),
	     "devices");
	s->device = give(r, &device->obj, RIGHTS_KEEP | RIGHT_READ | RIGHT_WRITE | RIGHT_MAP,
			 "devices");
	if (ARCH_PORTS == 0)
		return;
	must(ioport_create(quota_root, &ports), "I/O ports");
	s->ports = give(r, &ports->obj, RIGHTS_KEEP | RIGHT_READ | RIGHT_WRITE, "I/O ports");
}

static void give_own(struct root *r)
{
	struct startup *s = &r->startup;
	struct aspace *as;

	must(cspace_create(quota_root, &r->cs), "its capabilities");
	s->cspace = give(r, &r->cs->obj, RIGHTS_ALL | RIGHT_MANAGE, "its capabilities");
	r->cspace = find(r, s->cspace);
	must(aspace_create(quota_root, ASPACE_PLAIN, NULL, &as), "its addresses");
	s->aspace = give(r, &as->obj, RIGHTS_ALL | RIGHT_MANAGE, "its addresses");
	r->aspace = find(r, s->aspace);
	s->quota = give(r, &quota_root->obj, RIGHTS_KEEP | RIGHTS_QUOTA, "its quota");
	s->sched = give(r, &sched_root->obj, RIGHTS_KEEP | RIGHT_CONFIGURE | RIGHT_RUN,
			"its share of the CPUs");
}

static void give_facts(struct startup *s)
{
	s->magic = STARTUP_MAGIC;
	s->version = STARTUP_VERSION;
	s->cpus = cpu_count();
	arch_clock_scale(&s->clock.base, &s->clock.ratio);
	s->acpi_rsdp = boot_info.acpi_rsdp;
	random_bytes(s->seed, sizeof(s->seed));
	__builtin_memcpy(s->cmdline, boot_info.cmdline, sizeof(s->cmdline));
}

_Static_assert(STARTUP_CMDLINE == BOOT_CMDLINE, "copied whole");

/* ---- the thread ---- */

static void make_thread(struct root *r, vaddr_t pc, vaddr_t startup)
{
	struct thread_config config = { 0 };
	struct thread *t;

	must(thread_create(quota_root, &r->aspace, &r->cspace, 0, &t), "its thread");
	r->startup.thread =
		give(r, &t->obj, RIGHTS_ALL | RIGHT_CONTROL | RIGHT_UNPARK, "its thread");
	const struct cap_ref thread = find(r, r->startup.thread);
	config.sched = find(r, r->startup.sched);
	must(thread_configure(&thread, &config), "its thread");
	/* The stack ends where the structure begins. */
	arch_thread_begin(&t->arch, pc, startup, startup);

	const struct cap_ref self = find(r, r->startup.self);
	fill(&self, 0, &r->startup, sizeof(r->startup));
	root_thread = t;
}

/* Places stack and structure; gives the address of the structure. */
static vaddr_t place_stack(struct root *r)
{
	const uint64_t pages = ALIGN_UP(sizeof(struct startup), FRAME_SIZE) / FRAME_SIZE;
	const vaddr_t end = ARCH_PERSONALITY - (random_u64() % PLACES + 1) * FRAME_SIZE;
	const vaddr_t startup = end - pages * FRAME_SIZE;
	const vaddr_t stack = startup - STARTUP_STACK_PAGES * FRAME_SIZE;

	r->startup.stack = make_memory(r, STARTUP_STACK_PAGES, RIGHTS_ALL | RIGHTS_MEMORY);
	map(r, r->startup.stack, stack, STARTUP_STACK_PAGES, MAP_READ | MAP_WRITE);
	r->startup.self = make_memory(r, pages, RIGHTS_ALL | RIGHTS_MEMORY);
	map(r, r->startup.self, startup, pages, MAP_READ);
	return startup;
}

bool root_start(void)
{
	static struct root root;
	const struct elf_limits limits = { ARCH_ELF_MACHINE, ASPACE_FIRST,
					   ARCH_PERSONALITY - (PLACES + 64ull) * FRAME_SIZE };
	struct archive_file file;
	struct elf_image image;
	const char *why;

	if (archive_find(arch_phys_to_virt(boot_info.archive_base), boot_info.archive_size, "root",
			 &file) != ST_OK)
		return false;
	if (elf_read(file.data, file.size, &limits, &image, &why) != ST_OK)
		boot_refuse("the first program, \"root\" in the boot archive: %s", why);

	give_own(&root);
	give_machine(&root);
	give_archive(&root);
	give_facts(&root.startup);
	load(&root, &image);
	make_thread(&root, image.entry, place_stack(&root));
	wipe(&root.startup, sizeof(root.startup));
	return true;
}

void root_run(void)
{
	spin_lock(&root_thread->obj.lock);
	thread_resume(root_thread);
}
