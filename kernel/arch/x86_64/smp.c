/* SPDX-License-Identifier: MIT */
#include "smp.h"
#include "cpu.h"
#include "firmware.h"
#include "irq.h"
#include "mmu.h"
#include "regs.h"
#include "time.h"
#include "trap.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/frame.h>
#include <core/log.h>
#include <core/sched.h>
#include <core/timer.h>
#include <dev/lapic.h>

_Static_assert(ACPI_CPUS == CPU_MAX, "every CPU that we can use is listed");

/* The processor wants a moment between INIT and STARTUP; the 10 ms and the second
 * STARTUP of the MultiProcessor Specification are for ones without local APIC of
 * today. A second STARTUP is sent all the same to a CPU that has not answered. */
#define INIT_WAIT_NS    20000ull
#define STARTUP_WAIT_NS 1000000ull
#define START_LIMIT_NS  5000000000ull
#define STOP_LIMIT      50000000u /* turns of a loop: clocks may be what failed */

#define REAL_MODE_END MIB(1)
#define XAPIC_ID_MAX  254 /* 255 means every CPU */

extern const uint8_t ap_trampoline[], ap_trampoline_end[], ap_parameters[];

/* What lies at ap_parameters. */
struct ap_parameters {
	uint32_t root;
	uint32_t jump_offset;
	uint16_t jump_selector, reserved0;
	uint16_t gdt_limit;
	uint32_t gdt_base;
	uint16_t reserved1;
} __attribute__((packed));

/* For ap.S. */
uint64_t ap_kernel_root, ap_stack;
struct cpu *ap_cpu;

/* How far the CPU that is being started has come. */
enum ap_progress { AP_STARTED, AP_ALIVE, AP_MAY_TEST, AP_TESTED, AP_MAY_RUN, AP_RUNS };
static _Atomic uint32_t progress;

static paddr_t trampoline;

/* Tables that map the trampoline at its own address beside the kernel. */
enum { START_TABLES = 4 };
static paddr_t start_table[START_TABLES];

void smp_reserve(void)
{
	if (!frame_take_boot(REAL_MODE_END, &trampoline))
		log_warn("smp", "no memory below 1 MiB to start other CPUs in");
}

/* Below 4 GiB, since CR3 is loaded from a register of 32 bits. The root is a copy, as
 * the kernel's own is shared by all and has no lower half. */
static bool start_tables_make(void)
{
	for (unsigned i = 0; i < START_TABLES; i++) {
		if (!frame_alloc(0, FRAME_BELOW_4G, &start_table[i])) {
			while (i-- > 0)
				frame_free(start_table[i], 0);
			return false;
		}
		frame_zero(start_table[i], 0);
	}

	const uint64_t *kernel = arch_phys_to_virt(mmu_kernel_root());
	uint64_t *root = arch_phys_to_virt(start_table[0]);
	for (unsigned i = 0; i < MMU_ENTRIES; i++)
		root[i] = kernel[i];
	for (unsigned level = MMU_LEVELS; level > 1; level--) {
		uint64_t *table = arch_phys_to_virt(start_table[MMU_LEVELS - level]);
		table[mmu_index(trampoline, level)] =
			start_table[MMU_LEVELS - level + 1] | MMU_PRESENT | MMU_WRITE;
	}
	uint64_t *last = arch_phys_to_virt(start_table[MMU_LEVELS - 1]);
	last[mmu_index(trampoline, 1)] = trampoline | MMU_PRESENT; /* read and execute */
	return true;
}

/* The code has to know where it lies, which in real mode nothing but the segment
 * tells: so the two addresses that it jumps and loads by are filled in here. */
static void trampoline_make(void)
{
	uint8_t *page = arch_phys_to_virt(trampoline);
	const size_t size = (size_t)(ap_trampoline_end - ap_trampoline);

	ASSERT(size <= FRAME_SIZE);
	for (size_t i = 0; i < size; i++)
		page[i] = ap_trampoline[i];

	struct ap_parameters *p = (struct ap_parameters *)(page + (ap_parameters - ap_trampoline));
	p->root = (uint32_t)start_table[0];
	p->jump_offset += (uint32_t)trampoline;
	p->gdt_base += (uint32_t)trampoline;
	ap_kernel_root = mmu_kernel_root();
}

/* From here on nothing translates the trampoline's low address any more: the
 * tables were loaded only by CPUs that have long loaded the kernel's. */
static void start_tables_free(void)
{
	for (unsigned i = 0; i < START_TABLES; i++)
		frame_free(start_table[i], 0);
	frame_zero(trampoline, 0);
}

static bool wake(uint32_t apic_id)
{
	lapic_send_init(apic_id);
	time_wait(INIT_WAIT_NS);
	lapic_send_startup(apic_id, trampoline);
	if (time_wait_for(&progress, AP_ALIVE, STARTUP_WAIT_NS))
		return true;
	lapic_send_startup(apic_id, trampoline);
	return time_wait_for(&progress, AP_ALIVE, START_LIMIT_NS);
}

/* Starts `c` and goes through its first steps with it. The stack is published last,
 * with release: a CPU that finds it finds its structure too. The test of the clocks
 * needs both CPUs at it at once, hence the steps; and each wait has a limit, so that
 * a CPU which fails is named. */
