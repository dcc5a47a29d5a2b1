# The program that tests the kernel from user mode.
guest-test-src := main.c console.c
