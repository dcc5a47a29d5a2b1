/* SPDX-License-Identifier: MIT */
#include "journal.h"
#include "text.h"
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 64 /* of one look at the kernel's log */

/* ---- entries ---- */

static void show(struct journal *j, unsigned writer, const struct store_entry *e, const char *text)
{
	const struct text_line l = { .time = e->time, .level = e->level, .cpu = e->cpu };
	char prefix[TEXT_PREFIX];

	if (writer == JOURNAL_KERNEL || e->level > (uint16_t)j->serial_level)
		return;
	serial_write(&j->serial, prefix, text_prefix(prefix, &l, j->name[writer]));
	serial_write(&j->serial, text, e->size);
	serial_write(&j->serial, "\r\n", 2);
}

/* The store is mapped: its memory has to be there before it is touched. */
static status_t pay(struct journal *j, unsigned writer)
{
	uint64_t page, count;

	if (j->is_paid[writer])
		return ST_OK;
	store_pages(writer, &page, &count);
	status_t st = sys_memory_commit(j->memory, page, count);
	j->is_paid[writer] = st == ST_OK;
	return st;
}

/* `e` without number and size, which are set. */
static status_t add(struct journal *j, unsigned writer, struct store_entry *e, const char *bytes,
		    size_t size)
{
	char text[LOG_TEXT];
	status_t st = pay(j, writer);

	if (st != ST_OK)
		return st;
	e->size = (uint16_t)text_escape(text, bytes, size);
	bool had_room = store_append(&j->store, writer, e, text);
	show(j, writer, e, text);
	if (!had_room && !j->has_dropped[writer]) {
		j->has_dropped[writer] = true;
		journal_say(j, LOG_INFO, "%s has said more than is kept: its oldest entries go",
			    j->name[writer]);
	}
	return ST_OK;
}

