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

# $(call compose,<composition>,<names of programs>,<C file that init is linked with>)
define compose
$(3): $(1) $(wildcard tools/compos*.py proto/*.h) abi/rights.h services/init/composition.h \
		kernel/core/sched.h
	$$(call say,COMPOSE $$@)
	@mkdir -p $$(@D)
	$$(Q)python3 tools/compose.py $$< --files $(2:%=bin/%) --output $$@
endef

$(eval $(call compose,services/node.composition,$(services),$(B)/gen/composition.c))
$(eval $(call libc-program,init,$(init-files) $(B)/gen/composition.c))

# The log with nothing but a program that looks at it, see tests/log.
include tests/log/build.mk
log-test-files := $(log-test-checker:%=tests/log/%)
$(eval $(call compose,tests/log/log.composition,log checker,$(B)/gen/log.c))
$(eval $(call libc-program,log-root,$(init-files) $(B)/gen/log.c))
$(eval $(call libc-program,log-checker,$(log-test-files)))
$(B)/user/log-test.cpio: $(addprefix $(B)/archive/,log-root log log-checker) tools/archive.py
	$(call say,CPIO $@)
	$(Q)python3 tools/archive.py $@ root=$(B)/archive/log-root bin/log=$(B)/archive/log \
		bin/checker=$(B)/archive/log-checker

# The node as it is, with what measures it behind, see tests/meter.
include tests/meter/build.mk
$(B)/gen/meter.composition: services/node.composition tests/meter/meter.composition
	@mkdir -p $(@D)
	$(Q)cat $^ >$@

$(eval $(call compose,$(B)/gen/meter.composition,$(services) $(meter-programs),$(B)/gen/meter.c))
$(eval $(call libc-program,meter-root,$(init-files) $(B)/gen/meter.c))
$(foreach p,$(meter-programs),$(eval $(call \
	libc-program,meter-$(p),$(meter-test-$(p):%=tests/meter/%))))
$(B)/user/meter.cpio: $(addprefix $(B)/archive/,meter-root $(services:%=bin/%) \
		$(meter-programs:%=meter-%)) tools/archive.py
	$(call say,CPIO $@)
	$(Q)python3 tools/archive.py $@ root=$(B)/archive/meter-root \
		$(foreach s,$(services),bin/$(s)=$(B)/archive/bin/$(s)) \
		$(foreach p,$(meter-programs),bin/$(p)=$(B)/archive/meter-$(p))

libc-src += $(log-files) $(power-files) $(log-test-files) \
	$(foreach p,$(meter-programs),$(meter-test-$(p):%=tests/meter/%))

$(B)/archive/bin/%: $(B)/user/%
	@mkdir -p $(@D)
	$(Q)$(OBJCOPY-kernel) --strip-debug $< $@

services-host-src := $(foreach s,config power,$(filter-out %/main.c,$($(s)-files)) \
	$($(s)-test-src:%=services/$(s)/%)) $(yyjson-src)

$(B)/libc/services/config/json.c.o: file-flags := -isystem $(yyjson)
# What includes the library's header waits until it is there.
$(foreach d,build/host/asan build/host/tsan build/fuzz/obj $(B)/libc $(lint-dir)/clang-host,\
	$(d)/services/config/json.c.o build/lint/clang-host/services/config/json.c.ok): | $(yyjson-src)
