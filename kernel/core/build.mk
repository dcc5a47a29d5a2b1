core-src := format.c log.c main.c panic.c
