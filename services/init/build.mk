# What does without system calls is tested on the host.
init-pure-src := backtrace.c newc.c pie.c supervise.c
init-src := deposit.c describe.c grant.c hurry.c load.c main.c program.c report.c
init-test-src := test/file_test.c test/supervise_test.c
