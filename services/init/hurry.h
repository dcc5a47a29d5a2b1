/* SPDX-License-Identifier: MIT */
/* services/init/hurry.h - keeps init's loop in time, whoever it works for.
 *
 * With a call in its hand the loop runs on the sched of the caller, who may be less urgent than a
 * program that never gives its turn away: then the loop would not go on, and nobody would end that
 * program. So a thread more urgent than any program waits beside it. When the loop is late that
 * thread calls it, and who keeps it waiting runs with its urgency.
 */
#pragma once
#include <abi/rights.h>
#include <stdbool.h>
#include <stdint.h>

/* Begins. `loop`: a session with init that has no right. False: it could not be made. */
bool hurry_init(cap_t quota, cap_t loop);

/* The loop will say so again by `deadline`, in nanoseconds; UINT64_MAX: whenever it likes. */
void hurry_at(uint64_t deadline);
