power-src := fadt.c
power-test-src := test/fadt_test.c
