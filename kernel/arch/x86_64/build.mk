arch-src := boot.S boot.c console.c cpu.c exception.c power.c trap.S trap.c
arch-test-src := test/trap_test.c
arch-bench-src :=
