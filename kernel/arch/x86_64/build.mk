arch-src := boot.S boot.c console.c cpu.c exception.c feature.c mmu.c power.c probe.S random.c \
	string.S trap.S trap.c
arch-test-src := test/cpu_test.c test/crash.c test/log_test.c test/mmu_test.c test/probe.S \
	test/probe_test.c test/random_test.c test/string_test.c test/trap_test.c test/user_page.c
arch-bench-src :=
