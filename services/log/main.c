/* SPDX-License-Identifier: MIT */
/* The log: what programs and the kernel say, see proto/log.h.
 *
 * Capabilities, by their names in the composition, of which none has to be there: "node" (the right
 * LOG), "serial" (the ports of a 16550), "supervisor" (the right STATUS, for the names of
 * programs). Argument: level=error, warning, info or debug, what goes to the serial port.
 *
 * Entries lie in memory that is made from the quota `state` and left with init, so that they
 * outlive this program.
 */
#include "journal.h"
#include <abi/memory.h>
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <proto/supervisor.h>
#include <string.h>

#define PAGES (STORE_SIZE / MEMORY_PAGE)

/* Where the store is mapped: some page in this range. */
#define WINDOW_FROM  0x200000000000ull
#define WINDOW_PAGES (1ull << 30)
#define WINDOW_TRIES 16

static struct journal journal;
static struct loop loop;
static struct loop_answer answers[JOURNAL_WAITERS];

/* ---- the memory of the store ---- */

static void *map(cap_t memory)
{
	uint64_t at;

	memcpy(&at, libc_own->seed + 24, sizeof(at));
	for (unsigned i = 0; i < WINDOW_TRIES; i++, at += PAGES) {
		const struct aspace_range r = { WINDOW_FROM + at % WINDOW_PAGES * MEMORY_PAGE, 0,
						PAGES };
		status_t st = sys_aspace_map(libc_own->aspace, memory, &r, MAP_READ | MAP_WRITE);
		if (st == ST_OK)
			return (void *)r.va;
		if (st != ST_EXISTS)
			return NULL;
	}
	return NULL;
}

/* Mapped, with its first page, where the heads are. */
static void *take(cap_t memory)
{
	return sys_memory_commit(memory, 0, 1) == ST_OK ? map(memory) : NULL;
}

static const char deposit_name[PROGRAM_NAME] = "entries";

/* What an earlier incarnation has left with init; one that is of no use is taken back. */
static void *find_store(cap_t supervisor, cap_t *memory)
{
	struct supervisor_find_req find = { 0 };
	struct supervisor_find_rep found;
	struct supervisor_withdraw_req withdraw = { 0 };
	struct supervisor_withdraw_rep withdrawn;
	struct msg_cap cap;

	memcpy(find.name, deposit_name, PROGRAM_NAME);
	memcpy(withdraw.name, deposit_name, PROGRAM_NAME);
	if (supervisor_find(supervisor, &find, &found, &cap) != ST_OK)
		return NULL;
	void *at = take(cap.handle);
	*memory = cap.handle;
	if (at != NULL)
		return at;
	ipc_drop(&cap, 1);
	*memory = CAP_NONE;
	/* If it stays with init the next one can't be left there, which is told then. */
	status_t st = supervisor_withdraw(supervisor, &withdraw, &withdrawn, NULL);
	(void)st;
	return NULL;
}

/* From `state`, and left with init; or, without that, from the program's own quota. *lasts: it
 * will be found again. */
static void *make_store(const struct program_block *b, cap_t *memory, bool *lasts)
{
	struct supervisor_deposit_req req = { 0 };
	struct supervisor_deposit_rep rep;
	cap_t payer = b->state != CAP_NONE ? b->state : b->quota;

	memcpy(req.name, deposit_name, PROGRAM_NAME);
	if (sys_memory_create(payer, PAGES, 0, memory) != ST_OK)
		return NULL;
	struct msg_cap cap = { .handle = *memory, .rights = UINT16_MAX };
	*lasts = b->state != CAP_NONE &&
		 supervisor_deposit(b->supervisor, &req, &rep, &cap) == ST_OK;
	return take(*memory);
}

/* ---- what it was told ---- */

static void ask_names(cap_t supervisor)
{
	struct supervisor_status_rep rep;

	for (uint64_t i = 0; i < JOURNAL_INIT; i++) {
		const struct supervisor_status_req req = { .index = i };
		if (supervisor_status(supervisor, &req, &rep, NULL) != ST_OK)
			return;
		rep.name[PROGRAM_NAME - 1] = '\0';
		strcpy(journal.name[i], rep.name);
	}
}

static enum log_level level_of(const char *name)
{
	static const char *const names[] = { [LOG_ERROR] = "error",
					     [LOG_WARNING] = "warning",
					     [LOG_INFO] = "info",
					     [LOG_DEBUG] = "debug" };

	for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return LOG_INFO;
}

static void read_arguments(int argc, char **argv)
{
	journal.serial_level = LOG_INFO;
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "level=", 6) == 0)
			journal.serial_level = level_of(argv[i] + 6);
	}
}

/* ---- the program ---- */

static void on_ask(void *self)
{
	(void)self;
	journal_take_kernel(&journal);
}

static bool begin(const struct program_block *b)
{
	const struct loop_setup setup = { .quota = b->quota,
					  .service = b->service,
					  .events = b->events,
					  .alive = b->alive,
					  .answers = answers,
					  .answers_count = JOURNAL_WAITERS };
	cap_t names = program_cap("supervisor");
	void *store = find_store(b->supervisor, &journal.memory);

	bool lasts = true;

	if (store == NULL)
		store = make_store(b, &journal.memory, &lasts);
	if (store == NULL || loop_init(&loop, &setup) != ST_OK)
		return false;
	if (names != CAP_NONE)
		ask_names(names);
	journal.loop = &loop;
	journal.node = program_cap("node");
	journal.serial.ports = program_cap("serial");
	journal_begin(&journal, store);
	if (!lasts)
		journal_say(&journal, LOG_WARNING, "entries end with this program");
	loop_on_ask(&loop, on_ask, NULL);
	return loop_serve(&loop, LOOP_SERVICE(0, log, &journal_ops, &journal)) == ST_OK;
}

int main(int argc, char **argv)
{
	const struct program_block *b = program_block();

	read_arguments(argc, argv);
	if (b == NULL || !begin(b))
		return 1;
	return loop_run(&loop) == ST_OK ? 0 : 1;
}
