/* SPDX-License-Identifier: MIT */
/* Does what the tester wants it to, most of which it does not survive. */
#include "common.h"
#include <lib/program/program.h>
#include <lib/sys/calls.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* What lies on its stack needs a frame. */
__attribute__((noinline)) static void victim_inner(volatile int *at)
{
	volatile int on_stack[4] = { 1, 2, 3, 4 };

	*at = on_stack[1];
	on_stack[2] = 5;
}

__attribute__((noinline)) static void victim_outer(volatile int *at)
{
	victim_inner(at);
	__asm__ volatile("");
}

static void *flood(void *nothing)
{
	const struct program_block *b = program_block();
	struct supervisor_find_req req = { "nothing" };
	struct supervisor_find_rep rep;
	struct msg_cap caps[MSG_CAPS];

	(void)nothing;
	for (;;) {
		if (supervisor_find(b->supervisor, &req, &rep, caps) == ST_OK)
			abort();
	}
	return NULL;
}

/* Several at once. */
static void begin_flood(void)
{
	pthread_t thread;

	for (unsigned i = 0; i < 3; i++) {
		if (pthread_create(&thread, NULL, flood, NULL) != 0)
			common_fail("no thread");
	}
}

static void vanish(void)
{
	begin_flood();
	for (unsigned i = 0; i < 20; i++)
		(void)sys_thread_yield(program_block()->thread);
	victim_outer((volatile int *)32);
}

static void crowd(void)
{
	cap_t note;

	for (unsigned i = 0; i < 600; i++) {
		if (sys_notification_create(program_block()->quota, &note) != ST_OK)
			common_fail("no note");
	}
	victim_outer((volatile int *)0xbad000);
}

/* Comes back to a CPU in the middle of what others do there, and keeps it. */
static void *spin(void *nothing)
{
	const struct timespec while_others_work = { .tv_nsec = 50000000 };

	(void)nanosleep(&while_others_work, NULL);
	for (;;)
		__asm__ volatile("");
	return nothing;
}

/* On all CPUs. */
static void spin_everywhere(void)
{
	pthread_t thread;

	(void)sys_notification_signal(program_block()->alive, UINT64_MAX);
	for (unsigned i = 1; i < program_block()->cpus; i++) {
		if (pthread_create(&thread, NULL, spin, NULL) != 0)
			common_fail("no thread");
	}
	(void)spin(NULL);
}

int main(void)
{
	(void)common_loop();
	switch (common_hello()) {
	case ROLE_FAULT:
		victim_outer((volatile int *)0xbad000);
		break;
	case ROLE_EXIT:
		exit(0);
	case ROLE_FAIL:
		exit(3);
	case ROLE_HANG:
		(void)sys_notification_signal(program_block()->alive, UINT64_MAX);
		for (;;)
			(void)sys_thread_suspend(program_block()->thread);
	case ROLE_FLOOD:
		begin_flood();
		break;
	case ROLE_NOISE:
		for (;;)
			(void)sys_notification_signal(program_block()->alive, UINT64_MAX);
	case ROLE_VANISH:
		vanish();
		break;
	case ROLE_CROWD:
		crowd();
		break;
	case ROLE_SPIN:
		spin_everywhere();
		break;
	case ROLE_WAIT:
		break;
	}
	common_run();
}
