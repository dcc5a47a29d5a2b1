/* SPDX-License-Identifier: MIT */
/* From the start-up block to main: musl expects arguments, environment and the auxiliary
 * vector on its first stack. */
#include <lib/libc/port.h>
#include <lib/program/program.h>
#include <lib/sys/program.h>
#include <elf.h>
#include <string.h>

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*ldso)(void));
__attribute__((visibility("hidden"))) int __set_thread_area(void *tls);

/* Arguments, at most, with the program's name. */
#define ARGUMENTS 64

const struct startup_own *libc_own;
const void *libc_startup;

/* musl's way to set its thread's register. */
NO_CANARY int __set_thread_area(void *tls)
{
	machine_set_tls((uint64_t)tls);
	return 0;
}

/* Sets the program's name and arguments, as far as it was given some; how many there are. */
static unsigned take_arguments(const struct program_block *b, char *arguments[ARGUMENTS])
{
	unsigned n = 0;

	arguments[n++] = (char *)(uintptr_t)(b != NULL ? b->name : "program");
	for (unsigned i = 0; b != NULL && n < ARGUMENTS; i++) {
		const char *text = program_block_argument(b, i);
		if (text == NULL)
			break;
		arguments[n++] = (char *)(uintptr_t)text;
	}
	return n;
}

/* Behind the arguments and the environment, which is empty. */
static void tell_musl(char **end)
{
	const Elf64_Ehdr *file = (const Elf64_Ehdr *)program_text;
	const uint64_t told[] = {
		AT_PHDR,   (uint64_t)file + file->e_phoff,
		AT_PHNUM,  file->e_phnum,
		AT_PHENT,  file->e_phentsize,
		AT_PAGESZ, 4096,
		AT_RANDOM, (uint64_t)libc_own->seed,
		AT_NULL,   0,
	};

	memcpy(end, told, sizeof(told));
}

NO_CANARY void program_main(const struct startup_own *own)
{
	static char *arguments[ARGUMENTS + 2 + 2 * 6];

	libc_own = libc_startup = own;
	thread_adopt_first();
	if (!arena_init() || !thread_init())
		libc_exit(127);
	const struct program_block *b = program_block();
	libc_fault = b != NULL ? b->supervisor : CAP_NONE;
	unsigned n = take_arguments(b, arguments);
	tell_musl(&arguments[n + 2]);
	__libc_start_main(main, (int)n, arguments, NULL, NULL, NULL);
	__builtin_unreachable();
}
