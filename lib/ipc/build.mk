lib-ipc-src := call.c message.c
lib-ipc-test-src := test/ipc_test.c
