# What does without system calls is tested on the host.
init-pure-src := backtrace.c newc.c pie.c supervise.c
init-src := main.c
init-test-src := test/file_test.c test/supervise_test.c
