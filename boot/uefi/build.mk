# The UEFI stub; its payload apart. All but the machine's part is tested on the
# host, against a firmware of the test's own.
uefi-core-src := image.c main.c memory_map.c options.c
uefi-src := $(uefi-core-src) $(ARCH)/machine.c
uefi-test-src := $(uefi-core-src) test/image_test.c test/main_test.c test/memory_map_test.c \
	test/options_test.c
