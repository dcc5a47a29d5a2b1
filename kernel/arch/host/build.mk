arch-src := cpu.c console.c power.c
arch-test-src :=
