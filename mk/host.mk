# SPDX-License-Identifier: MIT
# The kernel core as an ordinary program: the unit tests, twice, under
# AddressSanitizer with UndefinedBehaviorSanitizer, and under ThreadSanitizer.
# The parts of the UEFI stub that touch no firmware are tested there too.

# Libraries that need no kernel.
host-pure-libraries := acpi pci ring virtio
host-pure-lists := $(host-pure-libraries:%=lib/%/build.mk)
include kernel/arch/host/build.mk lib/program/build.mk $(host-pure-lists)

# Of native programs, what is tested here on a fake kernel (lib/fake). Names in it are its own:
# the kernel beside it has some of the same.
host-libraries := fake ipc loop session
host-services := log
host-user-lists := $(host-libraries:%=lib/%/build.mk) $(host-services:%=services/%/build.mk)
include $(host-user-lists)
host-user-src := $(foreach l,$(host-libraries),$(lib-$(l)-src:%=lib/$(l)/%) \
	$(lib-$(l)-test-src:%=lib/$(l)/%)) \
	$(foreach s,$(host-services),$($(s)-test-src:%=services/$(s)/%)) \
	$(config-served-src:%=services/config/%)

# core-freestanding-src is what an ordinary program has from its C library.
host-src := $(filter-out $(core-freestanding-src:%=kernel/core/%),$(core-src:%=kernel/core/%)) \
	$(dev-pure-src:%=kernel/dev/%) $(arch-src:%=kernel/arch/host/%) \
	$(core-test-src:%=kernel/core/%) $(core-user-test-src:%=kernel/core/%) $(dev-test-src:%=kernel/dev/%) \
	$(arch-test-src:%=kernel/arch/host/%) $(uefi-test-src:%=boot/uefi/%) \
	$(foreach l,$(host-pure-libraries),$(lib-$(l)-src:%=lib/$(l)/%) \
		$(lib-$(l)-test-src:%=lib/$(l)/%)) \
	$(lib-net-test-src:%=lib/net/%) \
	$(lib-program-host-src:%=lib/program/%) $(services-host-src) \
	$(init-pure-src:%=services/init/%) $(init-test-src:%=services/init/%) \
	test/runner.c test/host.c
host-lists := kernel/core/build.mk kernel/dev/build.mk kernel/arch/host/build.mk \
	boot/uefi/build.mk $(host-pure-lists) lib/program/build.mk services/init/build.mk $(services-lists)

HOST_CFLAGS := -std=gnu17 -O1 -g -DDEBUG -fno-common -fno-strict-aliasing \
	-fno-omit-frame-pointer -pthread $(WARNINGS) -Wconversion $(call includes,host) \
	-Ilib/fake -isystem $(yyjson) $(net-includes)
SANITIZE-asan := -fsanitize=address,undefined -fno-sanitize-recover=all
# ThreadSanitizer does not know fences; the code that relies on one has atomics on both sides.
SANITIZE-tsan := -fsanitize=thread -Wno-tsan

# $(call host-program,<asan|tsan>,<sources>)
define host-program
$(call compile-rules,build/host/$(1),$(CC-host) $(HOST_CFLAGS) $(SANITIZE-$(1)))

$(host-user-src:%=build/host/$(1)/%.o): file-flags := -fvisibility=hidden
build/host/$(1)/user.o: $(host-user-src:%=build/host/$(1)/%.o) $(host-user-lists)
	$$(call say,LD $$@)
	$$(Q)ld -r -o $$@ $$(filter %.o,$$^) && objcopy --localize-hidden $$@

build/host/$(1)/unit: $(2:%=build/host/$(1)/%.o) $(addprefix build/host/$(1)/,user.o net.o net_peer.o) $(host-lists)
	$$(call say,LD $$@)
	$$(Q)$(CC-host) -pthread $(SANITIZE-$(1)) -o $$@ $$(filter %.o,$$^)

-include $(2:%=build/host/$(1)/%.d) $(host-user-src:%=build/host/$(1)/%.d)
endef

$(eval $(call host-program,asan,$(host-src)))
$(eval $(call host-program,tsan,$(host-src) $(core-tsan-test-src:%=kernel/core/%)))
