# SPDX-License-Identifier: MIT
# Native programs: freestanding, linked statically with the libraries they use.

# The libraries of programs that use the C library: what has a list of sources in lib/, but
# what all programs have, and what stands in for the kernel in tests on the host.
native-lists := $(filter-out lib/sys/% lib/fake/%,$(wildcard lib/*/build.mk))
native-libraries := $(native-lists:lib/%/build.mk=%)

include lib/sys/build.mk services/init/build.mk tests/guest/build.mk \
	tests/libc/build.mk tests/services/build.mk
include $(native-lists)

ARCHFLAGS-user-x86_64 := -m64 -march=x86-64 -mgeneral-regs-only -mno-red-zone
USER_CFLAGS := -std=gnu17 -O2 -g -ffile-prefix-map=$(CURDIR)=. -ffreestanding -fno-common \
	-fno-strict-aliasing -fwrapv -fpie -fvisibility=hidden -fno-stack-protector \
	-fno-asynchronous-unwind-tables $(ARCHFLAGS-user-$(ARCH)) $(WARNINGS-kernel) \
	-I. -Ilib/sys/$(ARCH)
# They move as a whole, so there is only one kind of relocation: that by the base.
USER_LDFLAGS := -nostdlib -static -pie --no-dynamic-linker -z text -z noexecstack \
	-z max-page-size=4096 --hash-style=gnu -T lib/sys/user.ld
MOVED-x86_64 := R_X86_64_RELATIVE

# $(call user-link,<output>,<inputs>)
define user-link
$(LD-kernel) $(USER_LDFLAGS) -o $(1) $(2)
$(Q)! $(READELF-kernel) --relocs --wide $(1) | grep ' R_' | grep -v ' $(MOVED-$(ARCH)) '
endef

$(eval $(call compile-rules,$(B)/user,$(CC-kernel) $(USER_CFLAGS)))

gcc-include := $(shell $(CC-kernel) -print-file-name=include)
# With the C library: floating point, its headers in place of the compiler's own, and stack
# canaries, which lie where musl's threads have them.
LIBC_CFLAGS := $(filter-out -ffreestanding -mgeneral-regs-only -fno-stack-protector,$(USER_CFLAGS)) \
	-fstack-protector-strong -fno-omit-frame-pointer -Ilib/libc/$(ARCH) -Iservices/init/$(ARCH) \
	-nostdinc -isystem $(libc-sysroot)/include -isystem $(gcc-include)
$(eval $(call compile-rules,$(B)/libc,$(CC-kernel) $(LIBC_CFLAGS)))

# What a program takes from a library are whole object files, those that it needs.
gcc-library := $(shell $(CC-kernel) -print-libgcc-file-name)
native-src := $(foreach l,$(native-libraries),$(lib-$(l)-src:%=lib/$(l)/%))
native-objects := $(native-src:%=$(B)/libc/%.o)
native-library := $(B)/libc/native.a
lib-sys-objects := $(lib-sys-src:%=$(B)/user/lib/sys/%.o)
lib-sys-start := $(lib-sys-start-src:%=$(B)/user/lib/sys/%.o)
lib-sys-copy := $(lib-sys-copy-src:%=$(B)/user/lib/sys/%.o)

$(native-objects): $(libc)
$(native-library): $(native-objects) $(lib-sys-copy) $(native-lists)
	$(call say,AR $@)
	$(Q)rm -f $@ && $(AR-kernel) rcsD $@ $(filter %.o,$^)

# $(call user-program,<program>,<sources>): build/ARCH/user/<program>
define user-program
$(B)/user/$(1): $(2:%=$(B)/user/%.o) $(lib-sys-objects) lib/sys/user.ld
	$$(call say,LD $$@)
	$$(Q)$$(call user-link,$$@,$$(filter %.o,$$^))

-include $(2:%=$(B)/user/%.d)
endef

# $(call libc-program,<program>,<sources>): the same, with the C library and what stands on it
define libc-program
$(2:%=$(B)/libc/%.o): $(libc)

$(B)/user/$(1): $(2:%=$(B)/libc/%.o) $(lib-sys-start) $(native-library) $(libc) lib/sys/user.ld
	$$(call say,LD $$@)
	$$(Q)$$(call user-link,$$@,$$(filter %.o,$$^) --start-group $(native-library) $(libc) \
		$(gcc-library) --end-group)

-include $(2:%=$(B)/libc/%.d)
endef

init-files := $(init-src:%=services/init/%) $(init-pure-src:%=services/init/%)
guest-test-files := $(guest-test-src:%=tests/guest/%)
guest-bench-files := $(guest-bench-src:%=tests/guest/%)
# What is compiled with the C library's headers.
libc-src := $(native-src) $(libc-test-src:%=tests/libc/%) $(init-files) \
	$(sort $(foreach p,$(services-test-programs),$(services-test-$(p):%=tests/services/%)))
user-src := $(lib-sys-src:%=lib/sys/%) $(guest-test-files) $(guest-bench-files)
$(eval $(call user-program,test,$(guest-test-files)))
$(eval $(call user-program,bench,$(guest-bench-files)))
$(eval $(call user-program,off,tests/guest/off.c))
$(eval $(call libc-program,libc-test,$(libc-test-src:%=tests/libc/%)))
$(eval $(call libc-program,services-root,$(init-files) tests/services/composition.c))
$(foreach p,$(services-test-programs),$(eval $(call \
	libc-program,services-$(p),$(services-test-$(p):%=tests/services/%))))
$(eval $(call user-program,services-bare,tests/services/bare.c))

-include $(lib-sys-objects:.o=.d) $(native-objects:.o=.d)

# An init with a composition of its own, and the programs that it names.
services-parts := root bare $(services-test-programs)
$(B)/user/services.cpio: $(services-parts:%=$(B)/archive/services-%) tools/archive.py
	$(call say,CPIO $@)
	$(Q)python3 tools/archive.py $@ root=$(B)/archive/services-root \
		$(foreach p,bare $(services-test-programs),bin/$(p)=$(B)/archive/services-$(p))

# An archive with nothing but the first program.
$(B)/user/%.cpio: $(B)/archive/% tools/archive.py
	$(call say,CPIO $@)
	$(Q)python3 tools/archive.py $@ root=$<
