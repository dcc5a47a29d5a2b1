# SPDX-License-Identifier: MIT
# The node image: boot archive, and one UEFI program that carries it and the
# kernel. Both come out the same, byte for byte, whoever builds them where.

include boot/uefi/build.mk

# Files of the boot archive, each made under $(B)/archive/.
archive-files := root version bin/log bin/config bin/power

$(B)/archive/version: build/gen/core/version.h
	@mkdir -p $(@D)
	@echo 'ThemeliOS $(VERSION) ($(COMMIT))' >$@

.PRECIOUS: $(B)/archive/%
# Programs keep their symbols, for backtraces.
$(B)/archive/%: $(B)/user/%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY-kernel) --strip-debug $< $@

$(B)/archive/root: $(B)/archive/init
	$(Q)cp $< $@

$(B)/boot.cpio: $(archive-files:%=$(B)/archive/%) tools/archive.py $(rule-files)
	$(call say,CPIO $@)
	$(Q)python3 tools/archive.py $@ $(foreach f,$(archive-files),$(f)=$(B)/archive/$(f))

# What the kernel sees when the firmware gives no command line.
CMDLINE ?=
$(B)/uefi/cmdline: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CMDLINE)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/uefi/kernel.elf: $(B)/release/kernel.elf
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY-kernel) --strip-all $< $@

CC-uefi-x86_64 := clang -target x86_64-unknown-windows
LD-uefi-x86_64 := lld-link /machine:x64
UEFI_CFLAGS := -std=gnu17 -O2 -ffreestanding -fshort-wchar -fno-stack-protector -mno-red-zone \
	-mgeneral-regs-only $(WARNINGS-kernel) -I.
UEFI_LDFLAGS := /subsystem:efi_application /entry:efi_main /nodefaultlib /Brepro
uefi-payload := -DPAYLOAD_KERNEL='"$(B)/uefi/kernel.elf"' -DPAYLOAD_ARCHIVE='"$(B)/boot.cpio"' \
	-DPAYLOAD_CMDLINE='"$(B)/uefi/cmdline"'
uefi-objects := $(uefi-src:%=$(B)/uefi/boot/uefi/%.o) $(B)/uefi/boot/uefi/payload.S.o

$(eval $(call compile-rules,$(B)/uefi,$(CC-uefi-$(ARCH)) $(UEFI_CFLAGS) $(uefi-payload)))
$(B)/uefi/boot/uefi/payload.S.o: $(B)/uefi/kernel.elf $(B)/boot.cpio $(B)/uefi/cmdline

$(B)/themelios.efi: $(uefi-objects) boot/uefi/build.mk
	$(call say,LD $@)
	$(Q)$(LD-uefi-$(ARCH)) $(UEFI_LDFLAGS) /out:$@ $(filter %.o,$^)

-include $(uefi-objects:.o=.d)

# A directory that QEMU shows to the firmware as a disk; the name is the one that
# firmware starts from a disk without boot entries (UEFI 2.10, 3.5.1.1).
$(B)/esp/EFI/BOOT/BOOTX64.EFI: $(B)/themelios.efi
	@mkdir -p $(@D)
	$(Q)cp $< $@

image: $(B)/release/kernel.elf $(B)/debug/kernel.elf $(B)/boot.cpio $(B)/esp/EFI/BOOT/BOOTX64.EFI

.PHONY: image
