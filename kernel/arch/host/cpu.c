/* SPDX-License-Identifier: MIT */
#include "host.h"
#include <core/assert.h>
#include <core/spinlock.h>
#include <core/timer.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum host_interrupt { HOST_SHOOTDOWN = 1, HOST_KICK = 2 };

/* A thread that is a CPU. */
struct host_cpu {
	pthread_mutex_t lock;
	pthread_cond_t wake;              /* something is pending */
	_Atomic(void (*)(unsigned)) work; /* what the next kick is about; NULL: nothing */
};

_Atomic uint64_t host_cycles_step, host_cycles;

static _Atomic uint64_t boot_tlb[HOST_TLB_ENTRIES];
static struct host_cpu boot_host = { .lock = PTHREAD_MUTEX_INITIALIZER,
				     .wake = PTHREAD_COND_INITIALIZER };
_Thread_local struct cpu *host_this_cpu = &cpu_boot;

static _Atomic unsigned busy; /* CPUs that run a test's function */

__attribute__((constructor)) static void boot_cpu(void)
{
	cpu_boot.arch.host = &boot_host;
	cpu_boot.arch.tlb = boot_tlb;
}

void arch_cpu_init_boot(void)
{
}

void arch_interrupts_init(void)
{
}

void arch_cpus_start(void)
{
}

bool arch_cpus_stop(void)
{
	return true;
}

/* Yielding alone does not help when other programs want the processors too. */
void arch_cpu_relax(void)
{
	static _Thread_local unsigned turns;

	if (++turns % 64 != 0)
		sched_yield();
	else
		usleep(20);
}

static bool simulated; /* CPUs, see host_cpus_simulate */

/* ---- interrupts ---- */

static void interrupt(unsigned id, enum host_interrupt what)
{
	struct arch_cpu *a = &cpu_by_id[id]->arch;

	atomic_fetch_or(&a->pending, (uint32_t)what);
	pthread_mutex_lock(&a->host->lock);
	pthread_cond_signal(&a->host->wake);
	pthread_mutex_unlock(&a->host->lock);
}

void arch_cpu_kick(uint32_t cpu)
{
	interrupt(cpu, HOST_KICK);
}

void arch_cpu_shootdown(uint64_t mask)
{
	for (; mask != 0; mask &= mask - 1)
		interrupt((unsigned)__builtin_ctzll(mask), HOST_SHOOTDOWN);
}

/* Work that host_cpus_run left for this CPU; CPU 0 may wait for its end. */
static void do_work(const struct cpu *c)
{
	void (*work)(unsigned) = atomic_exchange(&c->arch.host->work, NULL);

	if (work == NULL)
		return;
	work(c->id);
	spin_assert_none_held();
	atomic_fetch_sub(&busy, 1);
	arch_cpu_kick(0);
}

/* What a port's interrupt entry does: first the CPU stops counting as idle. All that
 * is pending is taken at once, so no bit that is set meanwhile is lost. */
bool host_interrupt_window(void)
{
	struct cpu *c = arch_this_cpu();
	uint32_t pending = atomic_exchange(&c->arch.pending, 0);

	if (pending == 0)
		return false;
	cpu_leave_idle(c);
	if (pending & HOST_SHOOTDOWN)
		tlb_serve();
	if (pending & HOST_KICK)
		do_work(c);
	return true;
}

void host_user_mode(void)
{
	struct cpu *c = arch_this_cpu();

	spin_assert_none_held();
	cpu_leave_kernel(c);
	if (host_interrupt_window())
		cpu_leave_kernel(c);
}

/* A CPU that a test acts as waits for nobody: time goes on until its timer is due. */
static void idle_simulated(struct cpu *c)
{
	uint64_t armed = c->arch.timer, now = arch_time_ns();

	ASSERT(armed != TIMER_NEVER);
	if (armed > now)
		host_time_advance(armed - now);
	cpu_leave_idle(c);
	timer_interrupt();
}

/* The mutex makes looking and sleeping one step, as `sti; hlt` does: an interrupt
 * that comes in between is not lost. */
void arch_cpu_idle(void)
{
	struct arch_cpu *a = &arch_this_cpu()->arch;

	if (simulated) {
		idle_simulated(arch_this_cpu());
		return;
	}
	pthread_mutex_lock(&a->host->lock);
	while (atomic_load(&a->pending) == 0)
		pthread_cond_wait(&a->host->wake, &a->host->lock);
	pthread_mutex_unlock(&a->host->lock);
	host_interrupt_window();
}

void arch_cpu_interrupts(void)
{
	host_interrupt_window();
}

/* ---- starting CPUs, and giving them work ---- */

static void *cpu_main(void *c)
{
	host_this_cpu = c;
	timer_cpu_init();
	cpu_set_online(c);
	for (;;)
		cpu_idle(true);
	return NULL;
}

static struct cpu *cpu_make(unsigned id)
{
	struct cpu *c = aligned_alloc(_Alignof(struct cpu), sizeof(*c));
	struct host_cpu *host = calloc(1, sizeof(*host));

	ASSERT(c != NULL && host != NULL);
	*c = (struct cpu){ .self = c, .id = id };
	c->arch.tlb = calloc(HOST_TLB_ENTRIES, sizeof(*c->arch.tlb));
	c->arch.host = host;
	pthread_mutex_init(&host->lock, NULL);
	pthread_cond_init(&host->wake, NULL);
	return c;
}

static void cpu_start(unsigned id)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, cpu_main, cpu_make(id)) != 0 ||
	    pthread_detach(thread) != 0)
		abort();
	while (!(cpu_online_mask() >> id & 1))
		sched_yield();
}

void host_cpus_simulate(unsigned n)
{
	simulated = true;
	for (unsigned id = cpu_count(); id < n; id++) {
		host_this_cpu = cpu_make(id);
		cpu_set_online(host_this_cpu);
	}
	host_act_as(0);
}

void host_act_as(unsigned id)
{
	host_this_cpu = cpu_by_id[id];
}

/* While the caller waits it must take shootdowns, and count as idle for grace
 * periods: nothing else runs on CPU 0, so nobody would do that for it. */
void host_cpus_run(unsigned n, void (*fn)(unsigned id))
{
	for (unsigned id = cpu_count(); id < n; id++)
		cpu_start(id);
	atomic_store(&busy, n - 1);
	for (unsigned id = 1; id < n; id++) {
		atomic_store(&cpu_by_id[id]->arch.host->work, fn);
		arch_cpu_kick(id);
	}
	fn(0);
	while (atomic_load(&busy) > 0) {
		cpu_leave_kernel(&cpu_boot);
		atomic_exchange(&cpu_boot.idle, 1);
		arch_cpu_idle();
		cpu_leave_idle(&cpu_boot);
	}
}

void arch_stack_guard_init(void)
{
	/* The C library has drawn the program's canary. */
}
