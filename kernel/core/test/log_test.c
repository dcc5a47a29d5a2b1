/* SPDX-License-Identifier: MIT */
#include "child.h"
#include <core/boot.h>
#include <core/cpu.h>
#include <core/log.h>
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>
#include <unistd.h>

#define BUF_SIZE (4 * LOG_RING_BYTES)

/* Where the log ends now. */
static uint64_t log_end(void)
{
	static char scratch[LOG_RING_BYTES];
	uint64_t pos = 0;

	while (log_read(&pos, scratch, sizeof(scratch)) > 0)
		continue;
	return pos;
}

/* What is logged between begin and end, from the console and from the ring. It
 * does not get to the terminal, where it would be taken for the tests' own. */
static struct {
	uint64_t begin;
	int stdout_copy;
	FILE *console;
	char shown[BUF_SIZE], kept[BUF_SIZE]; /* strings */
} capture;

static void capture_begin(void)
{
	fflush(stdout);
	capture.begin = log_end();
	capture.stdout_copy = dup(STDOUT_FILENO);
	capture.console = tmpfile();
	if (capture.stdout_copy < 0 || capture.console == NULL)
		abort();
	dup2(fileno(capture.console), STDOUT_FILENO);
}

static void capture_end(void)
{
	uint64_t pos = capture.begin;

	fflush(stdout);
	dup2(capture.stdout_copy, STDOUT_FILENO);
	close(capture.stdout_copy);
	rewind(capture.console);
	capture.shown[fread(capture.shown, 1, BUF_SIZE - 1, capture.console)] = '\0';
	fclose(capture.console);
	capture.kept[log_read(&pos, capture.kept, BUF_SIZE - 1)] = '\0';
}

/* "[", seconds in 5 places or more, ".", 6 digits, "] cpu0 ", then `rest`. */
static bool has_format(const char *line, const char *rest)
{
	const char *p = line;
	size_t places = 0, decimals = 0;

	if (*p++ != '[')
		return false;
	for (; *p == ' ' || isdigit((unsigned char)*p); p++)
		places++;
	if (*p++ != '.')
		return false;
	for (; isdigit((unsigned char)*p); p++)
		decimals++;
	return places >= 5 && decimals == 6 && strncmp(p, "] cpu0 ", 7) == 0 &&
	       strcmp(p + 7, rest) == 0;
}

TEST(log_line_has_the_one_format)
{
	capture_begin();
	log_info("test", "%d frames of %s", 12, "memory");
	capture_end();
	CHECK(has_format(capture.kept, "info  test: 12 frames of memory\n"));
}

TEST(log_console_shows_what_the_ring_keeps)
{
	capture_begin();
	log_error("test", "one");
	log_raw("two");
	capture_end();
	CHECK(strstr(capture.kept, "error test: one\ntwo\n") != NULL);
	CHECK(strcmp(capture.shown, capture.kept) == 0);
}

TEST(log_cuts_long_lines)
{
	char lengthy[LOG_LINE_MAX + 100];

	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	capture_begin();
	log_info("test", "%s", lengthy);
	log_raw("%.*s", LOG_LINE_MAX, lengthy);
	log_raw("%.*s", LOG_LINE_MAX - 1, lengthy); /* fits exactly */
	capture_end();
	CHECK(strlen(capture.kept) == 3 * LOG_LINE_MAX);
	CHECK(strncmp(capture.kept + LOG_LINE_MAX - 5, "x...\n", 5) == 0);
	CHECK(strncmp(capture.kept + 2 * LOG_LINE_MAX - 5, "x...\n", 5) == 0);
	CHECK(strncmp(capture.kept + 3 * LOG_LINE_MAX - 5, "xxxx\n", 5) == 0);
}

TEST(log_lets_no_control_characters_pass)
{
	capture_begin();
	log_info("test", "%s", "a\n[    0.000001] forged\r\x1b[2J\x7f\xc3\xa4~ z");
	capture_end();
	CHECK(has_format(capture.kept, "info  test: a?[    0.000001] forged??[2J???~ z\n"));
}

static void set_level(const char *option)
{
	strcpy(boot_info.cmdline, option);
	log_configure();
}

TEST(log_level_drops_what_is_less_urgent)
{
	capture_begin();
	set_level("log=warn");
	log_info("test", "unheard");
	log_debug("test", "unheard");
	log_warn("test", "heard 1");
	log_error("test", "heard 2");
	set_level("log=debug");
	log_debug("test", "heard 3");
	set_level("log=info");
	log_debug("test", "unheard");
	capture_end();
	CHECK(strstr(capture.kept, "warn  test: heard 1\n") != NULL);
	CHECK(strstr(capture.kept, "error test: heard 2\n") != NULL);
	CHECK(strstr(capture.kept, "debug test: heard 3\n") != NULL);
	CHECK(strstr(capture.kept, "unheard") == NULL);
}

