/* SPDX-License-Identifier: MIT */
/* lib/libc/syscall_arch.h - takes the place of musl's file of this name: its system calls
 * become calls of a function of ours (lib/libc/call.c). */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

__attribute__((visibility("hidden"))) long libc_call(long n, long a, long b, long c, long d, long e,
						     long f);

static inline long __syscall0(long n)
{
	return libc_call(n, 0, 0, 0, 0, 0, 0);
}

static inline long __syscall1(long n, long a)
{
	return libc_call(n, a, 0, 0, 0, 0, 0);
}

static inline long __syscall2(long n, long a, long b)
{
	return libc_call(n, a, b, 0, 0, 0, 0);
}

static inline long __syscall3(long n, long a, long b, long c)
{
	return libc_call(n, a, b, c, 0, 0, 0);
}

static inline long __syscall4(long n, long a, long b, long c, long d)
{
	return libc_call(n, a, b, c, d, 0, 0);
}

static inline long __syscall5(long n, long a, long b, long c, long d, long e)
{
	return libc_call(n, a, b, c, d, e, 0);
}

static inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	return libc_call(n, a, b, c, d, e, f);
}

#define IPC_64 0
