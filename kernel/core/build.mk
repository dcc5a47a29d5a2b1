# Sources of the core; core-freestanding-src names those among them that a
# program on the host has from its C library.
core-src := blake2s.c chacha20.c cpu.c extent.c format.c frame.c grace.c log.c main.c object.c panic.c \
	random.c slab.c spinlock.c symbol.c tlb.c
core-freestanding-src :=

# Unit tests, and those that only ThreadSanitizer is to run.
core-test-src := test/blake2s_test.c test/chacha20_test.c test/child.c test/format_test.c \
	test/log_test.c test/panic_test.c test/random_test.c test/symbol_test.c
core-tsan-test-src :=
