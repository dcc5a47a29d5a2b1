/* SPDX-License-Identifier: MIT */
#include "time.h"
#include "feature.h"
#include "firmware.h"
#include "regs.h"
#include <abi/startup.h>
#include <arch/arch.h>
#include <core/boot.h>
#include <core/log.h>
#include <core/panic.h>
#include <dev/scale.h>
#include <core/timer.h>
#include <core/tlb.h>
#include <dev/lapic.h>
#include <dev/pit.h>

#define NS_PER_SECOND 1000000000ull

/* How long we look at a clock of known rate to learn the others'. Both ends are
 * read to about a microsecond, so the error is some 100 parts in a million. */
#define WINDOW_NS 5000000u

/* Each end of the window is the quickest of this many attempts: one that was
 * interrupted, by firmware or by the host of a virtual machine, took longer. */
#define MEASURE_TRIES 8
#define SAMPLE_TRIES  5

/* A clock that has not moved after this many readings is none. */
#define REFERENCE_READS 100000

#define PM_TIMER_HZ      3579545u
#define PM_TIMER_MASK    0xffffffu
#define PM_TIMER_MASK_32 0xffffffffu

/* CPUID leaves (Intel SDM volume 2; "CPUID usage for interaction between
 * hypervisors and Linux" for the last). */
#define LEAF_MAX            0x0u
#define LEAF_TSC_RATIO      0x15u
#define LEAF_FREQUENCY      0x16u
#define LEAF_HYPERVISOR     0x40000000u
#define LEAF_HYPERVISOR_TSC 0x40000010u
#define SIGNATURE_KVM       0x4b4d564bu /* "KVMK" */
#define SIGNATURE_VMWARE    0x61774d56u /* "VMwa" */

/* Rates outside of these are not believed. */
#define TSC_HZ_MIN 10000000ull
#define TSC_HZ_MAX 20000000000ull

#define WARP_ROUNDS 500

static struct {
	uint64_t tsc_base, tsc_hz;
	uint64_t lapic_hz;
	struct scale tsc_to_ns, ns_to_tsc, ns_to_lapic;
	bool deadline; /* the timer compares with the TSC */
} clock;

uint64_t time_ratio;
static _Atomic bool ready;
static _Atomic bool clamped;
static _Atomic uint64_t latest ALIGNED(64); /* reading of any CPU, while clamped */

static struct {
	_Atomic uint64_t last ALIGNED(64);
	_Atomic uint64_t step; /* furthest step back */
} warp;

/* The counter, read after everything that comes before has been done: a reading
 * must not be older than a message that was received. */
