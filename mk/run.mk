# SPDX-License-Identifier: MIT
# The node image, and QEMU.

$(B)/boot.cpio: Makefile
	@mkdir -p $(B)/archive
	@echo "ThemeliOS $(VERSION)" > $(B)/archive/version
	@cd $(B)/archive && find . -type f | sort | cpio --quiet -o -H newc > ../boot.cpio

image: $(B)/release/kernel.elf $(B)/debug/kernel.elf $(B)/boot.cpio

run: image
	@python3 tools/qemu_run.py --boot --smp $(SMP) --mem $(MEM) --extra '$(QEMU_EXTRA)' \
		--kernel $(B)/release/kernel.elf --archive $(B)/boot.cpio

.PHONY: all image run
