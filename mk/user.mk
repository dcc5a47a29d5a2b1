# SPDX-License-Identifier: MIT
# Native programs: freestanding, linked statically with the libraries they use.

include lib/sys/build.mk services/init/build.mk tests/guest/build.mk tests/libc/build.mk

ARCHFLAGS-user-x86_64 := -m64 -march=x86-64 -mgeneral-regs-only -mno-red-zone
USER_CFLAGS := -std=gnu17 -O2 -g -ffile-prefix-map=$(CURDIR)=. -ffreestanding -fno-common \
	-fno-strict-aliasing -fwrapv -fno-pic -fno-pie -fno-stack-protector \
	-fno-asynchronous-unwind-tables $(ARCHFLAGS-user-$(ARCH)) $(WARNINGS-kernel) \
	-I. -Ilib/sys/$(ARCH)
USER_LDFLAGS := -nostdlib -static -z noexecstack -z max-page-size=4096 -T lib/sys/user.ld

$(eval $(call compile-rules,$(B)/user,$(CC-kernel) $(USER_CFLAGS)))

gcc-include := $(shell $(CC-kernel) -print-file-name=include)
# With the C library: floating point, and its headers in place of the compiler's own.
LIBC_CFLAGS := $(filter-out -ffreestanding -mgeneral-regs-only,$(USER_CFLAGS)) -Ilib/libc/$(ARCH) \
	-nostdinc -isystem $(libc-sysroot)/include -isystem $(gcc-include)
$(eval $(call compile-rules,$(B)/libc,$(CC-kernel) $(LIBC_CFLAGS)))
lib-libc-objects := $(lib-libc-src:%=$(B)/libc/lib/libc/%.o)

gcc-library := $(shell $(CC-kernel) -print-libgcc-file-name)
lib-sys-start := $(B)/user/lib/sys/$(ARCH)/start.S.o
lib-sys-objects := $(lib-sys-src:%=$(B)/user/lib/sys/%.o)

# $(call user-program,<program>,<sources>): build/ARCH/user/<program>
define user-program
$(B)/user/$(1): $(2:%=$(B)/user/%.o) $(lib-sys-objects) lib/sys/user.ld
	$$(call say,LD $$@)
	$$(Q)$(LD-kernel) $(USER_LDFLAGS) -o $$@ $$(filter %.o,$$^)

-include $(2:%=$(B)/user/%.d)
endef

# $(call libc-program,<program>,<sources>): the same, with the C library
define libc-program
$(2:%=$(B)/libc/%.o) $(lib-libc-objects): $(libc)

$(B)/user/$(1): $(2:%=$(B)/libc/%.o) $(lib-libc-objects) $(lib-sys-start) $(libc) lib/sys/user.ld
	$$(call say,LD $$@)
	$$(Q)$(LD-kernel) $(USER_LDFLAGS) -o $$@ $$(filter %.o,$$^) $(libc) $(gcc-library)

-include $(2:%=$(B)/libc/%.d)
endef

init-files := $(init-src:%=services/init/%)
guest-test-files := $(guest-test-src:%=tests/guest/%)
guest-bench-files := $(guest-bench-src:%=tests/guest/%)
user-src := $(lib-sys-src:%=lib/sys/%) $(init-files) $(guest-test-files) $(guest-bench-files)
$(eval $(call user-program,init,$(init-files)))
$(eval $(call user-program,test,$(guest-test-files)))
$(eval $(call user-program,bench,$(guest-bench-files)))
$(eval $(call libc-program,libc-test,$(libc-test-src:%=tests/libc/%)))

-include $(lib-sys-objects:.o=.d) $(lib-libc-objects:.o=.d)

$(B)/archive/root: $(B)/user/init
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY-kernel) --strip-debug $< $@

# An archive with nothing but the first program.
$(B)/user/%.cpio: $(B)/user/%
	$(call say,CPIO $@)
	@mkdir -p $@.d
	$(Q)$(OBJCOPY-kernel) --strip-debug $< $@.d/root && touch -h -d @0 $@.d/root
	$(Q)cd $@.d && echo root | cpio --quiet -o -H newc --reproducible -R 0:0 >../$(@F).new
	$(Q)mv $@.new $@
