/* SPDX-License-Identifier: MIT */
#include <lib/fake/fake.h>
#include <lib/libc/libc.h>
#include <services/log/journal.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

static struct journal journal;
static struct loop loop;
static struct loop_answer answers[JOURNAL_WAITERS];
static cap_t endpoint, memory, notification;
static struct fake_call calls[24];
static char screen[1 << 16];
static size_t screen_size;

static void on_port(uint64_t port, uint64_t value)
{
	if (port == 0 && screen_size < sizeof(screen) - 1)
		screen[screen_size++] = (char)value;
	screen[screen_size] = '\0';
}

/* As its program begins, on what the last one has left. */
static bool start(void)
{
	const struct loop_setup setup = { .quota = fake_own_quota(),
					  .service = endpoint,
					  .events = notification,
					  .answers = answers,
					  .answers_count = JOURNAL_WAITERS };
	cap_t node = journal.node, ports = journal.serial.ports;

	memset(&journal, 0, sizeof(journal));
	journal.loop = &loop;
	journal.memory = memory;
	journal.node = node;
	journal.serial.ports = ports;
	journal.serial_level = LOG_INFO;
	strcpy(journal.name[3], "three");
	if (loop_init(&loop, &setup) != ST_OK)
		return false;
	journal_begin(&journal, fake_bytes(memory));
	return loop_serve(&loop, LOOP_SERVICE(0, log, &journal_ops, &journal)) == ST_OK;
}

static bool begin(void)
{
	fake_begin();
	memset(&journal, 0, sizeof(journal));
	memset(calls, 0, sizeof(calls));
	screen_size = 0;
	screen[0] = '\0';
	fake.port_write = on_port;
	fake.port[5] = 0x20;
	fake.now = 5000000000;
	endpoint = fake_endpoint();
	notification = fake_notification();
	memory = fake_memory(fake_own_quota(), STORE_SIZE / 4096);
	journal.node = fake_node();
	journal.serial.ports = fake_ports();
	return start();
}

static void send(struct fake_call *c, uint64_t session, uint32_t method, const void *req,
		 uint32_t size)
{
	memset(c, 0, sizeof(*c));
	c->badge = IPC_BADGE(session, 0, LOG_WRITE | LOG_READ | LOG_SHOW);
	c->method = method;
	c->len = size;
	memcpy(c->bytes, req, size);
	fake_send(endpoint, c);
}

static void write_as(struct fake_call *c, uint64_t session, uint64_t number, const char *text)
{
	struct log_write_req req = { .number = number,
				     .time = 1500000000,
				     .level = LOG_INFO,
				     .cpu = 1,
				     .size = (uint16_t)strlen(text) };

	memcpy(req.text, text, req.size);
	send(c, session, 1, &req, sizeof(req));
}

static void read_as(struct fake_call *c, uint64_t session, uint64_t number, bool waits)
{
	send(c, session, 2, &(struct log_read_req){ number, waits }, sizeof(struct log_read_req));
}

/* Serves everything that was sent. */
static status_t serve(struct fake_call *c)
{
	if (loop_run(&loop) != ST_PEER_GONE)
		return ST_CORRUPT;
	return c->is_ended ? (status_t)c->result : ST_LATER;
}

static struct log_read_rep rep_of(const struct fake_call *c)
{
	struct log_read_rep rep;

	memcpy(&rep, c->got, sizeof(rep));
	return rep;
}

static bool says(const struct fake_call *c, const char *program, const char *text)
{
	struct log_read_rep rep = rep_of(c);

	return c->is_ended && c->result == ST_OK && c->got_len == sizeof(rep) &&
	       strcmp(rep.program, program) == 0 && rep.size == strlen(text) &&
	       memcmp(rep.text, text, rep.size) == 0;
}

#define SESSION IPC_SESSION(3, 1)

TEST(log_journal_keeps_what_programs_write)
{
	CHECK(begin());
	write_as(&calls[0], SESSION, 1, "hello\x1b[31m");
	CHECK(serve(&calls[0]) == ST_OK);
	read_as(&calls[1], SESSION, 1, false);
	CHECK(serve(&calls[1]) == ST_OK && says(&calls[1], "log", "started"));
	read_as(&calls[1], SESSION, 2, false);
	CHECK(serve(&calls[1]) == ST_OK && says(&calls[1], "three", "hello\\e[31m"));
	struct log_read_rep rep = rep_of(&calls[1]);
	CHECK(rep.number == 2 && rep.time == 1500000000 && rep.cpu == 1 && rep.level == LOG_INFO);
	read_as(&calls[1], SESSION, 3, false);
	CHECK(serve(&calls[1]) == ST_WOULD_BLOCK);
	CHECK(strstr(screen, "[    1.500000] cpu1 info  three: hello\\e[31m\r\n") != NULL);
}

