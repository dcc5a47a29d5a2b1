# SPDX-License-Identifier: MIT
# Compilers, flags, and how one object is compiled. GCC builds the kernel;
# Clang checks it (make lint) and builds the UEFI stub, which is a PE file.

CC-x86_64 := x86_64-linux-gnu-gcc
LD-x86_64 := x86_64-linux-gnu-ld
NM-x86_64 := x86_64-linux-gnu-nm
OBJCOPY-x86_64 := x86_64-linux-gnu-objcopy
READELF-x86_64 := x86_64-linux-gnu-readelf
AR-x86_64 := x86_64-linux-gnu-ar
CC-kernel := $(CC-$(ARCH))
LD-kernel := $(LD-$(ARCH))
NM-kernel := $(NM-$(ARCH))
OBJCOPY-kernel := $(OBJCOPY-$(ARCH))
READELF-kernel := $(READELF-$(ARCH))
AR-kernel := $(AR-$(ARCH))
CC-host   := gcc

WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wold-style-definition -Wshadow -Wundef -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wvla -Wimplicit-fallthrough -Wswitch-enum -Wformat=2 \
	-Wunused-result
WARNINGS-kernel := $(WARNINGS) -Wconversion -Wframe-larger-than=1024

# The stack canary lies in struct cpu, which GS points to (kernel/arch/x86_64/cpu.c).
ARCHFLAGS-x86_64 := -m64 -march=x86-64 -mno-red-zone -mgeneral-regs-only -mcmodel=kernel \
	-mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-offset=24

# Functions to which the machine's entry jumps: the registers that C functions keep are
# saved by then. No C function may call them.
ENTRYFLAGS-x86_64 := -fomit-frame-pointer -ffixed-rbp -fcall-used-rbx -fcall-used-r12 \
	-fcall-used-r13 -fcall-used-r14 -fcall-used-r15

# -ffile-prefix-map: the image does not tell where it was built.
KERNEL_CFLAGS := -std=gnu17 -O2 -g -ffile-prefix-map=$(CURDIR)=. -ffreestanding \
	-fno-common -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks \
	-fno-pic -fno-pie -fno-omit-frame-pointer -fno-asynchronous-unwind-tables \
	-fstack-protector-strong -ftrivial-auto-var-init=zero \
	$(ARCHFLAGS-$(ARCH)) $(WARNINGS-kernel)
KERNEL_LDFLAGS := -nostdlib -z noexecstack -z max-page-size=4096

# $(call includes,<port>)
includes = -I. -Ikernel -Ikernel/arch/$(1) -Ibuild/gen

# Commands are quiet and named by one line each; V=1 shows them.
Q := $(if $(V),,@)
say = @echo '  $(1)'

# Every object is made again when the flags may have changed.
rule-files := Makefile $(wildcard mk/*.mk)

# $(call compile-rules,<directory of the objects>,<compiler and flags>)
define compile-rules
$(1)/%.c.o: %.c $(rule-files) | build/gen/core/version.h
	@mkdir -p $$(@D)
	$$(call say,CC $$@)
	$$(Q)$(2) $$(file-flags) -MMD -MP -c $$< -o $$@

$(1)/%.S.o: %.S $(rule-files)
	@mkdir -p $$(@D)
	$$(call say,AS $$@)
	$$(Q)$(2) -MMD -MP -c $$< -o $$@
endef

# Rewritten only when the version or the commit changes.
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
build/gen/core/version.h: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '/* generated */' '#define VERSION "$(VERSION)"' \
		'#define VERSION_COMMIT "$(COMMIT)"' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:
.PHONY: FORCE
