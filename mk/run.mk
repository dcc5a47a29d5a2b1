# SPDX-License-Identifier: MIT
# The node image, and QEMU.

$(B)/boot.cpio: Makefile
	@mkdir -p $(B)/archive
	@echo "ThemeliOS $(VERSION)" > $(B)/archive/version
	@cd $(B)/archive && find . -type f | sort | cpio --quiet -o -H newc > ../boot.cpio

image: $(B)/release/kernel.elf $(B)/debug/kernel.elf $(B)/boot.cpio

QEMU := qemu-system-x86_64 -M q35 -cpu max -display none -no-reboot -nodefaults \
	-serial stdio -device pvpanic -action panic=exit-failure

run: image
	@$(QEMU) -smp $(SMP) -m $(MEM) -kernel $(B)/release/kernel.elf -initrd $(B)/boot.cpio $(QEMU_EXTRA)

.PHONY: all image run
