# Sources of the core; core-freestanding-src names those among them that a
# program on the host has from its C library.
core-src := archive.c aspace.c blake2s.c boot.c cap.c chacha20.c cpu.c cspace.c elf.c endpoint.c \
	extent.c format.c frame.c grace.c ioport.c ipc_fast.c irq_object.c log.c main.c memory.c message.c node.c \
	notification.c object.c pagetable.c panic.c quota.c random.c reply.c root.c run_queue.c scale.c \
	sched.c slab.c spinlock.c symbol.c sys_cap.c sys_memory.c sys_message.c sys_thread.c syscall.c \
	thread.c thread_bind.c timer.c timer_object.c tlb.c tree.c user.c
core-freestanding-src :=

# Unit tests, and those that only ThreadSanitizer is to run.
core-test-src := test/archive_test.c test/aspace_test.c test/blake2s_test.c test/boot_test.c \
	test/cap_model_test.c test/cap_race_test.c test/cap_spec.c test/cap_test.c \
	test/chacha20_test.c test/child.c test/cpu_test.c test/cspace_test.c test/elf_test.c \
	test/endpoint_test.c test/extent_test.c test/format_test.c test/frame_ok.c test/frame_test.c \
	test/grace_test.c test/ipc_race_test.c test/log_test.c test/memory_test.c \
	test/message_test.c test/notification_test.c test/object_test.c test/ok.c test/panic_test.c \
	test/play.c test/quota_test.c test/random_test.c test/scale_test.c test/sched_test.c \
	test/slab_test.c test/spinlock_test.c test/symbol_test.c test/syscall_test.c \
	test/thread_test.c test/timer_test.c test/tlb_test.c test/tree_ok.c test/tree_test.c test/vm.c \
	test/vm_model_test.c test/vm_ok.c test/vm_race_test.c test/world.c
core-tsan-test-src :=

# What the tests of every port use.
core-port-test-src := test/frame_ok.c
