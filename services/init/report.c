/* SPDX-License-Identifier: MIT */
#include "report.h"
#include <lib/libc/libc.h>
#include <machine_init.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINES         64
#define LINE          160 /* bytes, with the zero byte */
#define FLUSH_SECONDS 2

struct line {
	uint64_t time;
	uint32_t level;
	char text[LINE];
};

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t filled, emptied;
	struct line line[LINES]; /* guarded, as what follows; number n is at n % LINES */
	uint64_t first, next;    /* numbers, from 1 on */
	uint64_t lost;
	bool without_log;
	cap_t log, ports; /* constant */
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER,
	    .first = 1, .next = 1 };

static void say_on_serial(const struct line *l)
{
	char text[LINE + 32];
	uint64_t us = l->time / 1000;

	if (queue.ports == CAP_NONE)
		return;
	snprintf(text, sizeof(text), "[%5llu.%06llu] init: %s\r\n",
		 (unsigned long long)us / 1000000, (unsigned long long)us % 1000000, l->text);
	for (const char *c = text; *c != '\0'; c++)
		machine_put(queue.ports, *c);
}

/* Waits for the log if it is dead for a moment. False: it has died with the line in hand. */
static bool say_to_log(const struct line *l, uint64_t number)
{
	static struct log_write_req req; /* there is one thread that writes */
	struct log_write_rep rep;

	req = (struct log_write_req){
		.number = number, .time = l->time, .level = l->level, .cpu = LOG_CPU_UNKNOWN
	};
	req.size = (uint16_t)strlen(l->text);
	memcpy(req.text, l->text, req.size);
	return log_write(queue.log, &req, &rep, NULL) != ST_PEER_GONE;
}

/* The oldest line, when there is one. */
static uint64_t wait_for_line(struct line *l, bool *without_log)
{
	pthread_mutex_lock(&queue.mutex);
	while (queue.first == queue.next)
		pthread_cond_wait(&queue.filled, &queue.mutex);
	uint64_t number = queue.first;
	*l = queue.line[number % LINES];
	*without_log = queue.without_log;
	pthread_mutex_unlock(&queue.mutex);
	return number;
}

static void forget_line(uint64_t number)
{
	pthread_mutex_lock(&queue.mutex);
	if (queue.first == number)
		queue.first++;
	if (queue.first == queue.next)
		pthread_cond_broadcast(&queue.emptied);
	pthread_mutex_unlock(&queue.mutex);
}

static void *write_lines(void *nothing)
{
	static struct line l;
	bool without_log;

	for (;;) {
		uint64_t number = wait_for_line(&l, &without_log);
		if (without_log)
			say_on_serial(&l);
		else if (!say_to_log(&l, number))
			continue;
		forget_line(number);
	}
	return nothing;
}

bool report_init(cap_t log, cap_t ports)
{
	pthread_t thread;

	queue.log = log;
	queue.ports = ports;
	queue.without_log = log == CAP_NONE;
	return pthread_create(&thread, NULL, write_lines, NULL) == 0;
}

/* Takes a place at the end; the mutex is held. */
static struct line *add_line(enum log_level level)
{
	if (queue.next - queue.first == LINES) {
		queue.first++;
		queue.lost++;
	}
	struct line *l = &queue.line[queue.next++ % LINES];
	l->time = libc_now();
	l->level = level;
	return l;
}

void report(enum log_level level, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&queue.mutex);
	if (queue.lost > 0 && queue.next - queue.first < LINES) {
		struct line *l = add_line(LOG_WARNING);
		snprintf(l->text, LINE, "%llu lines of mine were lost",
			 (unsigned long long)queue.lost);
		queue.lost = 0;
	}
	struct line *l = add_line(level);
	va_start(args, format);
	vsnprintf(l->text, LINE, format, args);
	va_end(args);
	pthread_cond_signal(&queue.filled);
	pthread_mutex_unlock(&queue.mutex);
}

void report_without_log(void)
{
	pthread_mutex_lock(&queue.mutex);
	queue.without_log = true;
	pthread_mutex_unlock(&queue.mutex);
}

void report_flush(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += FLUSH_SECONDS;
	pthread_mutex_lock(&queue.mutex);
	while (queue.first != queue.next &&
	       pthread_cond_timedwait(&queue.emptied, &queue.mutex, &until) == 0)
		;
	pthread_mutex_unlock(&queue.mutex);
}
