lib-program-src := block.c exit.c output.c
lib-program-test-src := block.c output.c test/block_test.c test/output_test.c
