/* SPDX-License-Identifier: MIT */
/* From the start-up block to main: musl expects arguments, environment and the auxiliary
 * vector on its first stack. */
#include <lib/libc/port.h>
#include <lib/sys/program.h>
#include <elf.h>

int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*ldso)(void));
__attribute__((visibility("hidden"))) int __set_thread_area(void *tls);

const struct startup_own *libc_own;
const struct startup *libc_startup;

/* musl's way to set its thread's register. */
int __set_thread_area(void *tls)
{
	machine_set_tls((uint64_t)tls);
	return 0;
}

void program_main(const struct startup *s)
{
	extern const Elf64_Ehdr program_headers;
	static char *arguments[2 + 1 + 2 * 6];
	uint64_t *aux = (uint64_t *)&arguments[3];
	const uint64_t told[] = {
		AT_PHDR,   (uint64_t)&program_headers + program_headers.e_phoff,
		AT_PHNUM,  program_headers.e_phnum,
		AT_PHENT,  program_headers.e_phentsize,
		AT_PAGESZ, 4096,
		AT_RANDOM, (uint64_t)s->seed,
		AT_NULL,   0,
	};

	libc_startup = s;
	libc_own = (const struct startup_own *)s;
	thread_adopt_first();
	for (unsigned i = 0; i < sizeof(told) / sizeof(*told); i++)
		aux[i] = told[i];
	if (!arena_init() || !thread_init())
		libc_exit(127);
	arguments[0] = (char *)(uintptr_t) "program";
	__libc_start_main(main, 1, arguments, NULL, NULL, NULL);
	__builtin_unreachable();
}
