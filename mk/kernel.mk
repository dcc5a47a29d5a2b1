# SPDX-License-Identifier: MIT
# The kernel: the same sources twice, release and debug (DEBUG_ASSERT on), and
# the debug objects once more with the guest tests linked in.

include kernel/core/build.mk kernel/arch/$(ARCH)/build.mk

kernel-src := $(core-src:%=kernel/core/%) $(arch-src:%=kernel/arch/$(ARCH)/%)
kernel-test-src := test/runner.c test/guest.c $(arch-test-src:%=kernel/arch/$(ARCH)/%)
kernel-ld := kernel/arch/$(ARCH)/kernel.ld
kernel-lists := kernel/core/build.mk kernel/arch/$(ARCH)/build.mk

# $(call objects,<variant>,<sources>)
objects = $(2:%=$(B)/$(1)/%.o)

kernel-cc = $(CC-kernel) $(KERNEL_CFLAGS) $(1) $(call includes,$(ARCH))
$(eval $(call compile-rules,$(B)/release,$(call kernel-cc,)))
$(eval $(call compile-rules,$(B)/debug,$(call kernel-cc,-DDEBUG)))

# $(call kernel-image,<image>,<objects>)
define kernel-image
$(1): $(2) $(kernel-ld) $(kernel-lists)
	$$(call say,LD $$@)
	$$(Q)$(LD-kernel) $(KERNEL_LDFLAGS) -T $(kernel-ld) -o $$@ $$(filter %.o,$$^)

-include $(2:.o=.d)
endef

$(eval $(call kernel-image,$(B)/release/kernel.elf,$(call objects,release,$(kernel-src))))
$(eval $(call kernel-image,$(B)/debug/kernel.elf,$(call objects,debug,$(kernel-src))))
$(eval $(call kernel-image,$(B)/debug/kernel-test.elf,\
	$(call objects,debug,$(kernel-src) $(kernel-test-src))))
