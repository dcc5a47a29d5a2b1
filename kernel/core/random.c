/* SPDX-License-Identifier: MIT */
#include <core/random.h>
#include <core/assert.h>
#include <core/blake2s.h>
#include <core/boot.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <core/wipe.h>

/* Jitter: one bit of entropy is credited to 16 samples, which is a small
 * part of what such timings are found to hold. A machine that has not given
 * enough after JITTER_TRIES samples never will. */
#define JITTER_SAMPLES (RANDOM_SEED * 8 * 16)
#define JITTER_TRIES   (JITTER_SAMPLES * 16)
#define JITTER_TABLE   1024
#define JITTER_STEPS   64

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANDOM);

/* Guarded by lock. */
static uint8_t pool[BLAKE2S_HASH];
static uint8_t key[BLAKE2S_HASH];

static _Atomic bool seeded;
static _Atomic uint64_t requests;

/* out = hash of `use` and `data`, keyed by `by`, which it may take the place of: a different one
 * for each use. */
static void keyed_hash(const uint8_t by[BLAKE2S_HASH], char use, const void *data, size_t size,
		       uint8_t out[BLAKE2S_HASH])
{
	struct blake2s s;

	blake2s_init(&s, by, BLAKE2S_HASH);
	blake2s_update(&s, &use, sizeof(use));
	blake2s_update(&s, data, size);
	blake2s_final(&s, out);
	wipe(&s, sizeof(s));
}

/* Adds `size` bytes to the pool, which have an effect from the next renewal of the key on, and
 * erases them. */
static void mix(void *data, size_t size)
{
	spin_lock(&lock);
	keyed_hash(pool, 'm', data, size, pool);
	spin_unlock(&lock);
	wipe(data, size);
}

/* Renews the key from itself and the pool. The pool moves on, so that it does
 * not tell the key that it made. */
static void renew_key(void)
{
	uint64_t now = arch_cycles(); /* nobody credits it */

	mix(&now, sizeof(now));
	spin_lock(&lock);
	keyed_hash(pool, 'k', key, sizeof(key), key);
	keyed_hash(pool, 'p', NULL, 0, pool);
	spin_unlock(&lock);
}

/* A source that is broken repeats itself, or gives nothing but zeros or ones;
 * a good one does so once in 2^63 words. */
static bool is_stuck(const uint8_t *data, size_t size)
{
	uint64_t last = 0, word;

	for (size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
		__builtin_memcpy(&word, data + at, sizeof(word));
		if (word == last || word == UINT64_MAX)
			return true;
		last = word;
	}
	return false;
}

/* The three sources of random_init return the bytes of entropy to credit. */

static size_t mix_hardware(const char **name)
{
	uint8_t data[RANDOM_SEED];
	size_t size = arch_random_seed(data, sizeof(data), name);

	if (is_stuck(data, size)) {
		log_warn("random", "%s repeats itself and is not used", *name);
		return 0;
	}
	mix(data, size);
	return size;
}

static size_t mix_boot_seed(void)
{
	size_t size = boot_info.seed_size;

	if (size > BOOT_SEED || is_stuck(boot_info.seed, size)) {
		log_warn("random", "the boot seed is not random and not used");
		size = 0;
	}
	mix(boot_info.seed, sizeof(boot_info.seed));
	boot_info.seed_size = 0;
	return size;
}

/* Cycles that a walk through a table takes. The number of instructions is always
 * the same, so the result varies only if the machine does. */
static uint64_t time_walk(void)
{
	static volatile uint8_t table[JITTER_TABLE];
	uint64_t begin = arch_cycles();
	uint32_t at = (uint32_t)begin % JITTER_TABLE;

	for (unsigned step = 0; step < JITTER_STEPS; step++) {
		table[at] = (uint8_t)(table[at] + at + step);
		at = (at * 5 + table[at] + 1) % JITTER_TABLE;
	}
	return arch_cycles() - begin;
}

/* Only a sample that differs from the last one, and does so by another amount
 * than that did, and that by another change, is credited. */
static size_t mix_jitter(void)
{
	uint64_t last = 0, last_change = 0, last_bend = 0;
	uint8_t hash[BLAKE2S_HASH];
	unsigned good = 0;
	struct blake2s s;

	blake2s_init(&s, NULL, 0);
	for (unsigned tries = 0; tries < JITTER_TRIES && good < JITTER_SAMPLES; tries++) {
		uint64_t sample = time_walk();
		uint64_t change = sample - last, bend = change - last_change;

		if (change != 0 && bend != 0 && bend != last_bend)
			good++;
		blake2s_update(&s, &sample, sizeof(sample));
		last = sample;
		last_change = change;
		last_bend = bend;
	}
	blake2s_final(&s, hash);
	mix(hash, sizeof(hash));
	wipe(&s, sizeof(s));
	return good == JITTER_SAMPLES ? RANDOM_SEED : 0;
}

void random_init(void)
{
	const char *hardware = NULL;
	bool jitter = false;

	size_t from_hardware = mix_hardware(&hardware);
	size_t from_seed = mix_boot_seed();
	if (from_hardware + from_seed < RANDOM_SEED) {
		jitter = true;
		if (mix_jitter() < RANDOM_SEED)
			boot_refuse("no source of randomness: no hardware source, no boot seed, "
				    "and the timer does not vary");
	}
	renew_key();
	atomic_store(&seeded, true);
	log_info("random", "seeded from %s%s%s%s%s", from_hardware > 0 ? hardware : "",
		 from_hardware > 0 && (from_seed > 0 || jitter) ? ", " : "",
		 from_seed > 0 ? "boot seed" : "", from_seed > 0 && jitter ? ", " : "",
		 jitter ? "timer jitter" : "");
}

void random_bytes(void *out, size_t size)
{
	uint8_t subkey[BLAKE2S_HASH], block[BLAKE2S_HASH];
	uint8_t *to = out;
	const char *name;

	ASSERT(atomic_load(&seeded));
	ASSERT(size <= RANDOM_MAX);
	if (atomic_fetch_add(&requests, 1) % RANDOM_RESEED == RANDOM_RESEED - 1) {
		/* Hardware that fails now does no harm: the pool keeps what it has. */
		mix_hardware(&name);
		renew_key();
	}
	/* A key for this answer and the next key of its own, made out of the same: neither tells
	 * the other, and the key that made both is gone. */
	spin_lock(&lock);
	keyed_hash(key, 's', NULL, 0, subkey);
	keyed_hash(key, 'n', NULL, 0, key);
	spin_unlock(&lock);
	for (size_t i = 0; i < size; i++) {
		if (i % sizeof(block) == 0)
			keyed_hash(subkey, 'b', &i, sizeof(i), block);
		to[i] = block[i % sizeof(block)];
	}
	wipe(block, sizeof(block));
	wipe(subkey, sizeof(subkey));
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}
