/* SPDX-License-Identifier: MIT */
/* lib/sys/x86_64/machine.h - the system-call instruction; abi/x86_64.h says what it keeps. */
#pragma once
#include <abi/status.h>
#include <abi/x86_64.h>

/* The status and the three results of a call. */
struct sys_result {
	status_t status;
	uint64_t out[3];
};

static inline struct sys_result sys_call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c,
					  uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "+a"(number), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9)
			 :
			 : "rcx", "r11", "memory");
	return (struct sys_result){ (status_t)number, { b, a, c } };
}

/* The same with three arguments, and without the others' moves. */
static inline struct sys_result sys_call3(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	__asm__ volatile("syscall"
			 : "+a"(number), "+D"(a), "+S"(b), "+d"(c)
			 :
			 : "rcx", "r8", "r9", "r10", "r11", "memory");
	return (struct sys_result){ (status_t)number, { b, a, c } };
}
