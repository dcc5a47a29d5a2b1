/* SPDX-License-Identifier: MIT */
/* kernel/arch/x86_64/vector.h - the vector registers of threads (x87, SSE, AVX).
 *
 * A thread has none until its first vector instruction, which traps (CR0.TS), gives it an area of
 * one frame, paid by its quota, and is repeated. From then on its registers are put
 * into the area whenever it leaves a CPU. When it comes back they are loaded, unless it is the
 * last that had them loaded on this CPU, and this CPU the last that it was loaded on.
 *
 * Life    from vector_begin until vector_end.
 * Owns    the frame.
 * Locks   none: only the CPU that the thread runs on touches the area.
 *
 * The kernel itself has no vector instructions. While they trap the registers are empty: what a
 * processor lets programs guess at, behind the trap, is nobody's (CVE-2018-3665).
 */
#pragma once
#include <core/types.h>

struct arch_thread;
struct quota;

/* Makes this CPU's vector instructions trap until a thread with an area runs on it. */
void vector_cpu_init(void);

/* Gives the running thread `t`, which has none, an area with the registers as after
 * reset, and loads them. ST_NO_MEMORY: `q` can't pay for it. */
status_t vector_begin(struct arch_thread *t, struct quota *q) MUST_CHECK;

/* Takes it back; `t` runs on no CPU and will not again. */
void vector_end(struct arch_thread *t, struct quota *q);

/* From port.h: out of the registers into the area of `t`, back, and empties them and traps, for
 * who has none. */
void vector_save(struct arch_thread *t);
void vector_load(struct arch_thread *t);
void vector_forbid(void);
