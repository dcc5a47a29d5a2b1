# Sources of the core, one a line; core-freestanding-src names those among them that
# a program on the host has from its C library.
core-src :=
core-src += archive.c
core-src += aspace.c
core-src += blake2s.c
core-src += boot.c
core-src += cap.c
core-src += chacha20.c
core-src += cpu.c
core-src += cspace.c
core-src += dma.c
core-src += dma.c
core-src += elf.c
core-src += endpoint.c
core-src += extent.c
core-src += format.c
core-src += frame.c
core-src += grace.c
core-src += guest.c
core-src += guest_fast.c
core-src += ioport.c
core-src += ipc_fast.c
core-src += irq_object.c
core-src += log.c
core-src += main.c
core-src += memory.c
core-src += message.c
core-src += node.c
core-src += notification.c
core-src += object.c
core-src += pagetable.c
core-src += panic.c
core-src += quota.c
core-src += random.c
core-src += reply.c
core-src += root.c
core-src += run_queue.c
core-src += scale.c
core-src += sched.c
core-src += slab.c
core-src += spinlock.c
core-src += symbol.c
core-src += sys_cap.c
core-src += sys_memory.c
core-src += sys_message.c
core-src += sys_thread.c
core-src += syscall.c
core-src += thread.c
core-src += thread_bind.c
core-src += timer.c
core-src += timer_object.c
core-src += tlb.c
core-src += tree.c
core-src += user.c
core-freestanding-src :=

# Unit tests, and those that only ThreadSanitizer is to run.
core-test-src :=
core-test-src += test/archive_test.c
core-test-src += test/aspace_test.c
core-test-src += test/blake2s_test.c
core-test-src += test/boot_test.c
core-test-src += test/cap_model_test.c
core-test-src += test/cap_race_test.c
core-test-src += test/cap_spec.c
core-test-src += test/cap_test.c
core-test-src += test/chacha20_test.c
core-test-src += test/child.c
core-test-src += test/cpu_test.c
core-test-src += test/cspace_test.c
core-test-src += test/dma_test.c
core-test-src += test/elf_test.c
core-test-src += test/endpoint_test.c
core-test-src += test/extent_test.c
core-test-src += test/format_test.c
core-test-src += test/frame_ok.c
core-test-src += test/frame_test.c
core-test-src += test/grace_test.c
core-test-src += test/ipc_race_test.c
core-test-src += test/log_test.c
core-test-src += test/memory_test.c
core-test-src += test/message_test.c
core-test-src += test/notification_test.c
core-test-src += test/object_test.c
core-test-src += test/ok.c
core-test-src += test/panic_test.c
core-test-src += test/play.c
core-test-src += test/quota_test.c
core-test-src += test/random_test.c
core-test-src += test/scale_test.c
core-test-src += test/sched_test.c
core-test-src += test/slab_test.c
core-test-src += test/spinlock_test.c
core-test-src += test/storm.c
core-test-src += test/storm_test.c
core-test-src += test/symbol_fake.c
core-test-src += test/symbol_test.c
core-test-src += test/syscall_test.c
core-test-src += test/thread_test.c
core-test-src += test/timer_test.c
core-test-src += test/tlb_test.c
core-test-src += test/tree_ok.c
core-test-src += test/tree_test.c
core-test-src += test/vm.c
core-test-src += test/vm_model_test.c
core-test-src += test/vm_ok.c
core-test-src += test/vm_race_test.c
core-test-src += test/world.c
# Sources of the core; core-freestanding-src names those among them that a
# program on the host has from its C library.
core-src := archive.c aspace.c blake2s.c boot.c cap.c chacha20.c cpu.c cspace.c elf.c endpoint.c \
	extent.c format.c frame.c grace.c guest.c guest_fast.c ioport.c ipc_fast.c irq_object.c log.c \
	main.c memory.c message.c node.c notification.c object.c pagetable.c panic.c quota.c random.c reply.c root.c run_queue.c scale.c \
	sched.c slab.c spinlock.c symbol.c sys_cap.c sys_memory.c sys_message.c sys_thread.c syscall.c \
	thread.c thread_bind.c timer.c timer_object.c tlb.c tree.c user.c
core-test-src := test/archive_test.c test/aspace_test.c test/blake2s_test.c test/boot_test.c \
	test/cap_model_test.c test/cap_race_test.c test/cap_spec.c test/cap_test.c \
	test/chacha20_test.c test/child.c test/cpu_test.c test/cspace_test.c test/elf_test.c \
	test/endpoint_test.c test/extent_test.c test/format_test.c test/frame_ok.c test/frame_test.c \
	test/grace_test.c test/guest_test.c test/ipc_race_test.c test/log_test.c test/memory_test.c \
	test/message_test.c test/notification_test.c test/object_test.c test/ok.c test/panic_test.c \
	test/play.c test/quota_test.c test/random_test.c test/scale_test.c test/sched_test.c \
	test/slab_test.c test/spinlock_test.c test/storm.c test/storm_test.c test/symbol_fake.c \
	test/symbol_test.c test/syscall_test.c test/thread_test.c test/timer_test.c \
	test/tlb_test.c test/tree_ok.c test/tree_test.c test/vm.c test/vm_model_test.c \
	test/vm_ok.c test/vm_race_test.c test/world.c
core-tsan-test-src :=

# What the tests of every port use.
core-port-test-src := test/frame_ok.c
