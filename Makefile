# SPDX-License-Identifier: MIT
# The whole build is one graph: this file, the rules in mk/, and a build.mk in
# each directory that only lists what is there. Everything goes to build/<arch>/.

ARCH       ?= x86_64
SMP        ?= 2
MEM        ?= 256M
QEMU_EXTRA ?=
VERSION    := 0.1.0

B := build/$(ARCH)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)

all: image

ifeq ($(wildcard kernel/arch/$(ARCH)/kernel.ld),)
$(error There is no port to ARCH=$(ARCH); ports: $(patsubst \
	kernel/arch/%/kernel.ld,%,$(wildcard kernel/arch/*/kernel.ld)))
endif

# What the goals need from the distribution (mk/deps) is there before the first
# command runs; a dry run (make -n) installs nothing.
needs-help := none
needs-clean := none
needs-run := build run
needs-debug := build run debug
needs-lint := build lint
needs-format := lint
needs-fresh := fresh
$(foreach g,test soak bench mutants fuzz,$(eval needs-$(g) := build test))
needs := $(sort $(foreach g,$(or $(MAKECMDGOALS),all),$(or $(needs-$(g)),build)))
ifeq ($(findstring n,$(filter-out -%,$(firstword $(MAKEFLAGS)))),)
ifneq ($(shell tools/deps.sh $(needs) >&2 && echo there),there)
$(error Packages are missing)
endif
endif

include mk/toolchain.mk
include mk/kernel.mk
include mk/image.mk
include mk/libc.mk
include mk/user.mk
include mk/net.mk
include mk/services.mk
include mk/host.mk
include mk/fuzz.mk
include mk/run.mk
include mk/test.mk
include mk/lint.mk

clean:
	@rm -rf build

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile
.PHONY: all clean help

#: make            the node image, in build/ARCH/
#: make run        boots the kernel in QEMU, serial line on the terminal; the exit
#:                 status is the guest's verdict; BOOT=uefi boots the node image; PRESS='text'
#:                 presses its power button when a line has the text
#: make test       all tests; the last line is "N passed, N failed, N skipped"
#: make lint       warnings of two compilers as errors, style, layers, budgets
#: make format     lays out all C files with clang-format
#: make bench      lines "name value unit", with the aim where there is one
#: make debug      QEMU stopped at its first instruction, gdb attached, debug kernel
#: make soak       the tests with more rounds, more seeds
#: make fuzz       drives the parsers with libFuzzer, FUZZ_SECONDS=60 each
#: make mutants    breaks one check at a time; a named test must notice each
#: make fresh      the two commands of the README in a new Debian 12 root
#: make clean      removes build/
#:
#: ARCH=x86_64     the machine; SMP=2 CPUs and MEM=256M for run and debug
#: QEMU_EXTRA=     more arguments for QEMU in run and debug; CMDLINE= boot options,
#:                 built into the node image
#: V=1             shows the commands
#:
#: Missing packages are listed, then installed with apt-get (sudo if not root).
