# What the kernel itself must know of devices. dev-pure-src is free of machine
# instructions and is tested on the host by dev-test-src.
dev-pure-src := acpi.c
dev-src := $(dev-pure-src)
dev-test-src := test/acpi_test.c
