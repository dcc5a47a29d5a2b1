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
MAKEFLAGS += --no-builtin-rules

all: image

include mk/toolchain.mk
include mk/kernel.mk
include mk/host.mk
include mk/run.mk
include mk/test.mk
