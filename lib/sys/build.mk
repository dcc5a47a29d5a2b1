lib-sys-src := $(ARCH)/start.S string.c
