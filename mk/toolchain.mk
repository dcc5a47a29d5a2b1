# SPDX-License-Identifier: MIT
# Compilers and flags. GCC builds the kernel; Clang checks it (make lint) and
# builds the UEFI stub, which is a PE file.

CC-x86_64 := x86_64-linux-gnu-gcc
LD-x86_64 := x86_64-linux-gnu-ld
CC-kernel := $(CC-$(ARCH))
LD-kernel := $(LD-$(ARCH))

WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes \
	-Wold-style-definition -Wshadow -Wundef -Wpointer-arith -Wcast-qual \
	-Wwrite-strings -Wvla -Wimplicit-fallthrough -Wswitch-enum -Wformat=2 \
	-Wunused-result
WARNINGS-kernel := $(WARNINGS) -Wconversion -Wframe-larger-than=1024

ARCHFLAGS-x86_64 := -m64 -march=x86-64 -mno-red-zone -mgeneral-regs-only -mcmodel=kernel

KERNEL_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-common -fno-strict-aliasing \
	-fwrapv -fno-delete-null-pointer-checks -fno-pic -fno-pie -fno-omit-frame-pointer \
	-fno-asynchronous-unwind-tables -fno-stack-protector -ftrivial-auto-var-init=zero \
	$(ARCHFLAGS-$(ARCH)) $(WARNINGS-kernel)
KERNEL_INCLUDES := -I. -Ikernel -Ikernel/arch/$(ARCH) -I$(B)/gen
