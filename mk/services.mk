# SPDX-License-Identifier: MIT
# The services of the node, and what of them is tested on the host.

services-lists := services/config/build.mk services/power/build.mk
include $(services-lists)

# The JSON library (third_party/yyjson), without what nobody uses here.
yyjson := build/src/yyjson/src
yyjson-src := $(yyjson)/yyjson.c
yyjson-flags := -w -DYYJSON_DISABLE_WRITER=1 -DYYJSON_DISABLE_UTILS=1 -DYYJSON_DISABLE_NON_STANDARD=1 \
	-DYYJSON_DISABLE_FAST_FP_CONV=1
%/yyjson/src/yyjson.c.o: file-flags := $(yyjson-flags)

$(yyjson-src): third_party/yyjson tools/source.sh
	$(call say,SOURCE yyjson)
	$(Q)tools/source.sh yyjson build/src/yyjson >build/yyjson.log 2>&1 || { cat build/yyjson.log; false; }
	@touch $@

config-files := $(config-src:%=services/config/%)
services-host-src := $(config-files) $(config-test-src:%=services/config/%) $(yyjson-src) \
	$(power-src:%=services/power/%) $(power-test-src:%=services/power/%)

# What includes the library's header waits until it is there.
$(foreach d,build/host/asan build/host/tsan build/fuzz/obj $(B)/libc $(lint-dir)/clang-host,\
	$(d)/services/config/json.c.o build/lint/clang-host/services/config/json.c.ok): | $(yyjson-src)
