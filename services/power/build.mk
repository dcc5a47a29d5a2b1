power-src := fadt.c main.c
power-test-src := test/fadt_test.c
