/* SPDX-License-Identifier: MIT */
/* The output of a program, where it has none of its own: to the capability "log". */
#include <lib/libc/libc.h>
#include <lib/program/output.h>
#include <lib/program/program.h>
#include <pthread.h>

static bool send(uint32_t level, const char *text, size_t size)
{
	static struct log_write_req req; /* it is much for a stack */
	static uint64_t number;
	struct log_write_rep rep;

	req = (struct log_write_req){
		.number = ++number,
		.time = libc_now(),
		.level = level,
		.cpu = LOG_CPU_UNKNOWN,
		.size = (uint16_t)size,
	};
	memcpy(req.text, text, size);
	return log_write(program_cap("log"), &req, &rep, NULL) == ST_OK;
}

/* Who has no log has nobody who would read it. */
void libc_write(int level, const char *bytes, size_t size)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static struct output output = { .send = send };

	if (program_cap("log") == CAP_NONE)
		return;
	pthread_mutex_lock(&mutex);
	output_add(&output, level, bytes, size);
	pthread_mutex_unlock(&mutex);
}
