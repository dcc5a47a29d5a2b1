/* SPDX-License-Identifier: MIT */
/* What musl asks its kernel for. The numbers, flags and structures are Linux's, as musl's
 * own headers have them; docs/book/libc.md lists what is answered. */
#include <lib/libc/port.h>
#include <abi/memory.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define NS 1000000000ull

/* The calls of futex (linux/futex.h). */
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_REQUEUE = 3, FUTEX_PRIVATE = 128 };

__attribute__((visibility("hidden"))) long libc_call(long n, long a, long b, long c, long d, long e,
						     long f);

/* ---- time ---- */

uint64_t libc_now(void)
{
	const struct startup_clock *k = &libc_own->clock;
	uint64_t ticks = machine_ticks();

	ticks = ticks > k->base ? ticks - k->base : 0;
	return (uint64_t)((unsigned __int128)ticks * k->ratio >> STARTUP_CLOCK_FRACTION);
}

static uint64_t ns_of(const struct timespec *t)
{
	uint64_t seconds = (uint64_t)t->tv_sec;

	return seconds > UINT64_MAX / NS - 1 ? UINT64_MAX : seconds * NS + (uint64_t)t->tv_nsec;
}

static bool is_time(const struct timespec *t)
{
	return t->tv_sec >= 0 && t->tv_nsec >= 0 && (uint64_t)t->tv_nsec < NS;
}

/* The deadline of a wait that is given as a span of time, or as none. */
static uint64_t deadline_in(const struct timespec *span)
{
	uint64_t now = libc_now(), ns = span == NULL ? UINT64_MAX : ns_of(span);

	return ns > NEVER - now ? NEVER : now + ns;
}

static long clock_read(long clock, struct timespec *out)
{
	uint64_t ns = libc_now();

	/* The time of day is not known to every program: it begins when the machine does. */
	if (clock < 0 || clock > CLOCK_BOOTTIME)
		return -EINVAL;
	out->tv_sec = (time_t)(ns / NS);
	out->tv_nsec = (long)(ns % NS);
	return 0;
}

static long sleep_until(uint64_t deadline)
{
	while (libc_now() < deadline)
		SYS(thread_park, libc_thread(), deadline);
	return 0;
}

static long clock_sleep(int flags, const struct timespec *t)
{
	if (!is_time(t))
		return -EINVAL;
	return sleep_until(flags & TIMER_ABSTIME ? ns_of(t) : deadline_in(t));
}

/* ---- memory ---- */

static uint64_t pages_of(unsigned long size)
{
	return size / MEMORY_PAGE + (size % MEMORY_PAGE != 0);
}

/* Only what is not executable: nothing makes code here. */
static bool access_of(long protection, unsigned *access)
{
	*access = protection & (PROT_READ | PROT_WRITE) ? MAP_READ : 0;
	if (protection & PROT_WRITE)
		*access |= MAP_WRITE;
	return !(protection & PROT_EXEC);
}

static long map(unsigned long size, long protection, long flags)
{
	unsigned access;

	if (!(flags & MAP_ANONYMOUS) || (flags & MAP_FIXED) || !access_of(protection, &access))
		return -ENODEV;
	return arena_map(pages_of(size), access);
}

static long protect(unsigned long va, unsigned long size, long protection)
{
	unsigned access;

	return access_of(protection, &access) ? arena_protect(va, pages_of(size), access) : -EACCES;
}

/* ---- output ---- */

static long write_all(long file, const struct iovec *part, long parts)
{
	long sum = 0;

	if (file != 1 && file != 2)
		return -EBADF;
	for (; parts > 0; part++, parts--) {
		libc_write((int)file, part->iov_base, part->iov_len);
		sum += (long)part->iov_len;
	}
	return sum;
}

static long write_one(long file, const void *bytes, unsigned long size)
{
	char *text = (char *)(uintptr_t)bytes;

	return write_all(file, &(struct iovec){ text, size }, 1);
}

/* ---- threads ---- */

static long futex(volatile int *word, long operation, int value, const struct timespec *span,
		  volatile int *other)
{
	switch (operation & ~FUTEX_PRIVATE) {
	case FUTEX_WAIT:
		return futex_wait(word, value, deadline_in(span));
	case FUTEX_WAKE:
		return futex_wake(word, value);
	case FUTEX_REQUEUE: /* the span is a count here */
		return futex_requeue(word, value, (int)(uintptr_t)span, other);
	default:
		return -ENOSYS;
	}
}

static long set_clear(volatile int *word)
{
	thread_self()->clear = word;
	return thread_number(thread_self());
}

long libc_call(long n, long a, long b, long c, long d, long e, long f)
{
	(void)f;
	switch (n) {
	case SYS_read:
		return a == 0 ? 0 : -EBADF;
	case SYS_write:
		return write_one(a, (const void *)b, (unsigned long)c);
	case SYS_writev:
		return write_all(a, (const struct iovec *)b, c);
	case SYS_close:
		return a >= 0 && a <= 2 ? 0 : -EBADF;
	case SYS_ioctl: /* musl asks whether it is a terminal: output goes out line by line */
		return a == 1 || a == 2 ? 0 : -ENOTTY;
	case SYS_open:
		return -ENOENT;
	case SYS_mmap:
		return map((unsigned long)b, c, d);
	case SYS_mprotect:
		return protect((unsigned long)a, (unsigned long)b, c);
	case SYS_munmap:
		return arena_unmap((unsigned long)a, pages_of((unsigned long)b));
	case SYS_madvise: /* musl only advises what it does not need */
		return 0;
	case SYS_rt_sigprocmask: /* there are no signals to block */
		return 0;
	case SYS_getpid:
		return 1;
	case SYS_gettid:
		return thread_number(thread_self());
	case SYS_sched_yield:
		return SYS(thread_yield, libc_thread()).status == ST_OK ? 0 : -ENOSYS;
	case SYS_clock_gettime:
		return clock_read(a, (struct timespec *)b);
	case SYS_nanosleep:
		return clock_sleep(0, (const struct timespec *)a);
	case SYS_clock_nanosleep:
		return clock_sleep((int)b, (const struct timespec *)c);
	case SYS_futex:
		return futex((volatile int *)a, b, (int)c, (const struct timespec *)d,
			     (volatile int *)e);
	case SYS_set_tid_address:
		return set_clear((volatile int *)a);
	case SYS_exit:
		thread_end();
	case SYS_exit_group:
		libc_exit((int)a);
	case SYS_tkill: /* abort: ends in a fault, which tells registers and who it was */
		__builtin_trap();
	default:
		return -ENOSYS;
	}
}
