arch-src := boot.S boot.c console.c cpu.c exception.c power.c random.c trap.S trap.c
arch-test-src := test/log_test.c test/random_test.c test/trap_test.c
arch-bench-src :=
