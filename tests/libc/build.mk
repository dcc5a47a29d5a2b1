libc-test-src := main.c libc.c
