/* SPDX-License-Identifier: MIT */
#include "../time.h"
#include "../firmware.h"
#include "../irq.h"
#include "../regs.h"
#include "smp_call.h"
#include <arch/arch.h>
#include <core/test/timer_next.h>
#include <core/timer.h>
#include <test/test.h>

#define MS          1000000ull
#define HOUR        (3600 * 1000 * MS)
#define PM_TIMER_HZ 3579545ull

static _Atomic uint32_t wrong;
static _Atomic uint64_t barrier;

static void wrong_if(bool it_is)
{
	if (it_is)
		atomic_fetch_add(&wrong, 1);
}

static void read_on(void *arg)
{
	uint64_t rounds = *(const uint64_t *)arg, last = 0;

	for (uint64_t n = 0; n < rounds; n++) {
		uint64_t now = time_now();
		wrong_if(now < last);
		last = now;
	}
}

TEST(time_never_goes_back_on_a_cpu)
{
	uint64_t rounds = test_rounds(20000);

	atomic_store(&wrong, 0);
	smp_call(cpu_online_mask(), read_on, &rounds);
	CHECK(atomic_load(&wrong) == 0);
}

/* The latest reading of any CPU and, in the lowest bits, whose it was. */
#define READING_CPU 63ull
static _Atomic uint64_t posted;
static _Atomic uint64_t crossings;

/* Nobody waits for anybody here: every reading is a message to all, and every
 * CPU looks at whatever is there before it reads its own clock. */
static void post_readings(void *arg)
{
	uint64_t rounds = *(const uint64_t *)arg;
	uint64_t self = arch_this_cpu()->id;

	smp_meet(&barrier, cpu_count());
	for (uint64_t n = 0; n < rounds; n++) {
		uint64_t message = atomic_load(&posted);
		uint64_t now = time_now();

		wrong_if(now < (message & ~READING_CPU));
		if ((message & READING_CPU) != self)
			atomic_fetch_add(&crossings, 1);
		atomic_compare_exchange_strong(&posted, &message, (now & ~READING_CPU) | self);
	}
}

TEST(time_never_goes_back_between_cpus)
{
	uint64_t rounds = test_rounds(100000);

	if (cpu_count() == 1)
		SKIP("needs two CPUs");
	atomic_store(&wrong, 0);
	atomic_store(&crossings, 0);
	atomic_store(&posted, time_now() & ~READING_CPU);
	smp_call(cpu_online_mask(), post_readings, &rounds);
	CHECK(atomic_load(&wrong) == 0);
	CHECK(atomic_load(&crossings) > 0);
}

/* Made-up clocks, each CPU's ahead of or behind the others' in turn. */
static _Atomic uint64_t clamp_latest;

static void clamp_readings(void *arg)
{
	uint64_t rounds = *(const uint64_t *)arg, last = 0;
	uint64_t self = arch_this_cpu()->id;

	smp_meet(&barrier, cpu_count());
	for (uint64_t n = 0; n < rounds; n++) {
		uint64_t reading = n * 10 + (n * 7 + self * 13) % 100;
		uint64_t message = atomic_load(&clamp_latest);
		uint64_t now = time_clamp(&clamp_latest, reading);

		wrong_if(now < reading || now < message || now < last);
		last = now;
	}
}

TEST(time_clamp_holds_back_nothing_and_nobody)
{
	_Atomic uint64_t latest = 5;
	uint64_t rounds = test_rounds(10000);

	CHECK(time_clamp(&latest, 7) == 7);
	CHECK(time_clamp(&latest, 3) == 7);
	CHECK(time_clamp(&latest, 7) == 7);
	CHECK(time_clamp(&latest, 8) == 8);
	CHECK(atomic_load(&latest) == 8);

	atomic_store(&wrong, 0);
	atomic_store(&clamp_latest, 0);
	smp_call(cpu_online_mask(), clamp_readings, &rounds);
	CHECK(atomic_load(&wrong) == 0);
}

/* Both ends of the span are taken between two readings of our clock, so that it
 * does not matter how long either reading takes. */
TEST(time_runs_at_the_rate_of_the_acpi_timer)
{
	const struct acpi_register *pm = &firmware.pm_timer;

	if (pm->address == 0 || pm->space != ACPI_SPACE_IO)
		SKIP("no ACPI timer");
	uint16_t port = (uint16_t)pm->address;
	uint64_t before0 = time_now();
	uint32_t ticks0 = in32(port);
	uint64_t after0 = time_now();
	time_wait(50 * MS);
	uint64_t before1 = time_now();
	uint32_t ticks1 = in32(port);
	uint64_t after1 = time_now();

	uint64_t ns = ((ticks1 - ticks0) & 0xffffff) * 1000000000ull / PM_TIMER_HZ;
	CHECK(before1 - after0 >= 50 * MS);
	CHECK((before1 - after0) / 1000 * 998 <= ns);
	CHECK((after1 - before0) / 1000 * 1002 >= ns);
}

