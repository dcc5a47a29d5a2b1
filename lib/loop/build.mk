lib-loop-src := loop.c
lib-loop-test-src := test/loop_test.c
