/* SPDX-License-Identifier: MIT */
/* What watches over a program from within: canaries, guard pages, constants. A thread does what it
 * must not, and its report says how it ended. */
#include <abi/memory.h>
#include <abi/msg.h>
#include <lib/libc/libc.h>
#include <lib/sys/calls.h>
#include <lib/sys/program.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <test/test.h>

#define FOREVER    UINT64_MAX
#define STACK      65536
#define NEIGHBOUR  65536
#define STACK_FILL 0x5a

static _Atomic bool returned; /* a thread came farther than it may */

/* Runs `run` in a thread of its own, with a stack of STACK bytes, until it faults, and gives its
 * report; kind 0: it did not. The thread then stays where it is. */
static struct msg_fault fault_of(void *(*run)(void *), void *arg)
{
	struct msg_fault f = { 0 };
	struct message_in in;
	pthread_attr_t attr;
	pthread_t thread;
	cap_t endpoint;

	atomic_store(&returned, false);
	if (sys_endpoint_create(libc_own->quota, &endpoint) != ST_OK)
		return f;
	libc_fault = endpoint;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	int error = pthread_create(&thread, &attr, run, arg);
	libc_fault = CAP_NONE;
	if (error != 0 || sys_endpoint_receive(endpoint, FOREVER, &in) != ST_OK)
		return f;
	if (in.info & MSG_FAULT)
		memcpy(&f, libc_block()->word, sizeof(f));
	(void)sys_endpoint_reply(libc_thread(), MSG_INFO(FAULT_STOP, 0, 0));
	(void)sys_object_destroy(endpoint);
	return f;
}

/* Ends in a fault that no other case expects. */
static _Noreturn void go_on(void)
{
	atomic_store(&returned, true);
	__builtin_trap();
}

/* musl's end of a program whose stack was smashed; compilers call it. */
_Noreturn void __stack_chk_fail(void);

/* Writes beyond an array; `size` is not known to the compiler. */
static __attribute__((noinline)) void smash(size_t size)
{
	volatile char array[16];
	volatile char *p = array;

	for (size_t i = 0; i < size; i++)
		p[i] = 1;
}

static void *smash_by(void *size)
{
	smash((size_t)size);
	go_on();
}

TEST(libc_smashed_stack_ends_the_thread)
{
	struct msg_fault f = fault_of(smash_by, (void *)64);

	CHECK(f.kind == FAULT_PROTECTION && !returned);
	CHECK(f.pc - (uint64_t)__stack_chk_fail < 16); /* it was seen, not stumbled over */
	f = fault_of(smash_by, (void *)16);
	CHECK(f.kind == FAULT_INSTRUCTION && returned);
}

static uint64_t canary(void)
{
	uint64_t c;

	__asm__("movq %%fs:0x28, %0" : "=r"(c));
	return c;
}

static void *tell_canary(void *arg)
{
	*(uint64_t *)arg = canary();
	return arg;
}

TEST(libc_canary_is_random_and_each_threads)
{
	uint64_t others = 0;
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, tell_canary, &others) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(canary() != 0 && others == canary());
	/* It is the seed's, but for a zero byte that stops strings. */
	CHECK(((canary() ^ *(const uint64_t *)libc_own->seed) & ~0xff00ull) == 0);
	CHECK((canary() & 0xff00) == 0);
}

static __attribute__((noinline)) unsigned dig(volatile unsigned *sum)
{
	volatile unsigned here = *sum;

	*sum += 1;
	return here == UINT32_MAX ? here : dig(sum) + here;
}

static void *dig_down(void *arg)
{
	volatile unsigned sum = 0;

	*(uint64_t *)arg = (uint64_t)&sum;
	dig(&sum);
	go_on();
}

static bool is_filled(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != STACK_FILL)
			return false;
	}
	return true;
}

/* The arena gives out what lies next, so the neighbour is just below the guard. */
TEST(libc_runaway_stack_hits_its_guard)
{
	uint64_t top = 0;
	char *neighbour =
		mmap(NULL, NEIGHBOUR, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

	CHECK(neighbour != MAP_FAILED);
	memset(neighbour, STACK_FILL, NEIGHBOUR);
	struct msg_fault f = fault_of(dig_down, &top);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_WRITE && !returned);
	CHECK(f.address < top && top - f.address >= STACK - 2 * MEMORY_PAGE);
	CHECK(top - f.address < STACK + 2 * MEMORY_PAGE);
	CHECK(f.address >= (uint64_t)neighbour + NEIGHBOUR);
	CHECK(is_filled(neighbour, NEIGHBOUR));
	CHECK(munmap(neighbour, NEIGHBOUR) == 0);
}

static const char *const text = "where it lies is known when the program runs";
static const char *const *volatile constant = &text;

static void *write_to(void *where)
{
	*(volatile char *)where = 1;
	go_on();
}

TEST(libc_relocated_constants_can_not_be_written)
{
	const uint64_t at = (uint64_t)constant;

	CHECK(strncmp(*constant, "where", 5) == 0);
	CHECK(at >= (uint64_t)program_relro && at < (uint64_t)program_data);
	struct msg_fault f = fault_of(write_to, (void *)at);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_WRITE && f.address == at && !returned);
}

TEST(libc_text_and_constants_can_not_be_written)
{
	struct msg_fault f = fault_of(write_to, program_text);

	CHECK(f.kind == FAULT_MEMORY && f.address == (uint64_t)program_text && !returned);
	f = fault_of(write_to, program_rodata);
	CHECK(f.kind == FAULT_MEMORY && f.address == (uint64_t)program_rodata && !returned);
}

static void *execute(void *where)
{
	((void (*)(void))where)();
	go_on();
}

TEST(libc_data_can_not_be_executed)
{
	unsigned char *code = malloc(16);
	struct msg_fault f;

	CHECK(code != NULL);
	memset(code, 0xc3, 16); /* ret */
	f = fault_of(execute, code);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_EXEC && !returned);
	f = fault_of(execute, program_data);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_EXEC && !returned);
	f = fault_of(execute, program_relro);
	CHECK(f.kind == FAULT_MEMORY && f.access == FAULT_EXEC && !returned);
	free(code);
}
