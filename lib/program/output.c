/* SPDX-License-Identifier: MIT */
/* What a program says, line by line to the log, where it has no output of its own. */
#include <lib/libc/libc.h>
#include <lib/program/program.h>
#include <proto/log.h>
#include <pthread.h>
#include <stdio.h>

/* A line that has begun. One for each file: parts of them do not mix. */
struct line {
	size_t size;
	char text[LOG_TEXT];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct line lines[2];
static uint64_t sent; /* number of the last entry */
static uint64_t lost; /* lines that the log did not take */

static bool send(cap_t log, uint32_t level, const char *text, size_t size)
{
	static struct log_write_req req; /* it is much for a stack */
	struct log_write_rep rep;

	req = (struct log_write_req){
		.number = ++sent,
		.time = libc_now(),
		.level = level,
		.cpu = LOG_CPU_UNKNOWN,
		.size = (uint16_t)size,
	};

	memcpy(req.text, text, size);
	return log_write(log, &req, &rep, NULL) == ST_OK;
}

/* What was lost is said before what comes after it. */
static bool tell_lost(cap_t log)
{
	char text[64];

	if (lost == 0)
		return true;
	int size = snprintf(text, sizeof(text), "%llu lines were lost", (unsigned long long)lost);
	if (!send(log, LOG_WARNING, text, (size_t)size))
		return false;
	lost = 0;
	return true;
}

static void end_line(cap_t log, struct line *l, uint32_t level)
{
	if (!tell_lost(log) || !send(log, level, l->text, l->size))
		lost++;
	l->size = 0;
}

void libc_write(int level, const char *bytes, size_t size)
{
	struct line *l = &lines[level == 2];
	const uint32_t log_level = level == 2 ? LOG_ERROR : LOG_INFO;
	const cap_t log = program_cap("log");

	if (log == CAP_NONE)
		return;
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || l->size == LOG_TEXT)
			end_line(log, l, log_level);
		if (bytes[i] != '\n')
			l->text[l->size++] = bytes[i];
	}
	if (size == 0 && l->size > 0)
		end_line(log, l, log_level);
	pthread_mutex_unlock(&mutex);
}
