/* SPDX-License-Identifier: MIT */
/* services/init/report.h - what init has to say.
 *
 * Lines go to the log service; init itself never waits for that, as it may be the one that hangs: a
 * thread of its own brings them there. Before there is a log they wait, and once there will never
 * be one again, they go to the serial line. If there are too many the oldest are lost, which is
 * said.
 */
#pragma once
#include <abi/rights.h>
#include <proto/log.h>
#include <stdbool.h>

/* Begins. `log`: a session with the log, which may not run yet; CAP_NONE: there is none.
 * `ports`: where the serial line is. False: no thread could be made. */
bool report_init(cap_t log, cap_t ports);

/* One line. */
void report(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* There is no log any more. To be said before its endpoint dies, as a line may wait there. */
void report_without_log(void);

/* Waits until all is said, but not for long. */
void report_flush(void);
