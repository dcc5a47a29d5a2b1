# SPDX-License-Identifier: MIT
# make lint: what a machine can watch. GCC's warnings are errors in every build;
# here Clang reads the same sources, with its analysis of lock discipline.

lint-dir := build/lint
tracked = $(shell git ls-files --cached --others --exclude-standard)
lint-headers := $(shell find abi kernel test -name '*.h' -not -path 'kernel/arch/*')

CLANG_KERNEL := clang --target=$(ARCH)-linux-gnu -fsyntax-only -Wthread-safety \
	$(filter-out -ftrivial-auto-var-init=%,$(KERNEL_CFLAGS)) $(call includes,$(ARCH))
CLANG_HOST := clang -fsyntax-only $(HOST_CFLAGS)
CLANG_USER := clang --target=$(ARCH)-linux-gnu -fsyntax-only $(USER_CFLAGS)
CLANG_LIBC := clang --target=$(ARCH)-linux-gnu -fsyntax-only -Wthread-safety \
	$(subst $(gcc-include),$(shell clang -print-resource-dir)/include,$(LIBC_CFLAGS))

# $(call syntax-rules,<directory>,<suffix of the sources>,<command>): an empty file
# says that the source it is named after was read without a word.
define syntax-rules
$(lint-dir)/$(1)/%.$(2).ok: %.$(2) $(rule-files) | build/gen/core/version.h
	@mkdir -p $$(@D)
	$$(Q)$(3) -MMD -MP -MT $$@ -MF $$(@:.ok=.d) $$<
	@touch $$@

-include $$(patsubst %,$(lint-dir)/$(1)/%.d,$$(lint-$(1)))
lint-files += $$(patsubst %,$(lint-dir)/$(1)/%.ok,$$(lint-$(1)))
endef

lint-clang-release := $(filter %.c,$(kernel-src))
lint-clang-debug := $(filter %.c,$(kernel-src) $(kernel-test-src) $(kernel-bench-src))
lint-clang-host := $(filter-out build/%,$(host-src)) $(host-user-src) $(lib-net-src:%=lib/net/%) $(core-tsan-test-src:%=kernel/core/%)
$(eval $(call syntax-rules,clang-release,c,$(CLANG_KERNEL)))
$(eval $(call syntax-rules,clang-debug,c,$(CLANG_KERNEL) -DDEBUG))
lint-clang-user := $(filter %.c,$(user-src))
# lib/net has the headers of lwIP, which the host's flags know.
lint-clang-libc := $(filter-out lib/net/%,$(filter %.c,$(libc-src)))
$(eval $(call syntax-rules,clang-host,c,$(CLANG_HOST)))
$(eval $(call syntax-rules,clang-user,c,$(CLANG_USER)))
$(eval $(call syntax-rules,clang-libc,c,$(CLANG_LIBC)))
$(lint-clang-libc:%=$(lint-dir)/clang-libc/%.ok): $(libc)

# Every header compiles alone, for the machine and, if it is not a port's, for
# the host; a structure that others see (abi/) has no hidden padding.
header-cc := -x c -Wno-pragma-once-outside-header -Wno-unused-function
lint-header-kernel := $(lint-headers) $(wildcard kernel/arch/*.h kernel/arch/$(ARCH)/*.h)
lint-header-host := $(filter-out test/%,$(lint-headers)) $(wildcard kernel/arch/host/*.h)
lint-header-abi := $(filter abi/%,$(lint-headers))
$(eval $(call syntax-rules,header-kernel,h,$(CLANG_KERNEL) $(header-cc)))
$(eval $(call syntax-rules,header-host,h,$(CLANG_HOST) $(header-cc)))
$(eval $(call syntax-rules,header-abi,h,$(CLANG_KERNEL) $(header-cc) -Wpadded))

lint: image $(test-programs) $(bench-programs) $(lint-files)
	@clang-format --dry-run -Werror $(filter %.c %.h,$(tracked))
	@python3 tools/marks.py $(tracked)
	@python3 tools/layers.py
	@python3 tools/contracts.py
	@python3 tools/claims.py
	@python3 tools/budgets.py
	@echo 'lint: clean'

format:
	@clang-format -i $(filter %.c %.h,$(tracked))

.PHONY: lint format
