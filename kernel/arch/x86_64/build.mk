arch-src := ap.S boot.S boot.c console.c cpu.c exception.c feature.c firmware.c ioport.c irq.c mmu.c \
	power.c probe.S random.c smp.c string.S time.c trap.S trap.c user.S user.c user_mmu.c vector.c
arch-test-src := test/cpu_test.c test/crash.c test/frame_test.c test/grace_test.c test/irq_test.c \
	test/log_test.c test/mmu_test.c test/probe.S test/probe_test.c test/random_test.c \
	test/smp_call.c test/smp_test.c test/string_test.c test/time_test.c test/tlb_test.c \
	test/trap_test.c test/user_mmu_test.c test/user_page.c
arch-bench-src := bench/frame_bench.c
