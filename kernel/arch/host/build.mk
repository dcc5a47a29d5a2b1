arch-src := cpu.c console.c machine.c mmu.c power.c random.c time.c trap.c
arch-test-src :=
