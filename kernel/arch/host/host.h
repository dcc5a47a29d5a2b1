/* SPDX-License-Identifier: MIT */
/* kernel/arch/host/host.h - the modelled machine: what tests can do with it.
 *
 * Each case runs in a process of its own (test/host.c), so it begins with one
 * CPU that is not online, no memory and empty tables, and leaves nothing behind.
 */
#pragma once
#include <abi/boot.h>
#include <core/cpu.h>
#include <core/types.h>

/* ---- memory: machine.c ---- */

/* Makes `info` the boot information, and its ranges but the reserved ones memory:
 * any access to the rest of the physical addresses faults. */
void host_machine(const struct boot_info *info);

/* The usual machine: 24 MiB from 1 MiB on with kernel and archive in it, a hole,
 * 16 MiB more, some of it the loader's, and 24 MiB above 4 GiB. */
struct boot_info host_usual_machine(void);

/* A machine whose map is `count` ranges, with a small kernel in the first one. */
struct boot_info host_machine_of(const struct boot_range *range, uint32_t count);

/* host_machine, arch_mmu_init, frame_init, and the boot CPU online. */
void host_boot(const struct boot_info *info);
void host_boot_usual(void);

/* ---- processors: cpu.c ---- */

/* Runs fn(id) on CPUs 0 to n - 1 at once and returns when all have come back.
 * CPU 0 is the caller. The others are started when they are needed first, and
 * from then on sit idle (cpu_idle) between runs. While it waits for the others
 * the caller takes interrupts, as if it were idle. */
void host_cpus_run(unsigned n, void (*fn)(unsigned id));

/* CPUs without threads, for a test that acts as one after the other: host_act_as says as
 * which from then on. They answer no shootdowns. */
void host_cpus_simulate(unsigned n);
void host_act_as(unsigned id);

/* Interrupts are off inside the kernel. A test calls this where a real CPU would
 * take pending ones. True: there was one. */
bool host_interrupt_window(void);

/* Leaves the kernel, takes an interrupt if one is pending, and comes back. */
void host_user_mode(void);

/* ---- modelled page tables and TLBs: mmu.c ---- */

/* Tags 1 to HOST_TAGS - 1 have page tables of HOST_PAGES pages from address 0;
 * tag TLB_KERNEL has the kernel window. Entries are changed without any flush. */
#define HOST_TAGS  8
#define HOST_PAGES 1024

/* Writes one entry. */
void host_map(uint32_t tag, vaddr_t va, paddr_t pa, bool write);
void host_unmap(uint32_t tag, vaddr_t va);

/* An access by this CPU: through its TLB, which is filled from the tables when it
 * has no entry that allows the access, and which nothing but arch_tlb_flush_range
 * and arch_tlb_flush_tag empties. False: a page fault. */
bool host_access(uint32_t tag, vaddr_t va, bool write, paddr_t *pa);

/* True if CPU `id` has a translation of the page. */
bool host_tlb_holds(unsigned id, uint32_t tag, vaddr_t va);

/* ---- user page tables and their translations: user_mmu.c ---- */

/* Forgets nothing but what it is told to: translations by tag and page, and which lowest
 * tables a walk may begin with. False: a page fault. `access`: ARCH_READ, ARCH_WRITE, ... */
bool host_user_access(vaddr_t va, unsigned access, paddr_t *pa);

/* Visits every translation of user addresses that this CPU has; `access` is what it allows. */
struct host_translation {
	uint32_t tag;
	vaddr_t va;
	paddr_t pa;
	unsigned access;
};
void host_user_translations(void (*visit)(const struct host_translation *t, void *with),
			    void *with);

/* Branch predictors: what a test says of them, and how often they were emptied. */
extern bool host_predictors_leak;
extern uint64_t host_predictors_emptied;

/* The root that is active on this CPU; 0: none. */
paddr_t host_user_root(void);

/* Copies from and to user memory go through these page tables; else user addresses are those of
 * the test itself. */
extern bool host_user_modelled;

/* For arch_tlb_flush_range and arch_tlb_flush_tag. */
void host_user_flush_range(uint32_t tag, vaddr_t base, size_t size);
void host_user_flush_tag(uint32_t tag);

/* ---- failures ---- */

/* Of the allocation steps that this CPU makes from now on, number `n` fails, the
 * first being 0. A negative number: none does. */
void host_fail_step(int64_t n);

/* ---- devices: device.c ---- */

/* Where messages go; what is written there is the number to pull. */
#define HOST_MESSAGES 0xfee00000u

/* The device on a line (0 to 23), or one that sends this message, has something to say. True: this
 * CPU was interrupted; false: nobody has the line, or it is masked. */
bool host_irq_pull(uint32_t line);

/* ---- time: time.c ---- */

/* arch_time_ns stands still but for this. */
void host_time_advance(uint64_t ns);
uint64_t host_timer_armed(unsigned id); /* last deadline given to arch_timer_arm */
