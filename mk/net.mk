# SPDX-License-Identifier: MIT
# The IP stack of native programs (lib/net): our interface to it, and lwIP (third_party/lwip).

include lib/net/build.mk
lwip := build/src/lwip/src
lwip-src := $(lwip-files:%=$(lwip)/%)
net-src := $(lib-net-src:%=lib/net/%) $(lwip-src)
net-includes := -Ilib/net/port -isystem $(lwip)/include

$(lwip-src) &: third_party/lwip tools/source.sh
	$(call say,SOURCE lwip)
	$(Q)mkdir -p build
	$(Q)tools/source.sh lwip build/src/lwip >build/lwip.log 2>&1 || { cat build/lwip.log; false; }
	@touch $(lwip-src)

# Whoever includes lwIP's headers waits until they are there; on the host all know where.
$(lib-net-src:%=$(B)/libc/lib/net/%.o): file-flags := $(net-includes)
$(lwip-src:%=$(B)/libc/%.o): file-flags := $(net-includes) -w
$(foreach d,build/host/asan build/host/tsan build/fuzz/obj,$(lwip-src:%=$(d)/%.o)): file-flags := -w
$(foreach d,build/host/asan build/host/tsan build/fuzz/obj $(B)/libc,$(net-src:%=$(d)/%.o)) \
$(lib-net-src:%=build/lint/clang-host/lib/net/%.ok): | $(lwip-src)

# An idle stack costs less than 64 KiB: what it takes from its pool, which its tests look at, and
# this, which here has the sanitizer's gaps in it.
net-bss-max := 32768

# $(call net-twice,<directory of objects>): a process has one instance, so the tests have the
# library twice: as it is, and with peer_ in place of net_.
define net-twice
$(1)/net.o: $(net-src:%=$(1)/%.o) lib/net/build.mk
	$$(call say,LD $$@)
	$$(Q)ld -r -o $$@ $$(filter %.o,$$^) && objcopy --wildcard --keep-global-symbol='net_*' $$@
	$$(Q)[ $$$$(size $$@ | awk 'NR == 2 { print $$$$3 }') -lt $(net-bss-max) ] || { size $$@; false; }
$(1)/net_peer.o: $(1)/net.o
	$$(Q)nm --defined-only --extern-only $$< | sed -n 's/.* net_\(.*\)/net_\1 peer_\1/p' >$$@.names
	$$(Q)objcopy --redefine-syms=$$@.names $$< $$@

-include $(net-src:%=$(1)/%.d)
endef
$(foreach d,build/host/asan build/host/tsan,$(eval $(call net-twice,$(d))))
