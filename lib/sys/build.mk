lib-sys-src := $(ARCH)/start.S relocate.c string.c
