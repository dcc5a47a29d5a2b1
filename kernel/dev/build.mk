# What the kernel itself must know of devices. dev-pure-src needs no machine and
# is tested on the host by dev-test-src.
dev-pure-src := acpi.c scale.c
dev-src := $(dev-pure-src) ioapic.c lapic.c pic.c pit.c
dev-test-src := test/acpi_test.c test/scale_test.c