static bool start(struct cpu *c)
{
	uint32_t apic_id = c->arch.apic_id;

	ap_cpu = c;
	atomic_store(&progress, AP_STARTED);
	__atomic_store_n(&ap_stack, cpu_stack_top(c), __ATOMIC_RELEASE);
	if (!wake(apic_id)) {
		__atomic_store_n(&ap_stack, 0, __ATOMIC_RELEASE);
		lapic_send_init(apic_id);
		time_wait(INIT_WAIT_NS);
		log_warn("smp", "the CPU with APIC id %u does not start", apic_id);
		return false;
	}
	atomic_store(&progress, AP_MAY_TEST);
	time_warp_test();
	bool tested = time_wait_for(&progress, AP_TESTED, START_LIMIT_NS);
	time_warp_finish();
	atomic_store(&progress, AP_MAY_RUN);
	if (!tested || !time_wait_for(&progress, AP_RUNS, START_LIMIT_NS))
		panic("CPU %u has started and hangs", c->id);
	return true;
}

/* Starts CPU after CPU; returns how many it had to leave out. */
static uint32_t start_all(void)
{
	uint32_t id = 1, left_out = 0;
	struct cpu *c = NULL;

	for (uint32_t i = 0; i < firmware.cpu_count; i++) {
		uint32_t apic_id = firmware.cpu[i].apic_id;

		if (apic_id == cpu_boot.arch.apic_id)
			continue;
		if (c == NULL && id < CPU_MAX)
			c = cpu_create(id, apic_id);
		if (c == NULL || (apic_id > XAPIC_ID_MAX && !lapic_is_x2apic())) {
			left_out++;
			continue;
		}
		c->arch.apic_id = apic_id;
		if (start(c)) {
			id++;
			c = NULL; /* else it serves the next */
		}
	}
	return left_out;
}

void arch_cpus_start(void)
{
	uint32_t left_out = firmware.cpus_left_out;

	if (firmware.cpu_count > 1) {
		if (trampoline != 0 && start_tables_make()) {
			trampoline_make();
			left_out += start_all();
			start_tables_free();
		} else {
			left_out += firmware.cpu_count - 1;
		}
	}
	if (left_out > 0)
		log_warn("smp", "%u CPUs are left out: at most %u, and memory for each", left_out,
			 CPU_MAX);
	log_info("smp", "%u CPUs run", cpu_count());
}

static void go_on(enum ap_progress step)
{
	atomic_store_explicit(&progress, step, memory_order_release);
}

static void wait_for(enum ap_progress step)
{
	while (atomic_load_explicit(&progress, memory_order_acquire) != step)
		arch_cpu_relax();
}

/* There is no canary to read before cpu_init, and no return to check it. */
NO_CANARY void ap_main(struct cpu *c)
{
	uint32_t apic_id = c->arch.apic_id;

	cpu_init(c);
	irq_cpu_init();
	/* Firmware's list and the hardware name the same CPU; else messages for it
	 * would go to another. */
	ASSERT(c->arch.apic_id == apic_id);
	time_cpu_init();
	timer_cpu_init();
	run_queue_init();
	go_on(AP_ALIVE);
	wait_for(AP_MAY_TEST);
	time_warp_test();
	go_on(AP_TESTED);
	wait_for(AP_MAY_RUN);
	cpu_set_online(c);
	go_on(AP_RUNS);
	arch_run_threads();
}

void arch_cpu_kick(uint32_t cpu)
{
	lapic_send(cpu_by_id[cpu]->arch.apic_id, IRQ_VECTOR_KICK);
}

void arch_cpu_shootdown(uint64_t mask)
{
	for (; mask != 0; mask &= mask - 1)
		lapic_send(cpu_by_id[__builtin_ctzll(mask)]->arch.apic_id, IRQ_VECTOR_SHOOTDOWN);
}

NORETURN static void rest(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static _Atomic uint32_t stopper; /* number of the CPU that stops the others, plus 1 */
static _Atomic uint32_t stopped;

static void on_stop(struct trap_frame *f)
{
	(void)f;
	atomic_fetch_add(&stopped, 1);
	rest();
}

/* By NMI: a CPU that has to be stopped may well spin with interrupts off. Logs
 * nothing: one that is stopped by now may have the log's lock. */
bool arch_cpus_stop(void)
{
	uint32_t nobody = 0, count = 0, self = arch_this_cpu()->id;
	cpumask_t others = cpu_online_mask() & ~(1ull << self);

	if (!atomic_compare_exchange_strong(&stopper, &nobody, self + 1)) {
		if (nobody == self + 1)
			return true;
		rest(); /* somebody else was first, whose NMI finds us here */
	}
	/* Not before: until now an NMI was a fault of the machine, to be reported. */
	trap_set_handler(TRAP_NMI, on_stop);
	for (cpumask_t left = others; left != 0; left &= left - 1, count++)
		lapic_send_nmi(cpu_by_id[__builtin_ctzll(left)]->arch.apic_id);
	for (uint32_t n = 0; n < STOP_LIMIT; n++) {
		if (atomic_load(&stopped) == count)
			return true;
		arch_cpu_relax();
	}
	return false;
}
