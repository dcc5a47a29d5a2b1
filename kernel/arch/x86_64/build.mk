arch-src := boot.S boot.c console.c power.c
arch-test-src :=
arch-bench-src :=
