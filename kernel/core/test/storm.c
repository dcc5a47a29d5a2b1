/* SPDX-License-Identifier: MIT */
#include "storm.h"
#include "play.h"
#include "vm.h"
#include <core/assert.h>
#include <core/guest.h>
#include <core/ipc_fast.h>
#include <core/random.h>
#include <core/user.h>
#include <string.h>

#define THREADS     4
#define LIMIT       MIB(2)
#define BASE        0x120000000ull /* where the process's pages are */
#define PAGES       8
#define OBJECTS     2048 /* looked at at once */
#define CHECK_EVERY 64   /* calls */
#define IDLE_ROUNDS 4    /* without anybody who runs, before somebody is made to */

uint64_t storm_calls[64], storm_passed[64];

/* The table once more. */
struct need {
	uint8_t type;
	bool optional;
};

#define C(type, right) { OBJ_##type, false },
#define O(type, right) { OBJ_##type, true },
static const struct need needs[64][SYSCALL_CAPS] = {
#define SYSCALL(nr, name, mode, list) [nr] = { list },
#include <abi/syscall.def>
#undef SYSCALL
};
#undef C
#undef O

/* What the arguments are that stand behind the capabilities: h handle, r rights, v address, n small
 * number, o 0 or 1, p bytes in pages, b buffer, m sizes of a message, c call number, a bus address,
 * t time, w priority and weight, u budget, x anything. */
static const char *const hints[64] = {
	[SYS_cap_copy] = "__hrx",
	[SYS_cap_move] = "__h",
	[SYS_cap_drop] = "_h",
	[SYS_cap_revoke] = "_h",
	[SYS_cap_inspect] = "_h",
	[SYS_quota_create] = "_pp",
	[SYS_quota_resize] = "_pp",
	[SYS_memory_create] = "_nn",
	[SYS_memory_commit] = "_nn",
	[SYS_memory_decommit] = "_nn",
	[SYS_memory_read] = "_pbn",
	[SYS_memory_write] = "_pbn",
	[SYS_memory_share] = "__nnno",
	[SYS_aspace_create] = "__n",
	[SYS_aspace_map] = "__vnnn",
	[SYS_aspace_unmap] = "_vn",
	[SYS_aspace_protect] = "_vnn",
	[SYS_aspace_scan] = "_vnb",
	[SYS_thread_configure] = "_____p",
	[SYS_thread_write_registers] = "_b",
	[SYS_thread_read_registers] = "_b",
	[SYS_thread_park] = "_t",
	[SYS_endpoint_call] = "_mt",
	[SYS_endpoint_receive] = "_t",
	[SYS_endpoint_reply] = "_m",
	[SYS_endpoint_reply_receive] = "_mt",
	[SYS_reply_send] = "_mc",
	[SYS_notification_wait] = "_t",
	[SYS_timer_arm] = "_tt",
	[SYS_sched_configure] = "_wuuo",
	[SYS_irq_create] = "__nn",
	[SYS_dma_create] = "__n",
	[SYS_dma_map] = "__nnn",
	[SYS_dma_unmap] = "_an",
	[SYS_ioport_read] = "_nn",
	[SYS_ioport_write] = "_nn",
	[SYS_node_log] = "_nbn",
	[SYS_node_counters] = "_nbn",
	[SYS_node_entropy] = "_bn",
};

/* ---- bytes ---- */

static const uint8_t *at, *end;

static uint8_t byte(void)
{
	return at < end ? *at++ : 0;
}

static uint64_t word(void)
{
	uint64_t w = 0;

	for (unsigned i = 0; i < 8; i++)
		w = w << 8 | byte();
	return w;
}

/* ---- the process ---- */

static struct quota *quota;
static uint64_t used_before; /* of the root quota */
static uint64_t last_number; /* of a call that was saved */
static uint64_t last_bus;    /* address that memory was mapped at for a device */

static struct cap_ref ref(struct cspace *cs, cap_t handle)
{
	struct cap_ref r;

	ASSERT(cap_find(cs, handle, OBJ_ANY, 0, &r) == ST_OK);
	return r;
}

static cap_t keep(struct cspace *cs, struct object *o, rights_t rights)
{
	cap_t handle;

	ASSERT(cap_insert(cs, o, rights, 0, &handle) == ST_OK);
	return handle;
}

