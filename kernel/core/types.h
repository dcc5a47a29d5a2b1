/* SPDX-License-Identifier: MIT */
/* kernel/core/types.h - the few words that every kernel file uses. */
#pragma once
#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;  /* a physical address */
typedef uintptr_t vaddr_t; /* a virtual address of any space */

#define MUST_CHECK   __attribute__((warn_unused_result))
#define NORETURN     __attribute__((noreturn))
#define NOINLINE     __attribute__((noinline))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ALIGNED(n)   __attribute__((aligned(n)))
#define NO_CANARY    __attribute__((no_stack_protector))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)

/* A variable on a hot path that is written before it is read: not zeroed first. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline
#define UNINITIALIZED __attribute__((uninitialized))

/* From here on the compiler knows nothing about the value of `x`. */
#define OPAQUE(x) __asm__("" : "+r"(x))

/* What others read without a lock. */
#define LOAD(x)     atomic_load_explicit(&(x), memory_order_acquire)
#define STORE(x, v) atomic_store_explicit(&(x), v, memory_order_release)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of which `ptr` is the field `member`. */
#define container_of(ptr, type, member) ((type *)((uintptr_t)(ptr)-offsetof(type, member)))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* `a` must be a power of two. */
#define ALIGN_DOWN(x, a) ((x) & ~((typeof(x))(a)-1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + ((typeof(x))(a)-1), a)

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Clang's thread-safety analysis reads these; GCC knows none of them. */
#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define LOCKABLE        TSA(capability("spinlock"))
#define ACQUIRES(l)     TSA(acquire_capability(l))
#define TRY_ACQUIRES(l) TSA(try_acquire_capability(true, l))
#define RELEASES(l)     TSA(release_capability(l))
#define REQUIRES(l)     TSA(requires_capability(l))
#define UNCHECKED_LOCKS TSA(no_thread_safety_analysis)
