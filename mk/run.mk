# SPDX-License-Identifier: MIT
# make run: BOOT=direct hands the kernel to QEMU, BOOT=uefi boots the node image.

BOOT ?= direct
boot-direct := --kernel $(B)/release/kernel.elf --archive $(B)/boot.cpio --append '$(CMDLINE)'
boot-uefi := --esp $(B)/esp

run: image $(if $(filter uefi,$(BOOT)),$(B)/esp/EFI/BOOT/BOOTX64.EFI)
	@python3 tools/qemu_run.py --boot --smp $(SMP) --mem $(MEM) --extra '$(QEMU_EXTRA)' \
		$(boot-$(BOOT))

.PHONY: run
