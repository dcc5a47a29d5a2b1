libc-test-src := main.c guard.c libc.c