static void add_thread(struct cspace *cs, cap_t space, cap_t aspace, struct thread_config *c)
{
	const struct cap_ref as = ref(cs, aspace), own = ref(cs, space);
	struct thread *t;

	ASSERT(thread_create(quota, &as, &own, &t) == ST_OK);
	const struct cap_ref thread = ref(cs, keep(cs, &t->obj, RIGHTS_ALL));
	ASSERT(thread_configure(&thread, c) == ST_OK);
	c->block_offset += MSG_BLOCK_ALIGN;
	spin_lock(&t->obj.lock);
	thread_resume(t);
}

/* Some in a space of addresses as it is, and one that serves a guest. */
static void add_threads(struct cspace *cs, cap_t space, cap_t aspace, cap_t memory)
{
	struct thread_config config = { .block = ref(cs, memory) };
	struct aspace *half, *guest;
	struct sched *s;

	ASSERT(sched_create(quota, sched_root, &s) == ST_OK);
	cap_t sched = keep(cs, &s->obj, RIGHTS_ALL);
	config.sched = ref(cs, sched);
	for (unsigned i = 0; i < THREADS; i++)
		add_thread(cs, space, aspace, &config);
	ASSERT(aspace_create(quota, ASPACE_PERSONALITY, NULL, &half) == ST_OK);
	cap_t personality = keep(cs, &half->obj, RIGHTS_ALL);
	const struct cap_ref serves = ref(cs, personality);
	ASSERT(aspace_create(quota, ASPACE_GUEST, &serves, &guest) == ST_OK);
	cap_t served = keep(cs, &guest->obj, RIGHTS_ALL);
	config.guest = ref(cs, served);
	config.state = ref(cs, memory);
	config.state_page = PAGES - 1;
	config.serves = true;
	add_thread(cs, space, personality, &config);
}

static void begin(void)
{
	const struct map_request map = {
		.va = BASE,
		.count = PAGES,
		.access = MAP_READ | MAP_WRITE,
	};
	struct cspace *cs;
	struct aspace *as;
	struct memory *m;
	struct object *node, *ports;

	quota = test_quota(quota_root, LIMIT, 0);
	ASSERT(cspace_create(quota, &cs) == ST_OK);
	ASSERT(aspace_create(quota, ASPACE_PLAIN, NULL, &as) == ST_OK);
	ASSERT(memory_create(quota, PAGES, 0, &m) == ST_OK);
	ASSERT((node = object_create(quota, OBJ_NODE)) != NULL);
	ASSERT((ports = object_create(quota, OBJ_IOPORT)) != NULL);
	cap_t space = keep(cs, &cs->obj, RIGHTS_ALL), aspace = keep(cs, &as->obj, RIGHTS_ALL);
	cap_t memory = keep(cs, &m->obj, RIGHTS_ALL);
	keep(cs, &quota->obj, RIGHTS_ALL);
	keep(cs, node, (rights_t)~RIGHT_POWER);
	keep(cs, ports, RIGHTS_ALL);
	const struct cap_ref to = ref(cs, aspace), what = ref(cs, memory);
	ASSERT(aspace_map(&to, &what, &map) == ST_OK);
	add_threads(cs, space, aspace, memory);
}

/* ---- what is there ---- */

static struct object *found[OBJECTS];
static unsigned founds;

static void note(struct object *o, void *arg)
{
	(void)arg;
	if (founds < OBJECTS && (o->flags & OBJECT_LIVE))
		found[founds++] = o;
}

/* All live objects of the kind that `q` pays for. */
static void look_for(struct quota *q, unsigned kind)
{
	founds = 0;
	if (object_ops[kind] != NULL)
		slab_visit(&q->slab[kind], note, NULL);
}

/* ---- what must hold ---- */

static uint64_t space_frames(const struct cspace *cs)
{
	uint64_t frames = cs->slots / CSPACE_CHUNK;

	for (unsigned i = 0; i < ARRAY_LEN(cs->directory); i++)
		frames += cs->directory[i] != NULL;
	return frames;
}

UNCHECKED_LOCKS static bool object_ok(struct object *o, uint64_t *frames)
{
	bool ok = cap_tree_ok(o);

	switch (o->type) {
	case OBJ_CSPACE:
		*frames += space_frames(container_of(o, struct cspace, obj));
		return ok && cspace_ok(container_of(o, struct cspace, obj));
	case OBJ_ENDPOINT:
		return ok && endpoint_ok(container_of(o, struct endpoint, obj));
	case OBJ_NOTIFICATION:
		return ok && notification_ok(container_of(o, struct notification, obj));
	case OBJ_MEMORY:
		if (container_of(o, struct memory, obj)->kind !=
		    MEMORY_BLOCK) /* see vm_payer_frames */
			*frames += vm_memory_frames(container_of(o, struct memory, obj));
		spin_lock(&o->lock);
		ok = ok && memory_ok(container_of(o, struct memory, obj));
		spin_unlock(&o->lock);
		return ok;
	case OBJ_DMA:
		*frames += vm_dma_frames(o);
		return ok;
	case OBJ_ASPACE:
		*frames += vm_table_frames(container_of(o, struct aspace, obj));
		spin_lock(&o->lock);
		ok = ok && aspace_ok(container_of(o, struct aspace, obj));
		spin_unlock(&o->lock);
		return ok;
	default:
		return ok;
	}
}

