# SPDX-License-Identifier: MIT
# The node image, and QEMU. BOOT=direct starts the kernel itself, BOOT=uefi the
# node image under UEFI firmware. CMDLINE holds boot options (direct only).

BOOT    ?= direct
CMDLINE ?=

$(B)/boot.cpio: Makefile
	@mkdir -p $(B)/archive
	@echo "ThemeliOS $(VERSION)" > $(B)/archive/version
	@cd $(B)/archive && find . -type f | sort | cpio --quiet -o -H newc > ../boot.cpio

image: $(B)/release/kernel.elf $(B)/debug/kernel.elf $(B)/boot.cpio

machine := --smp $(SMP) --mem $(MEM) --extra '$(QEMU_EXTRA)'
boot-direct = --kernel $(B)/$(1)/kernel.elf --archive $(B)/boot.cpio --append '$(CMDLINE)'
boot-uefi = --esp $(B)/esp

run: image
	@python3 tools/qemu_run.py --boot $(machine) $(call boot-$(BOOT),release)

# GDB_EXTRA: more arguments for gdb, such as -ex 'break kernel_main'.
debug: image
	@python3 tools/debug.py $(machine) $(call boot-direct,debug) -- $(GDB_EXTRA)

.PHONY: image run debug
