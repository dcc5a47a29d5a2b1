/* SPDX-License-Identifier: MIT */
#include "user.h"
#include "cpu.h"
#include "regs.h"
#include "trap.h"
#include "user_offsets.h"
#include "vector.h"
#include <arch/arch.h>
#include <core/assert.h>
#include <core/cpu.h>
#include <core/syscall.h>
#include <core/thread.h>
#include <core/user.h>

#define CHECK_CPU(name, field) _Static_assert(offsetof(struct cpu, field) == (name), #name)
#define CHECK_USER(name, field)                                                                    \
	_Static_assert(offsetof(struct arch_thread, field) == (name), #field)

CHECK_CPU(CPU_KERNEL_EXITS, kernel_exits);
CHECK_CPU(CPU_USER_RSP, arch.user_rsp);
CHECK_CPU(CPU_STACK_TOP, arch.stack_top);
CHECK_CPU(CPU_CURRENT, current);
_Static_assert(offsetof(struct thread, arch) == THREAD_USER, "user registers");
#define REGISTER(r)       PLACE_##r,
#define CHECK_REGISTER(r) CHECK_USER(8 * PLACE_##r, regs.r);
enum { USER_REGISTERS(REGISTER) };
USER_REGISTERS(CHECK_REGISTER)
CHECK_USER(USER_GUEST, guest);
CHECK_USER(USER_FS, fs_base);
CHECK_USER(USER_GS, gs_base);
CHECK_USER(USER_LEAVE, leave);
CHECK_USER(USER_INSIDE, inside);
_Static_assert(LEAVE_FULL == ARCH_LEAVE_FULL && LEAVE_GUEST == ARCH_LEAVE_GUEST, "how to leave");
_Static_assert(SYS_GUEST_ENTER == SYS_guest_enter && SYS_ENDPOINT_CALL == SYS_endpoint_call &&
		       SYS_ENDPOINT_REPLY_RECEIVE == SYS_endpoint_reply_receive &&
		       SYS_NOTIFICATION_SIGNAL == SYS_notification_signal &&
		       SYS_NOTIFICATION_WAIT == SYS_notification_wait &&
		       SYS_THREAD_YIELD == SYS_thread_yield,
	       "numbers");
_Static_assert(USER_CS == CPU_USER_CODE && USER_SS == CPU_USER_DATA, "selectors");
_Static_assert(ARCH_USER_END == USER_ADDRESS_END, "the ABI tells it");

/* SYSCALL takes code and stack segments from bits 32 up, SYSRET from bits 48 up: the stack
 * segment is the next entry, the code segment the one after that (AMD64 APM volume 2, 6.1.1). */
#define STAR_VALUE ((uint64_t)CPU_KERNEL_CODE << 32 | (uint64_t)(CPU_USER_DATA - 8) << 48)

#define SYSCALL_SIZE 2 /* bytes of the instruction */

void user_cpu_init(void)
{
	wrmsr(MSR_STAR, STAR_VALUE);
	wrmsr(MSR_LSTAR, (uintptr_t)user_syscall_entry);
	wrmsr(MSR_CSTAR, 0);
	wrmsr(MSR_FMASK, ~RFLAGS_FIXED & UINT32_MAX);
	wrmsr(MSR_SYSENTER_CS, 0); /* SYSENTER faults */
	vector_cpu_init();
}

/* ---- registers ---- */

void arch_thread_init(struct arch_thread *t)
{
	t->regs.rflags = RFLAGS_FIXED | RFLAGS_IF;
	t->leave = ARCH_LEAVE_FULL;
}

void arch_thread_close(struct arch_thread *t, struct quota *q)
{
	vector_end(t, q);
}

void arch_thread_begin(struct arch_thread *t, vaddr_t pc, vaddr_t sp, uint64_t argument)
{
	t->regs.rip = pc;
	t->regs.rsp = sp;
	t->regs.rdi = argument;
}

void user_load_bases(const struct arch_thread *t)
{
	wrmsr(MSR_FS_BASE, t->fs_base);
	wrmsr(MSR_KERNEL_GS_BASE, t->gs_base);
}

status_t arch_thread_set(struct arch_thread *t, const struct arch_registers *r)
{
	if (r->rip >= ARCH_USER_END || r->rsp > ARCH_USER_END || r->fs_base >= ARCH_USER_END ||
	    r->gs_base >= ARCH_USER_END)
		return ST_BAD_ARG;
	t->regs = *r;
	t->regs.rflags = (r->rflags & USER_FLAGS) | RFLAGS_FIXED | RFLAGS_IF;
	t->fs_base = r->fs_base;
	t->gs_base = r->gs_base;
	t->leave = ARCH_LEAVE_FULL;
	return ST_OK;
}

void arch_thread_get(const struct arch_thread *t, struct arch_registers *r)
{
	*r = t->regs;
	if (!arch_thread_in_guest(t)) {
		r->fs_base = t->fs_base;
		r->gs_base = t->gs_base;
	}
	/* After a system call these hold what they last held in a trap. */
	if (t->leave != ARCH_LEAVE_FULL)
		r->rcx = r->r8 = r->r9 = r->r10 = r->r11 = 0;
}

void arch_thread_restart(struct arch_thread *t, uint64_t number,
			 const uint64_t arg[ARCH_SYSCALL_ARGS])
{
	struct arch_registers *r = &t->regs;

	r->rip -= SYSCALL_SIZE;
	r->rax = number;
	r->rdi = arg[0];
	r->rsi = arg[1];
	r->rdx = arg[2];
	r->r10 = arg[3];
	r->r8 = arg[4];
	r->r9 = arg[5];
	r->rcx = r->r11 = 0;
	t->leave |= ARCH_LEAVE_FULL;
}

/* ---- guest mode ---- */

static void bases_change(struct arch_thread *t, uint64_t fs, uint64_t gs)
{
	t->fs_base = fs;
	t->gs_base = gs;
	arch_bases_load(t);
}

status_t arch_guest_enter(struct arch_thread *t, bool called)
{
	struct arch_registers *r = &t->inside;

	*r = *t->guest;
	/* From here on nothing looks at the page. */
	__asm__ volatile("" : : : "memory");
	if (r->rip >= ARCH_USER_END || !arch_is_canonical(r->fs_base) ||
	    !arch_is_canonical(r->gs_base))
		return ST_BAD_ARG;
	r->rflags = (r->rflags & USER_FLAGS) | RFLAGS_FIXED | RFLAGS_IF;
	if (called) {
		r->rcx = r->rip;
		r->r11 = r->rflags;
	}
	arch_bases_save(t);
	t->regs.fs_base = t->fs_base;
	t->regs.gs_base = t->gs_base;
	bases_change(t, r->fs_base, r->gs_base);
	t->leave = ARCH_LEAVE_FULL | ARCH_LEAVE_GUEST;
	return ST_OK;
}

void arch_guest_leave(struct arch_thread *t, bool keep)
{
	arch_bases_save(t);
	t->inside.fs_base = t->fs_base;
	t->inside.gs_base = t->gs_base;
	if (keep)
		*t->guest = t->inside;
	bases_change(t, t->regs.fs_base, t->regs.gs_base);
	t->leave = 0;
}

/* ---- entries ---- */

void arch_syscall(struct thread *t, uint64_t number, uint64_t arg[ARCH_SYSCALL_ARGS])
{
	syscall_dispatch(t, number, arg);
	thread_exit_kernel();
}

static enum fault_kind kind_of(uint64_t vector)
{
	switch (vector) {
	case TRAP_PAGE:
		return FAULT_MEMORY;
	case TRAP_OPCODE:
		return FAULT_INSTRUCTION;
	case TRAP_DIVIDE:
	case TRAP_X87:
	case TRAP_SIMD:
		return FAULT_ARITHMETIC;
	case TRAP_DEBUG:
	case TRAP_BREAKPOINT:
		return FAULT_BREAKPOINT;
	case TRAP_ALIGNMENT:
		return FAULT_ALIGNMENT;
	case TRAP_NO_FPU:
		return FAULT_VECTOR;
	default:
		return FAULT_PROTECTION;
	}
}

static uint32_t access_of(uint64_t error)
{
	if (error & PF_FETCH)
		return FAULT_EXEC;
	return error & PF_WRITE ? FAULT_WRITE : FAULT_READ;
}

/* Resolves the exception, or says why it can't be. */
static status_t resolve(struct thread *self, struct msg_fault *f)
{
	if (f->kind == FAULT_MEMORY)
		return user_fault(self, f->address, f->access);
	if (f->vector == TRAP_NO_FPU)
		return vector_begin(&self->arch, self->obj.quota);
	return ST_UNSUPPORTED;
}

static void exception(struct thread *self, uint64_t vector, uint64_t error)
{
	struct arch_thread *t = &self->arch;
	struct arch_registers *r = arch_thread_in_guest(t) ? &t->inside : &t->regs;
	struct msg_fault *f = &self->fault; /* it runs, so no report is out */
	f->kind = kind_of(vector);
	f->vector = (uint32_t)vector;
	f->error = (uint32_t)error;
	f->access = 0;
	f->address = 0;
	f->pc = r->rip;
	f->sp = r->rsp;
	f->flags = r->rflags;

	/* Without PF_USER it was an access that the processor made on its own for an instruction
	 * (far returns in QEMU's emulator up to 7.2, with SMAP on): no page can help that. */
	if (vector == TRAP_PAGE && (error & PF_USER)) {
		f->address = read_cr2();
		f->access = access_of(error);
	} else if (vector == TRAP_PAGE) {
		f->kind = FAULT_PROTECTION;
	}
	/* Some processors take a jump to an address that is none, and fault there. IRETQ would
	 * fault too, in the kernel. */
	if (!arch_is_canonical(r->rip))
		r->rip = ARCH_USER_END;
	status_t st = resolve(self, f);
	if (st == ST_OK || st == ST_LATER)
		return;
	f->status = (uint64_t)(int64_t)st;
	thread_fault(self, f);
}

__attribute__((noinline)) static void interrupt(uint64_t vector)
{
	struct trap_frame f = { .vector = vector, .cs = CPU_USER_CODE };

	trap_interrupt(&f);
}

void user_trap(struct thread *t, uint64_t vector, uint64_t error)
{
	cpu_run_begin(arch_this_cpu(), CPU_RUN_TRAP);
	if (vector < TRAP_FIRST_INTERRUPT)
		exception(t, vector, error);
	else
		interrupt(vector);
	thread_exit_kernel();
}
