# The program that tests the kernel from user mode; one list for each file that adds cases.
guest-test-src := main.c console.c world.c registers.S registers.c
guest-test-src += attack.c
guest-test-src += aspace.c
guest-test-src += buffer.c
guest-test-src += cap.c
guest-test-src += copy.c
guest-test-src += device.c
guest-test-src += dma.c
guest-test-src += entry.c
guest-test-src += fast.c
guest-test-src += fault.c zoo.S
guest-test-src += guest_mode.c guest_race.c sandbox.c sandbox.S
guest-test-src += job.c
guest-test-src += memory.c
guest-test-src += message.c
guest-test-src += node.c
guest-test-src += process.c
guest-test-src += rage.c
guest-test-src += revoked.c
guest-test-src += sched.c
guest-test-src += shared_page.c
guest-test-src += signal.c
guest-test-src += quota.c
guest-test-src += refuse.c
guest-test-src += scale.c scale_test.c
guest-test-src += storm.c
guest-test-src += startup.c
guest-test-src += table.c
guest-test-src += thread.c
guest-test-src += transfer.c

# What calls cost.
guest-bench-src := main.c console.c world.c registers.S registers.c
guest-bench-src += bench.c
guest-bench-src += bench_caps.c storm.c job.c
guest-bench-src += guest_bench.c sandbox.c sandbox.S
guest-bench-src += bench_scale.c scale.c