/* NULL if all is in order below `q`; `still`: nothing is being destroyed, so its books can be
 * looked at. */
static const char *check(struct quota *q, bool still)
{
	uint64_t frames = 0;

	for (unsigned kind = OBJ_QUOTA; kind < OBJ_TYPES; kind++) {
		look_for(q, kind);
		for (unsigned i = 0; i < founds; i++) {
			if (!object_ok(found[i], &frames))
				return object_ops[kind]->name;
		}
	}
	if (still && !quota_ok(q, frames + vm_payer_frames(q)))
		return "books";
	look_for(q, OBJ_QUOTA);
	struct object *child = founds == 0 ? NULL : found[byte() % founds];
	return child == NULL ? NULL : check(container_of(child, struct quota, obj), still);
}

/* ---- arguments ---- */

/* Any capability, of the type if there is one. */
static cap_t any_capability(const struct cspace *cs, unsigned type)
{
	uint32_t from = byte();
	from = from < 128 ? 1 : from; /* so that they meet */
	cap_t last = CAP_NONE;

	for (uint32_t i = 0; i < cs->slots; i++) {
		uint32_t index = (from + i) % cs->slots;
		const struct cap_slot *slot = index == 0 ? NULL : cspace_slot(cs, index);
		uint64_t token = slot == NULL ? 0 : slot->token;

		if (token == 0)
			continue;
		last = (uint64_t)slot->gen << 32 | index;
		if (type == OBJ_ANY || object_at(token_object(token))->type == type)
			return last;
	}
	return last;
}

/* The thread's own. */
static cap_t own_capability(const struct thread *t, const struct cspace *cs)
{
	for (uint32_t i = 1; i < cs->slots; i++) {
		const struct cap_slot *slot = cspace_slot(cs, i);
		if (token_object(slot->token) == object_id(&t->obj))
			return (uint64_t)slot->gen << 32 | i;
	}
	return CAP_NONE;
}

