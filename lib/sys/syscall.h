/* SPDX-License-Identifier: MIT */
/* lib/sys/syscall.h - system calls by name, without types: SYS(cap_drop, space, handle). */
#pragma once
#include <abi/rights.h>
#include <machine.h>

enum sys_number {
#define SYSCALL(number, name, mode, caps) SYS_##name = (number),
#include <abi/syscall.def>
#undef SYSCALL
};

/* The status, and the results in order. Arguments that are not given are zero. */
#define SYS(...)                      SYS_GIVEN(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_GIVEN(name, a, b, c, ...) SYS_CALL(name, a, b, c, __VA_ARGS__, 0)
#define SYS_CALL(name, a, b, c, d, e, f, ...)                                                      \
	sys_call6(SYS_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d),          \
		  (uint64_t)(e), (uint64_t)(f))