TEST(log_journal_refuses_what_can_not_be)
{
	static const uint32_t levels[] = { 0, LOG_DEBUG + 1, 65536 + LOG_INFO, UINT32_MAX };
	struct log_write_req req = { .level = LOG_INFO, .size = LOG_TEXT + 1 };

	CHECK(begin());
	send(&calls[0], SESSION, 1, &req, sizeof(req));
	CHECK(serve(&calls[0]) == ST_BAD_ARG);
	req.size = 0;
	for (unsigned i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		req.level = levels[i];
		send(&calls[0], SESSION, 1, &req, sizeof(req));
		CHECK(serve(&calls[0]) == ST_BAD_ARG);
	}
	req.level = LOG_INFO;
	send(&calls[0], IPC_SESSION(JOURNAL_KERNEL, 0), 1, &req, sizeof(req));
	CHECK(serve(&calls[0]) == ST_BAD_ARG);
	send(&calls[0], IPC_SESSION(JOURNAL_SELF, 0), 1, &req, sizeof(req));
	CHECK(serve(&calls[0]) == ST_BAD_ARG);
	CHECK(journal.store.next == 2);
}

TEST(log_journal_tells_no_time_to_come)
{
	struct log_write_req req = { .time = UINT64_MAX, .level = LOG_INFO };

	CHECK(begin());
	send(&calls[0], SESSION, 1, &req, sizeof(req));
	CHECK(serve(&calls[0]) == ST_OK);
	read_as(&calls[1], SESSION, 2, false);
	CHECK(serve(&calls[1]) == ST_OK && rep_of(&calls[1]).time == 5000000000);
}

TEST(log_journal_writes_an_entry_once)
{
	CHECK(begin());
	write_as(&calls[0], SESSION, 1, "first");
	write_as(&calls[1], SESSION, 2, "second");
	CHECK(serve(&calls[1]) == ST_OK && journal.store.next == 4);
	CHECK(start()); /* the answer was lost with the log */
	uint64_t next = journal.store.next;
	write_as(&calls[0], SESSION, 2, "second");
	CHECK(serve(&calls[0]) == ST_OK && journal.store.next == next);
	write_as(&calls[0], SESSION, 3, "third");
	CHECK(serve(&calls[0]) == ST_OK && journal.store.next == next + 1);
	write_as(&calls[0], SESSION + 1, 1, "of a new incarnation");
	CHECK(serve(&calls[0]) == ST_OK && journal.store.next == next + 2);
}

TEST(log_journal_goes_on_after_its_end)
{
	CHECK(begin());
	write_as(&calls[0], SESSION, 1, "before");
	CHECK(serve(&calls[0]) == ST_OK && start());
	read_as(&calls[1], SESSION, 2, false);
	CHECK(serve(&calls[1]) == ST_OK && says(&calls[1], "three", "before"));
	read_as(&calls[1], SESSION, 3, false);
	CHECK(serve(&calls[1]) == ST_OK &&
	      says(&calls[1], "log", "started again, 2 entries are there"));
	memset(fake_bytes(memory) + 4096 + 3 * STORE_PART, 0xff, 16);
	CHECK(start());
	read_as(&calls[1], SESSION, 2, false);
	CHECK(serve(&calls[1]) == ST_OK && rep_of(&calls[1]).number == 3);
}

/* ---- readers that wait ---- */

TEST(log_journal_wakes_who_waits)
{
	CHECK(begin());
	read_as(&calls[0], SESSION, 2, true);
	read_as(&calls[1], IPC_SESSION(4, 0), UINT64_MAX, true); /* waits for the next as well */
	CHECK(serve(&calls[0]) == ST_LATER && !calls[1].is_ended);
	write_as(&calls[2], SESSION, 1, "news");
	CHECK(serve(&calls[2]) == ST_OK);
	CHECK(says(&calls[0], "three", "news") && says(&calls[1], "three", "news"));
}