static uint64_t any_number(void)
{
	static const uint64_t numbers[] = {
		0,
		1,
		2,
		3,
		4,
		5,
		7,
		8,
		16,
		63,
		64,
		65,
		511,
		512,
		513,
		1024,
		4095,
		4096,
		4097,
		65536,
		1 << 20,
		1ull << 31,
		1ull << 32,
		1ull << 34,
		1ull << 47,
		1ull << 62,
		1ull << 63,
		ARCH_USER_END,
		ARCH_PERSONALITY,
		UINT64_MAX - 4095,
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	unsigned kind = byte();

	switch (kind & 7) {
	case 0:
	case 1:
		return numbers[kind >> 3];
	case 2:
		return BASE + (kind >> 3) * 1024 + byte();
	case 3:
		return time_now() + (uint64_t)(kind >> 3) * 1000;
	case 4:
		return MSG_INFO(kind, byte() * 3u, kind >> 3 & 7);
	case 5:
		return (kind >> 3) * FRAME_SIZE;
	case 6:
		return word();
	default:
		return kind >> 3;
	}
}

static uint64_t hinted(const struct cspace *cs, char hint)
{
	uint8_t n = byte();

	switch (hint) {
	case 'h':
		return any_capability(cs, OBJ_ANY);
	case 'r':
		return n & 1 ? RIGHTS_ALL : word();
	case 'v':
		return BASE + n % (4 * PAGES) * FRAME_SIZE;
	case 'n':
		return n & 7;
	case 'b':
		return BASE + n * 64;
	case 'p':
		return (n >> 4) * FRAME_SIZE + (n & 3) * MSG_BLOCK_ALIGN;
	case 'm':
		return MSG_INFO(n, n, n & 3);
	case 't':
		return n < 64 ? 0 : n < 192 ? time_now() + n * 100000 : TIMER_NEVER;
	case 'c':
		return last_number;
	case 'a':
		return last_bus;
	case 'o':
		return n & 1;
	case 'w':
		return n | (uint64_t)SCHED_WEIGHT_DEFAULT << 32;
	case 'u':
		return n & 1 ? 0 : n * SCHED_BUDGET_MIN_NS * 16;
	default:
		return any_number();
	}
}

static uint64_t any_argument(const struct thread *t, const struct cspace *cs, unsigned number,
			     unsigned i)
{
	const struct need *need = i < SYSCALL_CAPS ? &needs[number][i] : NULL;
	const char *hint = hints[number];
	unsigned kind = byte() & 31;

	if (need == NULL || need->type == OBJ_NONE) {
		if (kind < 4)
			return any_capability(cs, OBJ_ANY);
		if (kind > 10 && hint != NULL && i < strlen(hint))
			return hinted(cs, hint[i]);
		return any_number();
	}
	if (kind == 0)
		return any_number();
	if (kind == 1)
		return any_capability(cs, OBJ_ANY) + (1ull << 32);
	if (kind == 2 || (need->optional && kind < 16))
		return CAP_NONE;
	if (kind == 3)
		return any_capability(cs, OBJ_ANY);
	if (need->type == OBJ_THREAD && kind < 20)
		return own_capability(t, cs);
	return any_capability(cs, need->type);
}

/* The thread writes capabilities into its message block. */
static void fill_block(struct thread *t, const struct cspace *cs)
{
	if (t->block == NULL)
		return;
	for (unsigned i = 0; i < MSG_CAPS; i++) {
		unsigned how = byte();
		t->block->cap[i] = (struct msg_cap){
			.handle = any_capability(cs, OBJ_ANY),
			.rights = how & 2 ? RIGHTS_ALL : (rights_t)word(),
			.flags = how & 0xfc ? how & 1 : (uint16_t)how,
		};
	}
}

/* ---- steps ---- */

static bool is_documented(int64_t st)
{
	switch (st) {
#define STATUS_CASE(name, number, sentence) case number:
		STATUS_LIST(STATUS_CASE)
		return true;
	default:
		return false;
	}
}

static const char *call(struct thread *t)
{
	uint64_t arg[ARCH_SYSCALL_ARGS] = { 0 };
	const struct cspace *cs = t->cspace;
	unsigned number = byte() & 63;
	uint64_t results = t->arch.results;
	uint32_t used = cs == NULL ? 0 : cs->used;

	for (unsigned i = 0; cs != NULL && i < ARCH_SYSCALL_ARGS; i++)
		arg[i] = any_argument(t, cs, number, i);
	if (cs != NULL && number >= SYS_endpoint_call && number <= SYS_reply_send && byte() > 128)
		fill_block(t, cs);
	/* These leave the kernel by themselves; should a reaper end everybody then, no one would.
	 */
	bool fast = !object_reap_waiting();
	storm_calls[number]++;
	if (fast && number == SYS_endpoint_call)
		ipc_call(arg[0], arg[1], arg[2]);
	else if (fast && number == SYS_endpoint_reply_receive)
		ipc_reply_receive(arg[0], arg[1], arg[2]);
	else if (fast && number == SYS_guest_enter)
		guest_enter(arg[0]);
	else
		syscall_dispatch(t, number, arg);
	if (t->arch.results == results)
		return NULL; /* it waits, goes on later, or is no more */
	int64_t st = (int64_t)t->arch.result[0];
	storm_passed[number] += st == ST_OK;
	if (st == ST_OK && number == SYS_reply_save)
		last_number = t->arch.result[1];
	if (st == ST_OK && number == SYS_dma_map)
		last_bus = t->arch.result[1];
	if (!is_documented(st) || st == ST_LATER)
		return "status";
	/* An answer that has gone out is not taken back if there is nothing to receive. */
	if (st != ST_OK && number != SYS_endpoint_reply_receive && cs == t->cspace && cs != NULL &&
	    cs->used > used)
		return "a refused call that gives something";
	return NULL;
}

/* An access of the running thread that its page tables may not allow. */
static void touch(struct thread *t)
{
	unsigned how = byte();
	unsigned access = how & 1 ? FAULT_WRITE : how & 2 ? FAULT_EXEC : FAULT_READ;
	vaddr_t va = how & 0xe0 ? BASE + (how >> 2) * FRAME_SIZE : any_number();
	status_t st = ST_OK;

	for (unsigned i = 0; i < 4 && st == ST_OK; i++)
		st = user_fault(t, va, access);
	if (st == ST_OK || st == ST_LATER)
		return;
	const struct msg_fault f = { .kind = FAULT_MEMORY, .address = va, .access = access };
	thread_fault(t, &f);
}

/* Nobody runs: time passes, and then somebody's wait is ended for him. False: there is nobody. */
static bool make_somebody_run(unsigned tries)
{
	host_time_advance(1000000);
	if (tries < IDLE_ROUNDS)
		return true;
	look_for(quota, OBJ_THREAD);
	if (founds == 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		struct thread *t = container_of(found[byte() % founds], struct thread, obj);

		(void)thread_cancel_wait(t, NULL, ST_CANCELLED);
		spin_lock(&t->obj.lock);
		thread_resume(t);
	}
	return tries < 4 * IDLE_ROUNDS;
}

/* The running thread's guest does something that ends guest mode, or nothing. */
static void play_guest(struct thread *t)
{
	const struct msg_fault f = { .kind = FAULT_MEMORY, .address = word() };
	unsigned what = byte();

	t->arch.inside.pc = word();
	if (what < 128)
		guest_called();
	else if (what < 200)
		(void)guest_fault(t, &f);
	else
		host_time_advance(what * 1000);
}

static const char *step(struct thread *t)
{
	unsigned what = byte();

	if (t->arch.restarts > 0) {
		t->arch.restarts = 0;
		syscall_dispatch(t, t->arch.number, t->arch.arg);
		return NULL;
	}
	if (arch_thread_in_guest(&t->arch)) {
		play_guest(t);
		return NULL;
	}
	if (what < 235)
		return call(t);
	if (what < 240)
		host_time_advance((uint64_t)byte() * 10000);
	else if (what < 248)
		touch(t);
	else if (what < 250)
		ipc_fast_allow(arch_this_cpu(), what & 1);
	else
		sched_yield_turn();
	return NULL;
}

/* True while somebody has not finished what he began, or a reaper has work. */
static bool is_busy(void)
{
	look_for(quota, OBJ_THREAD);
	for (unsigned i = 0; i < founds; i++) {
		const struct thread *t = container_of(found[i], struct thread, obj);
		if (t->work != 0 || t->arch.restarts > 0 || t->claimed)
			return true;
	}
	return object_reap_waiting();
}

static struct thread *runner(void)
{
	(void)play_user();
	struct thread *t = arch_this_cpu()->current;

	if (t == NULL || thread_state(t) != THREAD_RUNNING || (thread_flags(t) & THREAD_STOP))
		return NULL;
	return t;
}

static const char *run(void)
{
	const char *wrong = NULL;
	unsigned idle = 0;

	for (unsigned n = 1; at < end && wrong == NULL && (quota->obj.flags & OBJECT_LIVE); n++) {
		struct thread *t = runner();

		if (t == NULL) {
			if (!make_somebody_run(idle++))
				return NULL;
			continue;
		}
		idle = 0;
		wrong = step(t);
		spin_assert_none_held();
		if (wrong == NULL && !play_ok())
			wrong = "run queue";
		if (wrong == NULL && n % CHECK_EVERY == 0 && (quota->obj.flags & OBJECT_LIVE))
			wrong = check(quota, !is_busy());
	}
	return wrong;
}

#define PIECES 1000000 /* more than any destruction takes */

/* Destroys what is left. Who has begun to do so goes on with that, even if he was stopped
 * meanwhile. False: it does not end. */
static bool finish(void)
{
	unsigned n = 0;

	if (quota->obj.flags & OBJECT_LIVE)
		object_reap(object_kill(&quota->obj));
	look_for(quota, OBJ_THREAD);
	for (unsigned i = 0; i < founds; i++) {
		struct thread *t = container_of(found[i], struct thread, obj);
		spin_lock(&t->obj.lock);
		thread_resume(t);
	}
	for (bool busy = true; busy && n < PIECES; n++) {
		struct thread *t = runner();

		if (t != NULL && t->arch.restarts > 0) {
			t->arch.restarts = 0;
			syscall_dispatch(t, t->arch.number, t->arch.arg);
		}
		(void)object_reap_some();
		busy = object_reap_waiting() || t != NULL;
		host_user_mode();
	}
	return n < PIECES;
}

void storm_boot(void)
{
	play_boot(1);
	random_init();
	host_user_modelled = true;
}

const char *storm_run(const uint8_t *bytes, size_t size)
{
	at = bytes;
	end = bytes + size;
	begin();
	const char *wrong = run();
	if (wrong != NULL)
		return wrong;
	if (!finish())
		return "an end that does not come";
	ipc_fast_allow(arch_this_cpu(), true);
	uint64_t used = used_after_all(quota_root);
	if (used_before != 0 && used > used_before)
		return "memory that is left behind";
	if (used_before == 0)
		used_before = used;
	return NULL;
}
