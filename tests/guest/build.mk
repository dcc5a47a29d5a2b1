# The program that tests the kernel from user mode.
guest-test-src := main.c console.c world.c registers.S registers.c entry.c fault.c zoo.S process.c \
	sandbox.c sandbox.S guest_mode.c
guest-bench-src := main.c console.c world.c registers.S registers.c bench.c