void journal_say(struct journal *j, enum log_level level, const char *format, ...)
{
	char text[128];
	struct store_entry e = { .time = libc_now(),
				 .level = (uint16_t)level,
				 .cpu = LOG_CPU_UNKNOWN };
	va_list args;

	va_start(args, format);
	int size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t fits = (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1;
	(void)add(j, JOURNAL_SELF, &e, text, fits); /* without memory nobody can be told */
}

/* ---- readers ---- */

static bool find(struct journal *j, uint64_t number, struct log_read_rep *rep)
{
	struct store_entry e;
	unsigned writer;

	if (!store_find(&j->store, number, &writer, &e, rep->text))
		return false;
	rep->number = e.number;
	rep->time = e.time;
	rep->level = e.level;
	rep->cpu = e.cpu;
	rep->size = e.size;
	memcpy(rep->program, j->name[writer], sizeof(rep->program));
	return true;
}

static void answer(struct journal *j, struct journal_waiter *w, status_t st,
		   const struct ipc_message *m)
{
	loop_answer(j->loop, w->answer, st, m);
	w->answer = NULL;
}

/* Everybody waits for the next entry, whatever it is. */
static void wake(struct journal *j)
{
	static struct ipc_message m; /* they are much for a stack */
	static struct log_read_rep rep;

	for (struct journal_waiter *w = j->waiter; w < j->waiter + JOURNAL_WAITERS; w++) {
		if (w->answer == NULL)
			continue;
		memset(&rep, 0, sizeof(rep));
		if (!find(j, w->number, &rep))
			continue;
		ipc_fill(&m, &rep, sizeof(rep), 0);
		answer(j, w, ST_OK, &m);
	}
}

/* What earlier incarnations of this program waited for; gives how many calls of the present one
 * wait. */
static unsigned forget_earlier(struct journal *j, uint64_t session)
{
	static const struct ipc_message empty;
	unsigned waiting = 0;

	for (struct journal_waiter *w = j->waiter; w < j->waiter + JOURNAL_WAITERS; w++) {
		if (w->answer == NULL || IPC_PROGRAM(w->session) != IPC_PROGRAM(session))
			continue;
		if (w->session == session)
			waiting++;
		else
			answer(j, w, ST_PEER_GONE, &empty);
	}
	return waiting;
}

static status_t wait(struct journal *j, struct ipc_request *from, uint64_t number)
{
	if (forget_earlier(j, from->session) >= JOURNAL_PER_READER)
		return ST_NO_SLOTS;
	for (struct journal_waiter *w = j->waiter; w < j->waiter + JOURNAL_WAITERS; w++) {
		if (w->answer != NULL)
			continue;
		w->answer = loop_defer(j->loop, from);
		w->session = from->session;
		w->number = number;
		return w->answer == NULL ? ST_NO_SLOTS : ST_LATER;
	}
	return ST_NO_SLOTS;
}

/* ---- the kernel's log ---- */

static void add_kernel_line(struct journal *j, const char *line, size_t size)
{
	struct text_line l = { .time = j->kernel_time };

	text_parse(&l, line, size);
	j->kernel_time = l.time;
	struct store_entry e = {
		.time = l.time, .source = j->kernel_at, .level = (uint16_t)l.level, .cpu = l.cpu
	};
	(void)add(j, JOURNAL_KERNEL, &e, l.text, l.size); /* else it is in the kernel's still */
}

/* Takes the lines that have ended; how many bytes they are. One that fills the buffer is taken as
 * it is. */
static size_t take_lines(struct journal *j, size_t size)
{
	size_t begin = 0;

	for (;;) {
		const char *line = j->kernel + begin;
		const char *end = memchr(line, '\n', size - begin);
		size_t length = end == NULL ? size - begin : (size_t)(end - line);
		if (end == NULL && length < sizeof(j->kernel))
			return begin;
		j->kernel_at += length + (end != NULL);
		add_kernel_line(j, line, length);
		begin += length + (end != NULL);
	}
}

static bool take_part(struct journal *j)
{
	struct log_part part;
	status_t st = sys_node_log(j->node, j->kernel_at, j->kernel, sizeof(j->kernel), &part);

	if (st != ST_OK || part.bytes == 0 || part.bytes > sizeof(j->kernel))
		return false;
	uint64_t begin = part.next - part.bytes;
	if (begin > j->kernel_at)
		journal_say(j, LOG_WARNING, "%llu bytes of the kernel's log were lost",
			    (unsigned long long)(begin - j->kernel_at));
	j->kernel_at = begin;
	return take_lines(j, part.bytes) > 0;
}

void journal_take_kernel(struct journal *j)
{
	uint64_t before = j->store.next;

	if (j->node == CAP_NONE)
		return;
	for (unsigned i = 0; i < ROUNDS && take_part(j); i++)
		;
	if (j->store.next != before)
		wake(j);
}

/* ---- the protocol ---- */

static status_t on_write(void *self, struct ipc_request *from, const struct log_write_req *req,
			 struct log_write_rep *rep, struct msg_cap *caps)
{
	struct journal *j = self;
	uint32_t writer = IPC_PROGRAM(from->session);
	uint32_t incarnation = IPC_INCARNATION(from->session);
	uint64_t now = libc_now();
	struct store_entry e = { .time = req->time < now ? req->time : now,
				 .source = req->number,
				 .incarnation = incarnation,
				 .level = (uint16_t)req->level,
				 .cpu = req->cpu };

	(void)rep;
	(void)caps;
	if (writer > JOURNAL_INIT || req->size > LOG_TEXT || req->level < LOG_ERROR ||
	    req->level > LOG_DEBUG)
		return ST_BAD_ARG;
	if (req->number != 0 && store_has(&j->store, writer, incarnation, req->number))
		return ST_OK;
	status_t st = add(j, writer, &e, req->text, req->size);
	if (st == ST_OK)
		wake(j);
	return st;
}

static status_t on_read(void *self, struct ipc_request *from, const struct log_read_req *req,
			struct log_read_rep *rep, struct msg_cap *caps)
{
	struct journal *j = self;

	(void)caps;
	journal_take_kernel(j);
	uint64_t number = req->number < j->store.next ? req->number : j->store.next;
	if (find(j, number, rep))
		return ST_OK;
	return req->wait == 0 ? ST_WOULD_BLOCK : wait(j, from, number);
}

static status_t on_show(void *self, struct ipc_request *from, const struct log_show_req *req,
			struct log_show_rep *rep, struct msg_cap *caps)
{
	struct journal *j = self;

	(void)from;
	(void)rep;
	(void)caps;
	if (req->level < LOG_ERROR || req->level > LOG_DEBUG)
		return ST_BAD_ARG;
	j->serial_level = (enum log_level)req->level;
	return ST_OK;
}

const struct log_ops journal_ops = { .write = on_write, .read = on_read, .show = on_show };

/* ---- begin ---- */

void journal_begin(struct journal *j, void *mapped)
{
	unsigned kept;
	enum store_found found = store_attach(&j->store, mapped, &kept);

	for (unsigned i = 0; i < JOURNAL_INIT; i++) {
		if (j->name[i][0] == '\0')
			snprintf(j->name[i], PROGRAM_NAME, "program %u", i);
	}
	strcpy(j->name[JOURNAL_INIT], "init");
	strcpy(j->name[JOURNAL_KERNEL], "kernel");
	strcpy(j->name[JOURNAL_SELF], "log");
	j->kernel_at = j->store.part[JOURNAL_KERNEL].source;
	journal_take_kernel(j);
	if (found == STORE_NEW)
		journal_say(j, LOG_INFO, "started");
	else if (found == STORE_WHOLE)
		journal_say(j, LOG_INFO, "started again, %u entries are there", kept);
	else
		journal_say(j, LOG_WARNING,
			    "started again, entries were damaged and are gone; %u are there", kept);
}
