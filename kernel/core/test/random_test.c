/* SPDX-License-Identifier: MIT */
#include "child.h"
#include <arch/arch.h>
#include <arch/host/random.h>
#include <core/boot.h>
#include <core/log.h>
#include <core/random.h>
#include <stdio.h>
#include <string.h>
#include <test/test.h>

static struct child c;

/* The line that random_init logs. */
static void init_line(char *line, size_t size)
{
	static char scratch[LOG_RING_BYTES];
	uint64_t pos = 0;
	const char *text;

	while (log_read(&pos, scratch, sizeof(scratch)) > 0)
		continue;
	random_init();
	size_t got = log_read(&pos, scratch, sizeof(scratch) - 1);
	scratch[got] = '\0';
	text = strstr(scratch, "info  random: ");
	snprintf(line, size, "%s", text == NULL ? "" : text);
}

static void give_boot_seed(void)
{
	for (unsigned i = 0; i < BOOT_SEED; i++)
		boot_info.seed[i] = (uint8_t)(i * 37 + 1);
	boot_info.seed_size = BOOT_SEED;
}

TEST(random_init_names_its_sources)
{
	char line[LOG_LINE_MAX];

	init_line(line, sizeof(line));
	CHECK(strcmp(line, "info  random: seeded from getrandom\n") == 0);
	give_boot_seed();
	init_line(line, sizeof(line));
	CHECK(strcmp(line, "info  random: seeded from getrandom, boot seed\n") == 0);
}

/* Tests that change what the host port stands in for do so in a child. */

static void init_without_hardware(void)
{
	host_random_source = HOST_RANDOM_ABSENT;
	give_boot_seed();
	random_init();
	random_u64();
}

TEST(random_init_is_content_with_a_boot_seed)
{
	child_run(&c, init_without_hardware);
	CHECK(!c.failed);
	CHECK(child_said(&c, "random: seeded from boot seed\n") == 1);
}

static void init_from_jitter(void)
{
	host_random_source = HOST_RANDOM_ABSENT;
	random_init();
	random_u64();
}

TEST(random_init_collects_jitter_without_other_sources)
{
	child_run(&c, init_from_jitter);
	CHECK(!c.failed);
	CHECK(child_said(&c, "random: seeded from timer jitter\n") == 1);
}

static void init_from_too_little(void)
{
	host_random_source = HOST_RANDOM_SHORT;
	random_init();
}

TEST(random_init_adds_jitter_to_too_little)
{
	child_run(&c, init_from_too_little);
	CHECK(!c.failed);
	CHECK(child_said(&c, "random: seeded from getrandom, timer jitter\n") == 1);
}

static void init_from_stuck_hardware(void)
{
	host_random_source = HOST_RANDOM_STUCK;
	random_init();
}

TEST(random_init_refuses_stuck_hardware)
{
	child_run(&c, init_from_stuck_hardware);
	CHECK(!c.failed);
	CHECK(child_said(&c, "warn  random: getrandom repeats itself and is not used\n") == 1);
	CHECK(child_said(&c, "random: seeded from timer jitter\n") == 1);
}

static void init_from_nothing(void)
{
	host_random_source = HOST_RANDOM_ABSENT;
	host_cycles_step = 1000;
	random_init();
}

TEST(random_init_refuses_a_machine_without_randomness)
{
	child_run(&c, init_from_nothing);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "boot: cannot start: no source of randomness") == 1);
	CHECK(child_said(&c, "seeded") == 0);
}

TEST(random_key_is_renewed_from_hardware)
{
	random_init();
	uint64_t before = host_random_calls;

	for (unsigned i = 0; i < 3 * RANDOM_RESEED; i++)
		random_u64();
	CHECK(host_random_calls == before + 3);
}

static void draw_without_init(void)
{
	random_u64();
}

/* A case begins with the core as it was linked: random_init has not run yet. */
TEST(random_bytes_before_random_init_is_fatal)
{
	child_run(&c, draw_without_init);
	CHECK(child_gave_up(&c));
	CHECK(child_said(&c, "panic: assertion failed: atomic_load(&seeded)") == 1);
}

TEST(random_requests_never_repeat)
{
	static uint8_t drawn[4096][16];

	random_init();
	for (unsigned i = 0; i < 4096; i++)
		random_bytes(drawn[i], sizeof(drawn[i]));
	for (unsigned i = 0; i < 4096; i++) {
		for (unsigned j = 0; j < i; j++)
			CHECK(memcmp(drawn[i], drawn[j], sizeof(drawn[i])) != 0);
	}
}

TEST(random_bytes_fills_exactly_what_it_is_given)
{
	uint8_t buf[200];

	random_init();
	for (size_t size = 0; size <= 130; size++) {
		uint8_t touched[200] = { 0 };

		/* A byte that is drawn stays 0xaa in all of 8 rounds once in 2^64. */
		for (unsigned round = 0; round < 8; round++) {
			memset(buf, 0xaa, sizeof(buf));
			random_bytes(buf, size);
			for (size_t i = 0; i < sizeof(buf); i++)
				touched[i] |= buf[i] != 0xaa;
		}
		for (size_t i = 0; i < sizeof(buf); i++)
			CHECK(touched[i] == (i < size));
	}
}

TEST(random_init_uses_up_the_boot_seed)
{
	static const uint8_t zero[BOOT_SEED];

	give_boot_seed();
	random_init();
	CHECK(boot_info.seed_size == 0);
	CHECK(memcmp(boot_info.seed, zero, sizeof(zero)) == 0);
}

/* One MiB against what fair coins give; the bounds are six standard deviations,
 * which chance passes once in 5e8 runs. */
TEST(random_output_looks_like_coins)
{
	static uint8_t data[RANDOM_MAX];
	uint64_t ones = 0, runs = 1, bits = sizeof(data) * 8;
	uint64_t count[256] = { 0 };
	double chi = 0, expected = sizeof(data) / 256.0;
	int last = -1;

	random_init();
	random_bytes(data, sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++) {
		count[data[i]]++;
		for (unsigned b = 0; b < 8; b++) {
			int bit = data[i] >> b & 1;
			ones += (uint64_t)bit;
			runs += last >= 0 && bit != last;
			last = bit;
		}
	}
	for (unsigned i = 0; i < 256; i++)
		chi += ((double)count[i] - expected) * ((double)count[i] - expected) / expected;

	/* Standard deviation sqrt(bits)/2, 1448.2, for both. */
	CHECK(ones > bits / 2 - 8690 && ones < bits / 2 + 8690);
	CHECK(runs > bits / 2 - 8690 && runs < bits / 2 + 8690);
	/* 255 degrees of freedom: mean 255, standard deviation 22.6. */
	CHECK(chi > 120 && chi < 391);
}
