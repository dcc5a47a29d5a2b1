/* SPDX-License-Identifier: MIT */
#include <core/root.h>
#include <abi/startup.h>
#include <core/archive.h>
#include <core/aspace.h>
#include <core/boot.h>
#include <core/elf.h>
#include <core/random.h>
#include <core/sched.h>
#include <core/sys_cap.h>
#include <core/wipe.h>

/* The stack and the structure lie this many pages, by chance, below the end of the
 * addresses for programs. */
#define PLACES        (1u << 22)
#define STARTUP_PAGES (ALIGN_UP(sizeof(struct startup), FRAME_SIZE) / FRAME_SIZE)

_Static_assert(STARTUP_SEGMENTS == ELF_SEGMENTS, "each has a capability");
_Static_assert(STARTUP_CMDLINE == BOOT_CMDLINE, "copied whole");

static struct thread *root_thread;

/* The program in the making. */
struct root {
	struct cspace *cs;
	struct cap_ref aspace;
	struct startup startup;
};

static void must(status_t st)
{
	if (st != ST_OK)
		boot_refuse("there is no room for the first program (%d)", st);
}

static struct cap_ref find(const struct root *r, cap_t handle)
{
	struct cap_ref ref;

	must(cap_find(r->cs, handle, OBJ_ANY, 0, &ref));
	return ref;
}

/* Makes the new object `o` live, with its first capability, with every right but some, in the
 * program's space. */
static cap_t give(struct root *r, struct object *o, rights_t without)
{
	cap_t handle = CAP_NONE;

	must(o == NULL ? ST_NO_MEMORY
		       : cap_insert(r->cs, o, type_rights[o->type] & ~without, 0, &handle));
	return handle;
}

/* ---- memory ---- */

/* Copies bytes into the memory that `ref` names. Nobody else knows it yet, so nothing is in
 * transition. */
static void fill(const struct cap_ref *ref, uint64_t offset, const void *data, size_t size)
{
	uintptr_t from = (uintptr_t)data;

	while (size > 0) {
		size_t n = FRAME_SIZE - offset % FRAME_SIZE;
		if (n > size)
			n = size;
		spin_lock(&ref->object->lock);
		must(memory_copy(memory_of(ref), offset, (void *)from, n, false));
		spin_unlock(&ref->object->lock);
		offset += n;
		from += n;
		size -= n;
	}
}

static cap_t make_memory(struct root *r, uint64_t pages, rights_t without)
{
	struct memory *m;

	must(memory_create(quota_root, pages, 0, &m));
	return give(r, &m->obj, without);
}

static void map(struct root *r, cap_t memory, vaddr_t va, uint64_t pages, unsigned access)
{
	const struct cap_ref ref = find(r, memory);
	const struct map_request request = { .va = va, .count = pages, .access = access };

	must(aspace_map(&r->aspace, &ref, &request));
}

static void load(struct root *r, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];
		cap_t memory = make_memory(r, s->pages, 0);
		const struct cap_ref ref = find(r, memory);

		fill(&ref, s->offset, s->data, s->size);
		map(r, memory, s->va, s->pages, s->access);
		r->startup.segment[i] = memory;
	}
}

/* The archive becomes memory like any other: what the boot path left is freed after this. */
static void give_archive(struct root *r)
{
	uint64_t size = boot_info.archive_size;
	cap_t all =
		make_memory(r, ALIGN_UP(size, FRAME_SIZE) / FRAME_SIZE, RIGHT_WRITE | RIGHT_SEAL);
	const struct cap_ref ref = find(r, all);

	fill(&ref, 0, arch_phys_to_virt(boot_info.archive_base), size);
	spin_lock(&ref.object->lock);
	must(memory_seal(container_of(ref.object, struct memory, obj)));
	spin_unlock(&ref.object->lock);
	r->startup.archive = all;
	r->startup.archive_size = size;
}

/* ---- capabilities and facts ---- */

static void give_machine(struct root *r)
{
	struct startup *s = &r->startup;
	struct memory *device;

	s->node = give(r, object_create(quota_root, OBJ_NODE), RIGHT_DESTROY);
	must(memory_create_device(quota_root, 0, arch_physical_end() / FRAME_SIZE, &device));
	s->device = give(r, &device->obj, RIGHT_DESTROY | RIGHT_EXEC | RIGHT_SEAL);
	if (ARCH_PORTS > 0)
		s->ports = give(r, object_create(quota_root, OBJ_IOPORT), RIGHT_DESTROY);
	s->acpi_rsdp = boot_info.acpi_rsdp;
	s->cpus = cpu_count();
}

static void give_own(struct root *r)
{
	struct startup *s = &r->startup;
	struct aspace *as;

	must(cspace_create(quota_root, &r->cs));
	s->cspace = give(r, &r->cs->obj, 0);
	must(aspace_create(quota_root, ASPACE_PLAIN, NULL, &as));
	s->aspace = give(r, &as->obj, 0);
	r->aspace = find(r, s->aspace);
	s->quota = give(r, &quota_root->obj, RIGHT_DESTROY);
	s->sched = give(r, &sched_root->obj, RIGHT_DESTROY);
	s->magic = STARTUP_MAGIC;
	s->version = STARTUP_VERSION;
	arch_clock_scale(&s->clock.base, &s->clock.ratio);
	random_bytes(s->seed, sizeof(s->seed));
	__builtin_memcpy(s->cmdline, boot_info.cmdline, sizeof(s->cmdline));
}

/* ---- the thread ---- */

static void make_thread(struct root *r, vaddr_t pc, vaddr_t startup)
{
	const struct thread_config config = { .sched = find(r, r->startup.sched) };
	const struct cap_ref cspace = find(r, r->startup.cspace);
	struct thread *t;

	must(thread_create(quota_root, &r->aspace, &cspace, 0, &t));
	r->startup.thread = give(r, &t->obj, 0);
	const struct cap_ref thread = find(r, r->startup.thread);
	must(thread_configure(&thread, &config));
	/* The stack ends where the structure begins. */
	arch_thread_begin(&t->arch, pc, startup, startup);
	root_thread = t;
}

/* Places stack and structure; gives the address of the structure. */
static vaddr_t place_stack(struct root *r)
{
	const vaddr_t end = ARCH_PERSONALITY - (random_u64() % PLACES + 1) * FRAME_SIZE;
	const vaddr_t startup = end - STARTUP_PAGES * FRAME_SIZE;
	const vaddr_t stack = startup - STARTUP_STACK_PAGES * FRAME_SIZE;

	r->startup.stack = make_memory(r, STARTUP_STACK_PAGES, 0);
	map(r, r->startup.stack, stack, STARTUP_STACK_PAGES, MAP_READ | MAP_WRITE);
	r->startup.self = make_memory(r, STARTUP_PAGES, 0);
	map(r, r->startup.self, startup, STARTUP_PAGES, MAP_READ);
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
	load(&root, &image);
	make_thread(&root, image.entry, place_stack(&root));
	const struct cap_ref self = find(&root, root.startup.self);
	fill(&self, 0, &root.startup, sizeof(root.startup));
	wipe(&root.startup, sizeof(root.startup));
	return true;
}

void root_run(void)
{
	spin_lock(&root_thread->obj.lock);
	thread_resume(root_thread);
}
