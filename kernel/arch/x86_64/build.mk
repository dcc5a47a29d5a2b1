arch-src := boot.S boot.c console.c power.c string.S
arch-test-src := test/string_test.c
arch-bench-src :=
