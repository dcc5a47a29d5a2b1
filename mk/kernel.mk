# SPDX-License-Identifier: MIT
# The kernel: the same sources twice, release and debug (DEBUG_ASSERT on), and
# the debug one once more with the guest tests linked in.

include kernel/core/build.mk kernel/arch/$(ARCH)/build.mk

kernel-src := $(core-src:%=kernel/core/%) $(arch-src:%=kernel/arch/$(ARCH)/%)
kernel-test-src := $(arch-test-src:%=kernel/arch/$(ARCH)/%)
kernel-ld := kernel/arch/$(ARCH)/kernel.ld

FLAGS-release :=
FLAGS-debug := -DDEBUG

# $(1) variant, $(2) sources
objects = $(patsubst %,$(B)/$(1)/%.o,$(2))

define kernel-variant
$(B)/$(1)/%.c.o: %.c | $(B)/gen/core/version.h
	@mkdir -p $$(@D)
	@echo '  CC $$@'; $$(CC-kernel) $$(KERNEL_CFLAGS) $$(FLAGS-$(1)) $$(KERNEL_INCLUDES) -MMD -MP -c $$< -o $$@

$(B)/$(1)/%.S.o: %.S
	@mkdir -p $$(@D)
	@echo '  CC $$@'; $$(CC-kernel) $$(KERNEL_CFLAGS) $$(FLAGS-$(1)) $$(KERNEL_INCLUDES) -MMD -MP -c $$< -o $$@

$(B)/$(1)/kernel.elf: $(call objects,$(1),$(kernel-src)) $(kernel-ld)
	@echo '  LD $$@'; $$(LD-kernel) -nostdlib -z noexecstack -z max-page-size=4096 -T $(kernel-ld) -o $$@ $$(filter %.o,$$^)

-include $(patsubst %.o,%.d,$(call objects,$(1),$(kernel-src)))
endef

$(foreach v,release debug,$(eval $(call kernel-variant,$(v))))

# Rewritten only when the version or the commit changes.
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
$(B)/gen/core/version.h: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '/* generated */' '#define VERSION "$(VERSION)"' \
		'#define VERSION_COMMIT "$(COMMIT)"' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:
.PHONY: FORCE