TEST(log_journal_lets_few_of_a_program_wait)
{
	CHECK(begin());
	for (unsigned i = 0; i <= JOURNAL_PER_READER; i++)
		read_as(&calls[i], SESSION, 2, true);
	CHECK(serve(&calls[JOURNAL_PER_READER]) == ST_NO_SLOTS);
	CHECK(!calls[0].is_ended);
	/* A new incarnation: nobody is there to hear what the old one asked for. */
	for (unsigned i = 0; i < JOURNAL_PER_READER; i++)
		calls[i].is_gone = true;
	for (unsigned i = 8; i < 8 + JOURNAL_PER_READER; i++)
		read_as(&calls[i], SESSION + 1, 2, true);
	CHECK(serve(&calls[8]) == ST_LATER && !calls[7 + JOURNAL_PER_READER].is_ended);
	write_as(&calls[20], IPC_SESSION(4, 0), 1, "news");
	CHECK(serve(&calls[20]) == ST_OK && says(&calls[8], "program 4", "news"));
}

TEST(log_journal_has_room_for_so_many_waiters)
{
	CHECK(begin());
	for (unsigned i = 0; i <= JOURNAL_WAITERS; i++)
		read_as(&calls[i], IPC_SESSION(i, 0), 2, true);
	CHECK(serve(&calls[JOURNAL_WAITERS]) == ST_NO_SLOTS);
	CHECK(!calls[JOURNAL_WAITERS - 1].is_ended);
	for (unsigned i = 0; i < JOURNAL_WAITERS; i += 2)
		calls[i].is_gone = true;
	write_as(&calls[20], SESSION, 1, "news");
	CHECK(serve(&calls[20]) == ST_OK && says(&calls[1], "three", "news"));
	for (unsigned i = 0; i < JOURNAL_WAITERS; i++)
		read_as(&calls[i], IPC_SESSION(i, 0), 3, true);
	CHECK(serve(&calls[JOURNAL_WAITERS - 1]) == ST_LATER);
}

/* ---- noise ---- */

TEST(log_journal_says_once_that_entries_go)
{
	unsigned said = 0;

	CHECK(begin());
	write_as(&calls[1], IPC_SESSION(4, 0), 1, "quiet");
	CHECK(serve(&calls[1]) == ST_OK);
	for (unsigned i = 1; i <= 1000; i++) {
		write_as(&calls[0], SESSION, i, "noise noise noise");
		CHECK(serve(&calls[0]) == ST_OK);
	}
	for (const char *at = screen; (at = strstr(at, "oldest entries go")) != NULL; at++)
		said++;
	CHECK(said == 1);
	read_as(&calls[0], SESSION, 2, false);
	CHECK(serve(&calls[0]) == ST_OK && says(&calls[0], "program 4", "quiet"));
}

TEST(log_journal_shows_what_is_urgent_enough)
{
	static const uint64_t none[] = { 0, LOG_DEBUG + 1, (1ull << 32) + LOG_DEBUG };

	CHECK(begin());
	send(&calls[0], SESSION, 3, &(struct log_show_req){ LOG_WARNING },
	     sizeof(struct log_show_req));
	CHECK(serve(&calls[0]) == ST_OK);
	for (unsigned i = 0; i < 3; i++) {
		send(&calls[0], SESSION, 3, &(struct log_show_req){ none[i] },
		     sizeof(struct log_show_req));
		CHECK(serve(&calls[0]) == ST_BAD_ARG);
	}
	write_as(&calls[0], SESSION, 1, "not shown");
	CHECK(serve(&calls[0]) == ST_OK && strstr(screen, "not shown") == NULL);
	send(&calls[0], SESSION, 3, &(struct log_show_req){ LOG_INFO },
	     sizeof(struct log_show_req));
	write_as(&calls[1], SESSION, 2, "is shown");
	CHECK(serve(&calls[1]) == ST_OK && strstr(screen, "is shown") != NULL);
}

TEST(log_journal_lives_with_a_port_that_is_stuck)
{
	CHECK(begin());
	fake.port[5] = 0;
	uint64_t before = fake.calls[57]; /* ioport_read */
	for (unsigned i = 1; i <= 10; i++) {
		write_as(&calls[0], SESSION, i, "a line that nobody takes");
		CHECK(serve(&calls[0]) == ST_OK);
	}
	CHECK(fake.calls[57] - before < 5000);
	fake.port[5] = 0x20;
	write_as(&calls[0], SESSION, 11, "taken");
	CHECK(serve(&calls[0]) == ST_OK && strstr(screen, "three: taken\r\n") != NULL);
}

