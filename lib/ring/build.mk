lib-ring-src := ring.c
lib-ring-test-src := test/ring_test.c
