lib-program-src := block.c cap.c exit.c output.c write.c
lib-program-host-src := block.c output.c test/block_test.c test/output_test.c
