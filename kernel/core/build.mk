# Sources of the core; core-freestanding-src names those among them that a
# program on the host has from its C library.
core-src := format.c log.c main.c panic.c
core-freestanding-src :=

# Unit tests, and those that only ThreadSanitizer is to run.
core-test-src := test/format_test.c
core-tsan-test-src :=
