# Sources of the core; core-freestanding-src names those among them that a
# program on the host has from its C library.
core-src := archive.c aspace.c blake2s.c boot.c cap.c chacha20.c cpu.c cspace.c extent.c format.c \
	frame.c grace.c log.c main.c memory.c object.c pagetable.c panic.c quota.c random.c scale.c \
	slab.c spinlock.c symbol.c timer.c tlb.c tree.c
core-freestanding-src :=

# Unit tests, and those that only ThreadSanitizer is to run.
core-test-src := test/archive_test.c test/aspace_test.c test/blake2s_test.c test/boot_test.c \
	test/cap_model_test.c test/cap_race_test.c test/cap_spec.c test/cap_test.c \
	test/chacha20_test.c test/child.c test/cpu_test.c test/cspace_test.c test/extent_test.c \
	test/format_test.c test/frame_test.c test/grace_test.c test/log_test.c test/memory_test.c \
	test/object_test.c test/panic_test.c test/quota_test.c test/random_test.c test/scale_test.c \
	test/slab_test.c test/spinlock_test.c test/symbol_test.c test/timer_test.c test/tlb_test.c \
	test/tree_test.c test/vm.c test/vm_model_test.c test/vm_ok.c test/vm_race_test.c test/world.c
core-tsan-test-src :=