#define TIMERS 100

/* Each CPU's own. */
static struct timers {
	struct ktimer timer[TIMERS];
	uint64_t latest;        /* deadline of the last that fired */
	_Atomic uint32_t fired; /* of timer[] */
	_Atomic uint32_t early, disordered, elsewhere;
} timers[CPU_MAX];

static void note_firing(struct ktimer *t)
{
	struct timers *own = &timers[arch_this_cpu()->id];

	if (t < own->timer || t >= own->timer + TIMERS)
		atomic_fetch_add(&own->elsewhere, 1);
	if (time_now() < t->deadline)
		atomic_fetch_add(&own->early, 1);
	if (t->deadline < own->latest)
		atomic_fetch_add(&own->disordered, 1);
	own->latest = t->deadline;
	atomic_fetch_add(&own->fired, 1);
}

static void set_timers(void *arg)
{
	struct timers *own = &timers[arch_this_cpu()->id];
	uint64_t now = time_now();

	(void)arg;
	*own = (struct timers){ 0 };
	for (unsigned i = 0; i < TIMERS; i++)
		timer_set(&own->timer[i], now + i * 37 % TIMERS * MS / 20, note_firing);
}

TEST(timer_fires_in_order_and_not_early)
{
	smp_call(cpu_online_mask(), set_timers, NULL);
	for (uint32_t i = cpu_count(); i-- > 0;) {
		while (atomic_load(&timers[i].fired) < TIMERS)
			i == 0 ? arch_cpu_idle() : smp_spin();
	}
	for (uint32_t i = 0; i < cpu_count(); i++) {
		CHECK(atomic_load(&timers[i].early) == 0);
		CHECK(atomic_load(&timers[i].disordered) == 0);
		CHECK(atomic_load(&timers[i].elsewhere) == 0);
	}
	CHECK(timer_next() == TIMER_NEVER);
}

static void set_far_timer(void *arg)
{
	timer_set(arg, time_now() + HOUR, note_firing);
}

static _Atomic uint64_t next_there;

static void ask_next(void *arg)
{
	(void)arg;
	atomic_store(&next_there, timer_next());
}

TEST(timer_is_cancelled_from_another_cpu)
{
	static struct ktimer t;

	if (cpu_count() == 1)
		SKIP("needs two CPUs");
	smp_call(2, set_far_timer, &t);
	smp_call(2, ask_next, NULL);
	CHECK(atomic_load(&next_there) == t.deadline);
	CHECK(timer_cancel(&t));
	CHECK(!timer_cancel(&t));
	smp_call(2, ask_next, NULL);
	CHECK(atomic_load(&next_there) == TIMER_NEVER);
}

static uint64_t taken_by(uint32_t cpu)
{
	return atomic_load(&irq_counts(cpu)->taken);
}

static void set_one_timer(void *arg)
{
	struct timers *own = &timers[arch_this_cpu()->id];

	(void)arg;
	*own = (struct timers){ 0 };
	timer_set(&own->timer[0], time_now(), note_firing);
}

/* The CPU that waits is not idle, the others are, each after a timer. */
TEST(timer_leaves_an_idle_cpu_alone)
{
	uint64_t before[CPU_MAX];

	if (cpu_count() == 1)
		SKIP("needs two CPUs");
	smp_call(smp_others(), set_one_timer, NULL);
	for (uint32_t i = 1; i < cpu_count(); i++) {
		while (atomic_load(&timers[i].fired) == 0 || !atomic_load(&cpu_by_id[i]->idle))
			smp_spin();
		before[i] = taken_by(i);
	}
	time_wait(100 * MS);
	for (uint32_t i = 1; i < cpu_count(); i++) {
		CHECK(atomic_load(&cpu_by_id[i]->idle));
		CHECK(taken_by(i) == before[i]);
	}
}

static void note_time(struct ktimer *t)
{
	(void)t;
	atomic_fetch_add(&timers[0].fired, 1);
}

/* From one timer to the next: one interrupt, or two or three if the rates were
 * measured a little wrong and the first was early. */
TEST(timer_wakes_an_idle_cpu_once)
{
	static struct ktimer t;
	uint64_t before = taken_by(0), deadline = time_now() + 100 * MS;

	atomic_store(&timers[0].fired, 0);
	timer_set(&t, deadline, note_time);
	while (atomic_load(&timers[0].fired) == 0)
		arch_cpu_idle();
	CHECK(time_now() >= deadline);
	CHECK(taken_by(0) - before <= 3);
}
