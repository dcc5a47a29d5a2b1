arch-src := cpu.c console.c power.c random.c
arch-test-src :=
