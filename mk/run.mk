# SPDX-License-Identifier: MIT
# QEMU. BOOT=direct starts the kernel itself, BOOT=uefi the node image under UEFI
# firmware. CMDLINE (mk/image.mk) holds boot options for both. A node that stands goes on until
# somebody ends it; with PRESS=TEXT its power button is pressed when a line has that text.

BOOT ?= direct
PRESS ?=

machine := --smp $(SMP) --mem $(MEM) --extra '$(QEMU_EXTRA)'
boot-direct = --kernel $(B)/$(1)/kernel.elf --archive $(B)/boot.cpio --append '$(CMDLINE)'
boot-uefi = --esp $(B)/esp

run: image
	@python3 tools/qemu_run.py --boot $(if $(PRESS),--press '$(PRESS)',--timeout 1000000) \
		$(machine) $(call boot-$(BOOT),release)

# GDB_EXTRA: more arguments for gdb, such as -ex 'break kernel_main'.
debug: image
	@python3 tools/debug.py $(machine) $(call boot-direct,debug) -- $(GDB_EXTRA)

.PHONY: run debug
