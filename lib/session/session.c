/* SPDX-License-Identifier: MIT */
#include <lib/session/session.h>
#include <abi/memory.h>
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>

static bool is_there(cap_t handle)
{
	enum object_type type;
	rights_t rights;

	return sys_cap_inspect(libc_own->cspace, handle, &type, &rights) == ST_OK;
}

static struct session *of_program(struct session_table *t, uint32_t program)
{
	for (unsigned i = 0; i < t->slots; i++) {
		if (t->slot[i].is_open && IPC_PROGRAM(t->slot[i].number) == program)
			return &t->slot[i];
	}
	return NULL;
}

static struct session *free_slot(struct session_table *t)
{
	for (unsigned i = 0; i < t->slots; i++) {
		if (!t->slot[i].is_open)
			return &t->slot[i];
	}
	return NULL;
}

/* All pages, now: what is written later is paid for. */
static status_t make_state(cap_t quota, uint64_t bytes, cap_t *memory)
{
	uint64_t pages = (bytes + MEMORY_PAGE - 1) / MEMORY_PAGE;
	status_t st = sys_memory_create(quota, pages, 0, memory);

	if (st != ST_OK)
		return st;
	st = sys_memory_commit(*memory, 0, pages);
	if (st != ST_OK)
		(void)sys_object_destroy(*memory);
	return st;
}

/* The place of the program's old session, or a free one. */
static status_t make_room(struct session_table *t, uint64_t number, struct session **out)
{
	struct session *old = of_program(t, IPC_PROGRAM(number));

	if (old != NULL && IPC_INCARNATION(old->number) > IPC_INCARNATION(number))
		return ST_BAD_STATE;
	if (old != NULL && old->number == number && is_there(old->memory))
		return ST_EXISTS;
	if (old != NULL)
		session_close(t, old);
	*out = free_slot(t);
	if (*out == NULL && session_sweep(t) > 0)
		*out = free_slot(t);
	return *out == NULL ? ST_NO_SLOTS : ST_OK;
}

status_t session_open(struct session_table *t, const struct ipc_request *from, cap_t quota,
		      struct session **out)
{
	struct session *s;
	cap_t memory;
	status_t st = make_room(t, from->session, &s);

	if (st == ST_OK)
		st = make_state(quota, t->bytes, &memory);
	if (st != ST_OK)
		return st;
	*s = (struct session){
		.is_open = true, .number = from->session, .quota = quota, .memory = memory
	};
	*out = s;
	return ST_OK;
}

struct session *session_find(struct session_table *t, const struct ipc_request *from)
{
	struct session *s = of_program(t, IPC_PROGRAM(from->session));

	return s != NULL && s->number == from->session ? s : NULL;
}

static status_t check_range(const struct session_table *t, uint64_t offset, size_t size)
{
	return offset > t->bytes || size > t->bytes - offset ? ST_BAD_ARG : ST_OK;
}

/* What an access came to. A handle that names nothing: the memory died. */
static status_t outcome(struct session_table *t, struct session *s, status_t st)
{
	if (st != ST_BAD_CAP)
		return st;
	session_close(t, s);
	return ST_NO_SESSION;
}

status_t session_read(struct session_table *t, struct session *s, uint64_t offset, void *buffer,
		      size_t size)
{
	status_t st = check_range(t, offset, size);

	return st != ST_OK ? st : outcome(t, s, sys_memory_read(s->memory, offset, buffer, size));
}

status_t session_write(struct session_table *t, struct session *s, uint64_t offset,
		       const void *buffer, size_t size)
{
	status_t st = check_range(t, offset, size);

	return st != ST_OK ? st : outcome(t, s, sys_memory_write(s->memory, offset, buffer, size));
}

void session_close(struct session_table *t, struct session *s)
{
	uint64_t number = s->number;

	if (is_there(s->memory))
		(void)sys_object_destroy(s->memory);
	if (is_there(s->quota))
		(void)sys_cap_drop(libc_own->cspace, s->quota);
	*s = (struct session){ 0 };
	if (t->ended != NULL)
		t->ended(t->self, (unsigned)(s - t->slot), number);
}

unsigned session_sweep(struct session_table *t)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < t->slots; i++) {
		struct session *s = &t->slot[i];
		if (!s->is_open || is_there(s->memory))
			continue;
		session_close(t, s);
		ended++;
	}
	return ended;
}
