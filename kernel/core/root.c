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

#define STARTUP_PAGES (ALIGN_UP(sizeof(struct startup), FRAME_SIZE) / FRAME_SIZE)

_Static_assert(ROOT_PROGRAM + ROOT_PLACES * FRAME_SIZE < ELF_END, "there is room behind each");
_Static_assert(ROOT_STACK > ELF_END &&
		       ROOT_STACK + (ROOT_PLACES + 64) * FRAME_SIZE < ARCH_PERSONALITY,
	       "nothing is near the stack");
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

/* Copies bytes into a memory object. Nobody else knows it yet, so nothing is in transition. */
static void fill(const struct root *r, cap_t memory, uint64_t offset, const void *data, size_t size)
{
	const struct cap_ref ref = find(r, memory);
	uintptr_t from = (uintptr_t)data, end = from + size;

	spin_lock(&ref.object->lock);
	while (from < end) {
		size_t n = least(end - from, FRAME_SIZE - offset % FRAME_SIZE);
		must(memory_copy(memory_of(&ref), offset, (void *)from, n, false));
		offset += n;
		from += n;
	}
	spin_unlock(&ref.object->lock);
}

static cap_t make_memory(struct root *r, uint64_t pages, rights_t without)
{
	struct memory *m;

	must(memory_create(quota_root, pages, 0, &m));
	return give(r, &m->obj, without);
}

static cap_t make_mapped(struct root *r, vaddr_t va, uint64_t pages, unsigned access)
{
	const struct map_request request = { .va = va, .count = pages, .access = access };
	cap_t memory = make_memory(r, pages, 0);
	const struct cap_ref ref = find(r, memory);

	must(aspace_map(&r->aspace, &ref, &request));
	return memory;
}

static void load(struct root *r, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];

		r->startup.segment[i] = make_mapped(r, s->va, s->pages, s->access);
		fill(r, r->startup.segment[i], s->offset, s->data, s->size);
	}
}

/* The archive becomes memory like any other: what the boot path left is freed after this. */
static void give_archive(struct root *r)
{
	uint64_t size = boot_info.archive_size;
	cap_t all =
		make_memory(r, ALIGN_UP(size, FRAME_SIZE) / FRAME_SIZE, RIGHT_WRITE | RIGHT_SEAL);
	const struct cap_ref ref = find(r, all);

	fill(r, all, 0, arch_phys_to_virt(boot_info.archive_base), size);
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

static void make_thread(struct root *r, vaddr_t pc, vaddr_t sp, vaddr_t startup)
{
	const struct thread_config config = { .sched = find(r, r->startup.sched) };
	const struct cap_ref cspace = find(r, r->startup.cspace);
	struct thread *t;

	must(thread_create(quota_root, &r->aspace, &cspace, &t));
	r->startup.thread = give(r, &t->obj, 0);
	const struct cap_ref thread = find(r, r->startup.thread);
	must(thread_configure(&thread, &config));
	arch_thread_begin(&t->arch, pc, sp, startup);
	root_thread = t;
}

vaddr_t root_place(vaddr_t first)
{
	return first + random_u64() % ROOT_PLACES * FRAME_SIZE;
}

bool root_start(void)
{
	static struct root root;
	const vaddr_t stack = root_place(ROOT_STACK);
	const vaddr_t top = stack + STARTUP_STACK_PAGES * FRAME_SIZE;
	const vaddr_t startup = top + FRAME_SIZE; /* between them a page that is not mapped */
	struct archive_file file;
	struct elf_image image;

	if (archive_find(arch_phys_to_virt(boot_info.archive_base), boot_info.archive_size, "root",
			 &file) != ST_OK)
		return false;
	if (!elf_read(file.data, file.size, root_place(ROOT_PROGRAM), &image))
		boot_refuse("\"root\" in the boot archive is no program that can be started");

	give_own(&root);
	give_machine(&root);
	give_archive(&root);
	load(&root, &image);
	root.startup.stack = make_mapped(&root, stack, STARTUP_STACK_PAGES, MAP_READ | MAP_WRITE);
	root.startup.self = make_mapped(&root, startup, STARTUP_PAGES, MAP_READ);
	make_thread(&root, image.entry, top, startup);
	fill(&root, root.startup.self, 0, &root.startup, sizeof(root.startup));
	wipe(&root.startup, sizeof(root.startup));
	return true;
}

void root_run(void)
{
	spin_lock(&root_thread->obj.lock);
	thread_resume(root_thread);
}