/* ---- the kernel's log ---- */

static void kernel_says(const char *text, uint64_t first)
{
	fake.kernel_log = text;
	fake.kernel_log_size = strlen(text);
	fake.kernel_log_first = first;
}

TEST(log_journal_takes_in_the_kernels_log)
{
	CHECK(begin());
	kernel_says("[    0.012345] cpu0 warn  boot: hm\n[    0.02", 0);
	read_as(&calls[0], SESSION, 2, false);
	CHECK(serve(&calls[0]) == ST_OK && says(&calls[0], "kernel", "boot: hm"));
	CHECK(rep_of(&calls[0]).level == LOG_WARNING && rep_of(&calls[0]).time == 12345000);
	read_as(&calls[0], SESSION, 3, true);
	CHECK(serve(&calls[0]) == ST_LATER); /* its line has not ended */
	kernel_says("[    0.012345] cpu0 warn  boot: hm\n[    0.020000] cpu1 info  x\nraw\n", 0);
	fake_signal(notification, PROGRAM_EVENT_ASK);
	loop_on_ask(&loop, (void (*)(void *))journal_take_kernel, &journal);
	CHECK(serve(&calls[0]) == ST_OK && says(&calls[0], "kernel", "x"));
	read_as(&calls[0], SESSION, 4, false);
	CHECK(serve(&calls[0]) == ST_OK && says(&calls[0], "kernel", "raw"));
	CHECK(strstr(screen, "boot: hm") == NULL);
}

TEST(log_journal_takes_each_line_of_the_kernel_once)
{
	CHECK(begin());
	kernel_says("one\ntwo\n", 0);
	journal_take_kernel(&journal);
	CHECK(start() && journal.store.next == 5);
	kernel_says("one\ntwo\nthree\n", 0);
	read_as(&calls[0], SESSION, 5, false);
	CHECK(serve(&calls[0]) == ST_OK && says(&calls[0], "kernel", "three"));
	CHECK(journal.store.next == 6);
}

TEST(log_journal_says_what_of_the_kernels_log_was_lost)
{
	static char many[20000];

	CHECK(begin());
	kernel_says("one\n", 0);
	journal_take_kernel(&journal);
	memset(many, 'k', sizeof(many) - 1);
	kernel_says(many, 104); /* no line ends in it */
	journal_take_kernel(&journal);
	read_as(&calls[0], SESSION, 3, false);
	CHECK(serve(&calls[0]) == ST_OK);
	CHECK(says(&calls[0], "log", "100 bytes of the kernel's log were lost"));
	read_as(&calls[0], SESSION, 4, false);
	CHECK(serve(&calls[0]) == ST_OK && rep_of(&calls[0]).size == LOG_TEXT);
}

/* ---- whatever comes ---- */

TEST(log_journal_lives_with_whatever_it_is_sent)
{
	static const uint32_t sizes[] = { sizeof(struct log_write_req), sizeof(struct log_read_req),
					  0, 512 };
	unsigned seed = (unsigned)test_seed();

	CHECK(begin());
	unsigned before = fake_caps();
	for (uint64_t i = 0; i < test_rounds(5000); i++) {
		struct fake_call *c = &calls[i % 24];
		unsigned r = seed = seed * 1103515245 + 12345;

		if (c->badge != 0 && !c->is_ended)
			continue; /* it waits */
		memset(c, 0, sizeof(*c));
		for (unsigned k = 0; k < MSG_BYTES; k++)
			c->bytes[k] = (uint8_t)(r >> 16) & ((k + i) % 3 ? 0xff : 3);
		c->badge = IPC_BADGE(IPC_SESSION(r >> 8 & 63, i / 64), r >> 30 == 0, r >> 14 & 3);
		c->method = (r >> 20 & 3) == 3 ? 1 : r >> 20 & 3;
		c->len = sizes[r >> 10 & 3];
		if (r >> 26 & 1) { /* a line that is good */
			struct log_write_req req = { .level = 1 + (r >> 12 & 3),
						     .size = r >> 9 & 255 };
			memcpy(c->bytes, &req, offsetof(struct log_write_req, text));
			c->method = 1;
			c->len = sizeof(req);
		}
		c->is_gone = (r >> 27 & 7) == 0;
		fake_send(endpoint, c);
		CHECK(serve(c) <= ST_OK);
		CHECK(fake_caps() == before && fake.wrong == 0);
	}
	CHECK(journal.store.next > 500);
}
