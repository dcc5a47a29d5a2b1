lib-libc-src := arena.c call.c futex.c lock.c start.c thread.c
