/* SPDX-License-Identifier: MIT */
/* What native programs expect of their C library, as far as it rests on the port. */
#include <errno.h>
#include <lib/libc/libc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <test/test.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS  2000

TEST(libc_formats_numbers)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %s %.3f %lx", -5, "five", 1.0 / 3, 255ul);

	CHECK(n == 16 && strcmp(text, "-5 five 0.333 ff") == 0);
	CHECK(strtod("2.5e3", NULL) == 2500.0 && fabs(sqrt(2.0) - 1.41421356) < 1e-8);
}

TEST(libc_allocates_and_gives_back)
{
	static char *piece[512];

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 512; i++) {
			size_t size = 16 + i * 97 % 40000;
			piece[i] = malloc(size);
			CHECK(piece[i] != NULL);
			memset(piece[i], (int)i, size);
		}
		for (unsigned i = 0; i < 512; i++)
			CHECK(piece[i][0] == (char)i && piece[i][15] == (char)i);
		for (unsigned i = 0; i < 512; i++)
			free(piece[i]);
	}
}

TEST(libc_gives_zeroed_memory_again)
{
	const size_t size = 1 << 20;

	for (unsigned round = 0; round < 3; round++) {
		unsigned char *p = calloc(1, size);
		unsigned sum = 0;

		CHECK(p != NULL);
		for (size_t i = 0; i < size; i += 512)
			sum += p[i];
		CHECK(sum == 0);
		memset(p, 0xff, size);
		free(p);
	}
}

TEST(libc_refuses_more_than_there_is)
{
	errno = 0;
	void *p = malloc(1ull << 40);
	CHECK(p == NULL && errno == ENOMEM);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static unsigned counter, turn;
static _Thread_local unsigned own;

static void *count(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
		own++;
	}
	return own == ROUNDS ? arg : NULL;
}

TEST(libc_threads_exclude_each_other)
{
	pthread_t thread[THREADS];
	void *result;

	counter = 0;
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, count, &turn) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], &result) == 0 && result == &turn);
	CHECK(counter == THREADS * ROUNDS && own == 0);
}

static void *take_turns(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 50; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % THREADS != me)
			pthread_cond_wait(&turned, &mutex);
		turn++;
		pthread_cond_broadcast(&turned);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(libc_threads_wait_for_conditions)
{
	pthread_t thread[THREADS];

	turn = 0;
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, take_turns, (void *)(uintptr_t)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
	CHECK(turn == 50 * THREADS);
}

static _Atomic unsigned ended;

static void *end_at_once(void *arg)
{
	atomic_fetch_add(&ended, 1);
	return arg;
}

/* More than there are slots and stacks at a time: what ends is used again. */
TEST(libc_detached_threads_leave_nothing)
{
	pthread_attr_t attr;

	ended = 0;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (unsigned i = 0; i < 2 * LIBC_THREADS; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, &attr, end_at_once, NULL);

		while (error == EAGAIN) {
			usleep(1000);
			error = pthread_create(&thread, &attr, end_at_once, NULL);
		}
		CHECK(error == 0);
	}
	while (atomic_load(&ended) < 2 * LIBC_THREADS)
		usleep(1000);
	CHECK(ended == 2 * LIBC_THREADS);
}

TEST(libc_sleeps_at_least_so_long)
{
	struct timespec before, after, span = { 0, 20000000 };

	CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
	CHECK(nanosleep(&span, NULL) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >=
	      20000000);
}

TEST(libc_wait_ends_at_its_deadline)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 5000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	int error = pthread_cond_timedwait(&turned, &mutex, &t);
	pthread_mutex_unlock(&mutex);
	CHECK(error == ETIMEDOUT);
}

TEST(libc_has_no_files)
{
	CHECK(fopen("/etc/passwd", "r") == NULL && errno == ENOENT);
	CHECK(getchar() == EOF);
}