TEST(log_configure_takes_the_boot_option)
{
	char saved[BOOT_CMDLINE];

	memcpy(saved, boot_info.cmdline, sizeof(saved));
	capture_begin();
	strcpy(boot_info.cmdline, "quiet log=debug");
	log_configure();
	log_debug("test", "heard");
	strcpy(boot_info.cmdline, "log=debugging");
	log_configure();
	log_debug("test", "still heard");
	strcpy(boot_info.cmdline, "log=error");
	log_configure();
	log_warn("test", "unheard");
	set_level("log=info");
	capture_end();
	memcpy(boot_info.cmdline, saved, sizeof(saved));
	CHECK(strstr(capture.kept, "debug test: heard\n") != NULL);
	CHECK(strstr(capture.kept, "warn  log: boot option log=debugging is none of") != NULL);
	CHECK(strstr(capture.kept, "debug test: still heard\n") != NULL);
	CHECK(strstr(capture.kept, "unheard") == NULL);
}

/* Numbered lines, more than the ring holds. What fell out is a gap in the
 * positions: line i begins 7 i bytes behind the first one. */
TEST(log_ring_keeps_the_newest_lines)
{
	const unsigned lines = 20000;
	uint64_t pos;

	capture_begin();
	for (unsigned i = 0; i < lines; i++)
		log_raw("%06u", i);
	capture_end();
	pos = capture.begin;
	CHECK(log_read(&pos, capture.kept, BUF_SIZE) == LOG_RING_BYTES);
	CHECK(pos == capture.begin + 7 * lines);
	for (size_t i = 0; i < LOG_RING_BYTES; i++) {
		uint64_t at = 7 * lines - LOG_RING_BYTES + i;
		char line[8];

		snprintf(line, sizeof(line), "%06u\n", (unsigned)(at / 7));
		CHECK(capture.kept[i] == line[at % 7]);
	}
}

TEST(log_read_goes_on_where_it_stopped)
{
	char text[64] = "";
	uint64_t pos, behind;
	size_t used = 0, n;

	capture_begin();
	log_raw("a line to be read in pieces");
	capture_end();
	pos = capture.begin;
	while ((n = log_read(&pos, text + used, 5)) > 0) {
		CHECK(n <= 5);
		used += n;
	}
	CHECK(strcmp(text, "a line to be read in pieces\n") == 0);
	CHECK(pos == log_end());
	behind = pos + 1000;
	CHECK(log_read(&behind, text, sizeof(text)) == 0);
	CHECK(behind == pos + 1000);
	behind = UINT64_MAX;
	CHECK(log_read(&behind, text, sizeof(text)) == 0);
}

#define WRITERS 4
#define LINES   400

static struct cpu cpus[WRITERS];

static void *write_lines(void *arg)
{
	struct cpu *me = arg;

	host_this_cpu = me;
	for (unsigned i = 0; i < LINES; i++)
		log_info("race", "writer %u line %u", me->id, i);
	return NULL;
}

/* True if `text` consists of whole lines of the writers, each one's in order,
 * and their times never go back. */
static bool lines_whole(char *text)
{
	unsigned next[WRITERS] = { 0 };
	double last = 0;

	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		unsigned cpu, writer, number;
		double time;
		int length = 0;

		sscanf(line, "[%lf] cpu%u info  race: writer %u line %u%n", &time, &cpu, &writer,
		       &number, &length);
		if (length == 0 || line[length] != '\0' || cpu != writer || writer < 1 ||
		    writer > WRITERS || number != next[writer - 1]++ || time < last)
			return false;
		last = time;
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		if (next[i] != LINES)
			return false;
	}
	return true;
}

TEST(log_lines_of_many_cpus_stay_whole)
{
	pthread_t thread[WRITERS];
	char piece[100];
	uint64_t pos;

	capture_begin();
	for (unsigned i = 0; i < WRITERS; i++) {
		cpus[i].self = &cpus[i];
		cpus[i].id = i + 1; /* CPU 0 is the reader */
		if (pthread_create(&thread[i], NULL, write_lines, &cpus[i]) != 0)
			abort();
	}
	pos = capture.begin;
	for (unsigned i = 0; i < LINES; i++) /* a reader in between */
		log_read(&pos, piece, sizeof(piece));
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	capture_end();
	CHECK(lines_whole(capture.shown));
}

static void report_fault(int signal)
{
	(void)signal;
	log_error("test", "fault inside the logger");
	_exit(0);
}

static void fault_in_logger(void)
{
	const char *volatile bad = (const char *)8;

	signal(SIGSEGV, report_fault);
	log_info("test", "%s", bad);
}

/* A fault that strikes while the lock is held must not wait for that lock. */
TEST(log_reports_a_fault_inside_itself)
{
	static struct child c;

	child_run(&c, fault_in_logger);
	CHECK(!c.failed);
	CHECK(child_said(&c, "error test: fault inside the logger\n") == 1);
}
