# The program that tests the kernel from user mode; one list for each file that adds cases.
guest-test-src := main.c console.c world.c registers.S registers.c
guest-test-src += entry.c
guest-test-src += fault.c zoo.S
guest-test-src += job.c
guest-test-src += message.c
guest-test-src += process.c
guest-test-src += signal.c
guest-test-src += table.c
guest-test-src += thread.c

# What calls cost.
guest-bench-src := main.c console.c world.c registers.S registers.c
guest-bench-src += bench.c
