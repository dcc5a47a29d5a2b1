/* SPDX-License-Identifier: MIT */
/* kernel/arch/arch.h - everything the core may ask of a machine.
 *
 * Each kernel/arch/<name>/ provides exactly these, in the file named on the
 * right; the host port used by unit tests does too. port.h has the types and
 * the inline functions of hot paths. The core has no #ifdef on the machine.
 */
#pragma once
#include <core/types.h>
#include <port.h> /* struct arch_cpu, arch_this_cpu, arch_cpu_relax, arch_phys_to_virt */

struct cpu;
struct boot_info;

/* From port.h:
 *   struct arch_cpu                         the port's part of struct cpu
 *   struct cpu *arch_this_cpu(void)         valid from the first C instruction
 *   void arch_cpu_relax(void)               hint inside a spin loop
 *   void *arch_phys_to_virt(paddr_t)        direct map of all RAM
 *   paddr_t arch_virt_to_phys(const void *) of an address in the direct map
 *   uint64_t arch_cycles(void)              free-running counter, for seeds and benchmarks
 *   ARCH_FRAME_TABLE                        where the frame table is mapped
 *   bool arch_fail_step(void)               constant false; tests on the host make it true at
 *                                           one step of an allocation
 *   ARCH_OBJECT_GEN_MASK                    UINT16_MAX; less where tests want it to wrap soon
 */

/* Access of a kernel mapping. Writable and executable at once is refused. */
#define ARCH_WRITE  1u
#define ARCH_EXEC   2u
#define ARCH_DEVICE 4u /* uncached */

/* mmu.c: the kernel's half. Sizes and addresses are multiples of FRAME_SIZE. */
void arch_mmu_init(void); /* builds the final tables, switches to them */
status_t arch_kernel_map(vaddr_t va, paddr_t pa, size_t size, unsigned access) MUST_CHECK;
void arch_kernel_unmap(vaddr_t va, size_t size);                       /* no flush: see tlb.h */
bool arch_kernel_translate(vaddr_t va, paddr_t *pa, unsigned *access); /* walks the tables */
void *arch_device_map(paddr_t pa, size_t size); /* a window on registers; panics if none can be */
void arch_tlb_flush_range(uint32_t tag, vaddr_t base, size_t size); /* on this CPU */
void arch_tlb_flush_tag(uint32_t tag);                              /* on this CPU */

/* Memory that boot may need before the frame allocator runs: zeroed frames taken from
 * RAM below 4 GiB, never given back. Panics when there is none. Provided by frame.c. */
paddr_t frame_alloc_boot(unsigned count);

/* The same for one frame that ends at or below `below`; false if there is none. */
bool frame_take_boot(paddr_t below, paddr_t *out) MUST_CHECK;

/* cpu.c */
void arch_cpu_init_boot(void);          /* descriptor tables, features, protections */
void arch_stack_guard_init(void);       /* new stack canary; its caller never returns */
void arch_interrupts_init(void);        /* interrupt controllers, time, timer; from ACPI */
void arch_cpus_start(void);             /* starts every other CPU, returns when all are up */
void arch_cpu_idle(void);               /* waits for an interrupt; returns after serving one */
void arch_cpu_kick(uint32_t cpu);       /* IPI: look for work */
void arch_cpu_shootdown(uint64_t mask); /* IPI to each CPU of the mask: tlb_serve */
bool arch_cpus_stop(void);              /* stops every other CPU for good; false: one goes on */

/* time.c */
uint64_t arch_time_ns(void);               /* since boot, see time_now for the promise */
void arch_timer_arm(uint64_t deadline_ns); /* TIMER_NEVER disarms */

/* random.c: fills `out` with up to `size` bytes of hardware randomness, returns how many and
 * names the source. */
size_t arch_random_seed(void *out, size_t size, const char **source);

/* console.c: early console, usable at any time */
void arch_console_init(void);
void arch_console_write(const char *text, size_t size);

/* power.c */
NORETURN void arch_power_off(bool failure); /* failure: the emulator's exit code tells */

/* trap.c: calls `visit` for each return address up the stack, at most `max` */
void arch_backtrace(void (*visit)(vaddr_t pc), unsigned max);