static uint64_t tsc_ordered(void)
{
	uint32_t low, high;

	if (LIKELY(cpu_has(FEATURE_RDTSCP)))
		__asm__ volatile("rdtscp" : "=a"(low), "=d"(high) : : "ecx", "memory");
	else
		__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

uint64_t time_clamp(_Atomic uint64_t *last, uint64_t now)
{
	uint64_t seen = atomic_load(last);

	while (seen < now) {
		if (atomic_compare_exchange_weak(last, &seen, now))
			return now;
	}
	return seen;
}

uint64_t arch_time_ns(void)
{
	if (UNLIKELY(!atomic_load_explicit(&ready, memory_order_relaxed)))
		return 0;
	uint64_t tsc = tsc_ordered();
	uint64_t ticks = tsc > clock.tsc_base ? tsc - clock.tsc_base : 0;
	uint64_t now = scale_apply(&clock.tsc_to_ns, ticks);
	return atomic_load_explicit(&clamped, memory_order_relaxed) ? time_clamp(&latest, now)
								    : now;
}

void arch_clock_scale(uint64_t *base, uint64_t *ratio)
{
	_Static_assert(SCALE_FRACTION == STARTUP_CLOCK_FRACTION, "scaled alike");
	*base = clock.tsc_base;
	*ratio = clock.tsc_to_ns.ratio;
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Rounds up: an interrupt that comes too early is taken for nothing. */
void arch_timer_arm(uint64_t deadline)
{
	if (clock.deadline) {
		uint64_t ticks = saturating_add(scale_apply(&clock.ns_to_tsc, deadline), 1);
		lapic_timer_set_deadline(
			deadline == TIMER_NEVER ? 0 : saturating_add(clock.tsc_base, ticks));
		return;
	}
	if (deadline == TIMER_NEVER) {
		lapic_timer_set(0);
		return;
	}
	uint64_t now = arch_time_ns();
	uint64_t count = scale_apply(&clock.ns_to_lapic, deadline > now ? deadline - now : 0);
	lapic_timer_set(count < UINT32_MAX ? (uint32_t)count + 1 : UINT32_MAX);
}

void time_wait(uint64_t ns)
{
	uint64_t end = arch_time_ns() + ns;

	while (arch_time_ns() < end) {
		tlb_serve();
		arch_cpu_relax();
	}
}

bool time_wait_for(_Atomic uint32_t *flag, uint32_t wanted, uint64_t ns)
{
	uint64_t end = arch_time_ns() + ns;

	while (atomic_load_explicit(flag, memory_order_acquire) != wanted) {
		if (arch_time_ns() >= end)
			return false;
		tlb_serve();
		arch_cpu_relax();
	}
	return true;
}

/* A counter of known rate. */
struct reference {
	const char *name;
	uint32_t hz, mask;
	uint32_t (*read)(void);
};

struct sample {
	uint64_t tsc;
	uint32_t lapic, reference;
};

static uint32_t pm_timer_read(void)
{
	return in32((uint16_t)firmware.pm_timer.address);
}

static bool moves(const struct reference *r)
{
	uint32_t first = r->read();

	for (unsigned n = 0; n < REFERENCE_READS; n++) {
		if (((r->read() - first) & r->mask) != 0)
			return true;
	}
	return false;
}

static bool reference_find(struct reference *out)
{
	const struct acpi_register *pm = &firmware.pm_timer;

	if (pm->space == ACPI_SPACE_IO && pm->address != 0 && pm->address <= UINT16_MAX) {
		*out = (struct reference){ "the ACPI timer", PM_TIMER_HZ,
					   firmware.pm_timer_32 ? PM_TIMER_MASK_32 : PM_TIMER_MASK,
					   pm_timer_read };
		if (moves(out))
			return true;
	}
	*out = (struct reference){ "the PIT", PIT_HZ, PIT_MASK, pit_read };
	return pit_start() && moves(out);
}

static struct sample sample_take(const struct reference *r)
{
	struct sample best = { 0 };
	uint64_t best_took = UINT64_MAX;

	for (unsigned n = 0; n < SAMPLE_TRIES; n++) {
		struct sample s;
		uint64_t before = tsc_ordered();
		s.lapic = lapic_timer_read();
		s.reference = r->read();
		s.tsc = tsc_ordered();
		uint64_t took = s.tsc - before;
		if (took < best_took) {
			best_took = took;
			best = s;
		}
	}
	return best;
}

/* Counts all three for a while. False: a host took the processor away for most of that
 * while, perhaps for so long that the reference went all the way round unseen. */
static bool measure_once(const struct reference *r, uint64_t *tsc_hz, uint64_t *lapic_hz)
{
	const uint32_t wanted = (uint32_t)((uint64_t)r->hz * WINDOW_NS / NS_PER_SECOND);
	uint64_t longest = 0;
	uint32_t passed;

	lapic_timer_set(UINT32_MAX);
	struct sample a = sample_take(r);
	uint64_t last = a.tsc;
	do {
		arch_cpu_relax();
		passed = (r->read() - a.reference) & r->mask;
		uint64_t now = tsc_ordered();
		if (now - last > longest)
			longest = now - last;
		last = now;
	} while (passed < wanted);
	struct sample b = sample_take(r);
	lapic_timer_set(0);

	uint64_t ticks = (b.reference - a.reference) & r->mask;
	*tsc_hz = (b.tsc - a.tsc) * r->hz / ticks;
	*lapic_hz = (uint64_t)(a.lapic - b.lapic) * r->hz / ticks;
	return longest <= (b.tsc - a.tsc) / 4 * 3;
}

/* A counter that goes round within a second is looked at again if that may have happened:
 * the PIT's takes 55 ms, ten times the window, so a wrap shows as a gap. */
static void measure(const struct reference *r, uint64_t *tsc_hz, uint64_t *lapic_hz)
{
	const bool short_range = r->mask / r->hz < 1;

	for (unsigned n = 0; n < MEASURE_TRIES; n++) {
		if (measure_once(r, tsc_hz, lapic_hz) || !short_range)
			return;
	}
	log_warn("time", "no undisturbed look at %s in %u tries; the clock may be wrong", r->name,
		 MEASURE_TRIES);
}

/* The rate as the processor or the hypervisor tells it; 0 if they don't. */
static uint64_t tsc_hz_told(void)
{
	if (cpuid(LEAF_MAX, 0).eax >= LEAF_TSC_RATIO) {
		struct cpuid r = cpuid(LEAF_TSC_RATIO, 0); /* ebx / eax of ecx Hz */
		if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
			return (uint64_t)r.ecx * r.ebx / r.eax;
	}
	if (!cpu_has(FEATURE_HYPERVISOR))
		return 0;
	struct cpuid h = cpuid(LEAF_HYPERVISOR, 0);
	if (h.eax < LEAF_HYPERVISOR_TSC || (h.ebx != SIGNATURE_KVM && h.ebx != SIGNATURE_VMWARE))
		return 0;
	return (uint64_t)cpuid(LEAF_HYPERVISOR_TSC, 0).eax * 1000;
}

/* The nominal rate of the processor, which is the counter's to within a percent
 * where there is nothing to measure it by. */
static uint64_t tsc_hz_nominal(void)
{
	if (cpuid(LEAF_MAX, 0).eax < LEAF_FREQUENCY)
		return 0;
	return (uint64_t)(cpuid(LEAF_FREQUENCY, 0).eax & 0xffff) * 1000000;
}

static bool is_tsc_rate(uint64_t hz)
{
	return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX;
}

/* The TSC's rate is known: the APIC timer's is counted by it. */
static uint64_t measure_lapic(uint64_t tsc_hz)
{
	uint64_t window = tsc_hz * WINDOW_NS / NS_PER_SECOND;

	lapic_timer_set(UINT32_MAX);
	uint64_t start = tsc_ordered(), passed;
	do {
		arch_cpu_relax();
		passed = tsc_ordered() - start;
	} while (passed < window);
	uint64_t count = UINT32_MAX - lapic_timer_read();
	lapic_timer_set(0);
	return count * tsc_hz / passed;
}

/* Returns the source of the rates that it finds. */
static const char *find_rates(void)
{
	struct reference r;

	clock.tsc_hz = tsc_hz_told();
	if (is_tsc_rate(clock.tsc_hz)) {
		if (!clock.deadline)
			clock.lapic_hz = measure_lapic(clock.tsc_hz);
		return "CPUID";
	}
	if (reference_find(&r)) {
		measure(&r, &clock.tsc_hz, &clock.lapic_hz);
		return r.name;
	}
	clock.tsc_hz = tsc_hz_nominal();
	if (!is_tsc_rate(clock.tsc_hz))
		boot_refuse("no clock to measure the time-stamp counter by");
	clock.lapic_hz = measure_lapic(clock.tsc_hz);
	return "the processor's nominal rate";
}

void time_init(void)
{
	clock.deadline = cpu_has(FEATURE_TSC_DEADLINE) && cpu_has(FEATURE_INVARIANT_TSC);
	lapic_timer_init(false);
	const char *source = find_rates();
	if (!is_tsc_rate(clock.tsc_hz) || (clock.lapic_hz == 0 && !clock.deadline))
		boot_refuse("the clocks make no sense: TSC %llu Hz, APIC timer %llu Hz by %s",
			    (unsigned long long)clock.tsc_hz, (unsigned long long)clock.lapic_hz,
			    source);

	clock.tsc_base = boot_info.start_tsc;
	scale_init(&clock.tsc_to_ns, clock.tsc_hz, NS_PER_SECOND);
	time_ratio = clock.tsc_to_ns.ratio;
	scale_init(&clock.ns_to_tsc, NS_PER_SECOND, clock.tsc_hz);
	scale_init(&clock.ns_to_lapic, NS_PER_SECOND, clock.lapic_hz);
	atomic_store(&clamped, !cpu_has(FEATURE_INVARIANT_TSC));
	time_cpu_init();
	atomic_store(&ready, true);
	log_info("time", "TSC %llu kHz by %s, %s; timer: %s",
		 (unsigned long long)clock.tsc_hz / 1000, source,
		 cpu_has(FEATURE_INVARIANT_TSC) ? "invariant"
						: "not invariant: held against the latest reading",
		 clock.deadline ? "TSC deadline" : "countdown");
}

void time_cpu_init(void)
{
	lapic_timer_init(clock.deadline);
}

/* What is read here was published before, so must not be later than our counter;
 * and what we publish, our counter had reached. No waiting for each other: most
 * rounds of two CPUs that are at it together meet. */
void time_warp_test(void)
{
	for (unsigned n = 0; n < WARP_ROUNDS; n++) {
		uint64_t seen = atomic_load(&warp.last);
		uint64_t now = tsc_ordered();

		if (now < seen)
			time_clamp(&warp.step, seen - now);
		else
			atomic_compare_exchange_strong(&warp.last, &seen, now);
		arch_cpu_relax();
	}
}

void time_warp_finish(void)
{
	uint64_t step = atomic_load(&warp.step);

	if (step == 0 || atomic_exchange(&clamped, true))
		return;
	/* What this CPU, so far alone with its clock, has read before counts too. */
	arch_time_ns();
	log_warn("time", "a CPU's TSC is %llu ticks behind: held against the latest reading",
		 (unsigned long long)step);
}
