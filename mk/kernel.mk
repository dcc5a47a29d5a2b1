# SPDX-License-Identifier: MIT
# The kernel: the same sources twice, release and debug (DEBUG_ASSERT on); the
# debug objects once more with the guest tests linked in, the release objects
# once more with the benchmarks.

include kernel/core/build.mk kernel/dev/build.mk kernel/arch/$(ARCH)/build.mk

kernel-src := $(core-src:%=kernel/core/%) $(dev-src:%=kernel/dev/%) \
	$(arch-src:%=kernel/arch/$(ARCH)/%)
kernel-test-src := test/runner.c test/guest.c $(core-port-test-src:%=kernel/core/%) \
	$(arch-test-src:%=kernel/arch/$(ARCH)/%)
kernel-bench-src := test/runner.c test/guest.c $(arch-bench-src:%=kernel/arch/$(ARCH)/%)
kernel-ld := kernel/arch/$(ARCH)/kernel.ld
kernel-lists := kernel/core/build.mk kernel/dev/build.mk kernel/arch/$(ARCH)/build.mk

# $(call objects,<variant>,<sources>)
objects = $(2:%=$(B)/$(1)/%.o)

kernel-cc = $(CC-kernel) $(KERNEL_CFLAGS) $(1) $(call includes,$(ARCH))
$(eval $(call compile-rules,$(B)/release,$(call kernel-cc,)))
$(eval $(call compile-rules,$(B)/debug,$(call kernel-cc,-DDEBUG)))

$(foreach v,release debug,$(B)/$(v)/kernel/core/ipc_fast.c.o): file-flags := $(ENTRYFLAGS-$(ARCH))

# $(call kernel-link,<output>,<objects>), $(call kernel-symbols,<image>,<source>)
kernel-link = $(LD-kernel) $(KERNEL_LDFLAGS) -T $(kernel-ld) -o $(1) $(2)
kernel-symbols = $(NM-kernel) $(1) | python3 tools/symbols.py > $(2)

# An image is linked twice: with an empty table of symbols, then with the table
# made from the first. The table lies behind the text and so does not move it;
# that the second image has the same symbols is checked all the same.
# $(call kernel-image,<image>,<objects>)
define kernel-image
$(1): $(2) $(kernel-ld) $(kernel-lists) tools/symbols.py
	$$(call say,LD $$@)
	$$(Q)python3 tools/symbols.py </dev/null >$$@.0.S
	$$(Q)$(CC-kernel) -c -o $$@.0.o $$@.0.S
	$$(Q)$$(call kernel-link,$$@.0,$$(filter %.o,$$^) $$@.0.o)
	$$(Q)$$(call kernel-symbols,$$@.0,$$@.1.S)
	$$(Q)$(CC-kernel) -c -o $$@.1.o $$@.1.S
	$$(Q)$$(call kernel-link,$$@,$$(filter %.o,$$^) $$@.1.o)
	$$(Q)$$(call kernel-symbols,$$@,$$@.2.S) && cmp $$@.1.S $$@.2.S

-include $(2:.o=.d)
endef

$(eval $(call kernel-image,$(B)/release/kernel.elf,$(call objects,release,$(kernel-src))))
$(eval $(call kernel-image,$(B)/debug/kernel.elf,$(call objects,debug,$(kernel-src))))
$(eval $(call kernel-image,$(B)/debug/kernel-test.elf,\
	$(call objects,debug,$(kernel-src) $(kernel-test-src))))
$(eval $(call kernel-image,$(B)/release/kernel-bench.elf,\
	$(call objects,release,$(kernel-src) $(kernel-bench-src))))
