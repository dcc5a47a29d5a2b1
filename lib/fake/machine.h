/* SPDX-License-Identifier: MIT */
/* lib/fake/machine.h - in place of the machine's: system calls go to the fake kernel. */
#pragma once
#include <abi/status.h>
#include <abi/x86_64.h>

/* The status and the three results of a call. */
struct sys_result {
	status_t status;
	uint64_t out[3];
};

/* See fake.h. */
struct sys_result sys_call6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			    uint64_t e, uint64_t f);
