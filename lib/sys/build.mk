lib-sys-start-src := $(ARCH)/start.S relocate.c
lib-sys-copy-src := $(ARCH)/copy.S copy.c
lib-sys-src := $(lib-sys-start-src) $(lib-sys-copy-src) string.c
