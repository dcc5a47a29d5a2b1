# SPDX-License-Identifier: MIT
# The C library of native programs: musl (third_party/musl) with its system calls led to
# lib/libc. It is built in a copy of its source, by its own makefile.

musl := $(B)/musl
libc := $(musl)/lib/libc.a
libc-sysroot := $(B)/sysroot

# Files of musl that are the machine's way into its kernel, and parts that have no meaning here.
musl-entries := thread/x86_64/clone.s thread/x86_64/syscall_cp.s thread/x86_64/__unmapself.s \
	thread/x86_64/__set_thread_area.s process/x86_64/vfork.s signal/x86_64/restore.s
musl-unused := aio crypt ipc ldso legacy linux mq passwd locale/iconv.c locale/iconv_close.c

build/src/musl/VERSION: third_party/musl tools/source.sh
	$(call say,SOURCE musl)
	$(Q)tools/source.sh musl $(@D) >build/musl.log 2>&1 || { cat build/musl.log; false; }
	@touch $@

$(libc): build/src/musl/VERSION lib/libc/syscall_arch.h mk/libc.mk
	$(call say,MAKE $@)
	$(Q)rm -rf $(musl) && mkdir -p $(B) && cp -r build/src/musl $(musl)
	$(Q)cp lib/libc/syscall_arch.h $(musl)/arch/$(ARCH)/
	$(Q)cd $(musl)/src && rm -r $(musl-entries) $(musl-unused)
	$(Q)cd $(musl) && CC=$(CC-kernel) CFLAGS='-Os -fpie -fstack-protector-strong -fno-omit-frame-pointer' \
		./configure --target=$(ARCH)-linux-gnu --disable-shared --prefix=/ >configure.log 2>&1 \
		|| { cat configure.log; false; }
	$(Q)$(MAKE) -C $(musl) --no-print-directory MAKEFLAGS=-j$(shell nproc) AR=ar RANLIB=ranlib \
		lib/libc.a install-headers DESTDIR=$(CURDIR)/$(libc-sysroot) >$(musl)/make.log 2>&1 \
		|| { tail -20 $(musl)/make.log; false; }
	@touch $@
