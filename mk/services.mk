# SPDX-License-Identifier: MIT
# The services of the node, and what of them is tested on the host.

# Those of the node's composition; each is bin/NAME in the boot archive.
services := log config power
services-lists := $(services:%=services/%/build.mk)
include $(services-lists)

# The JSON library (third_party/yyjson), without what nobody uses here.
yyjson := build/src/yyjson/src
yyjson-src := $(yyjson)/yyjson.c
config-libraries := $(yyjson-src)
yyjson-flags := -w -DYYJSON_DISABLE_WRITER=1 -DYYJSON_DISABLE_UTILS=1 -DYYJSON_DISABLE_NON_STANDARD=1 \
	-DYYJSON_DISABLE_FAST_FP_CONV=1
%/yyjson/src/yyjson.c.o: file-flags := $(yyjson-flags)

$(yyjson-src): third_party/yyjson tools/source.sh
	$(call say,SOURCE yyjson)
	$(Q)tools/source.sh yyjson build/src/yyjson >build/yyjson.log 2>&1 || { cat build/yyjson.log; false; }
	@touch $@

$(foreach s,$(services),$(eval $(s)-files := $($(s)-src:%=services/$(s)/%)))
$(foreach s,$(services),$(eval $(call libc-program,$(s),$($(s)-files) $($(s)-libraries))))

# The composition, as init has it.
composition := $(B)/gen/composition.c
$(composition): services/node.composition $(wildcard tools/compos*.py proto/*.h) abi/rights.h \
		services/init/composition.h kernel/core/sched.h
	$(call say,COMPOSE $@)
	@mkdir -p $(@D)
	$(Q)python3 tools/compose.py $< --files $(services:%=bin/%) --output $@
$(eval $(call libc-program,init,$(init-files) $(composition)))

$(B)/archive/bin/%: $(B)/user/%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY-kernel) --strip-debug $< $@

services-host-src := $(foreach s,config power,$(filter-out %/main.c,$($(s)-files)) \
	$($(s)-test-src:%=services/$(s)/%)) $(yyjson-src)

$(B)/libc/services/config/json.c.o: file-flags := -isystem $(yyjson)
# What includes the library's header waits until it is there.
$(foreach d,build/host/asan build/host/tsan build/fuzz/obj $(B)/libc $(lint-dir)/clang-host,\
	$(d)/services/config/json.c.o build/lint/clang-host/services/config/json.c.ok): | $(yyjson-src)
