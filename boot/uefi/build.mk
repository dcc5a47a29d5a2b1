# The UEFI stub; its payload apart. Those that touch no firmware are tested on
# the host.
uefi-src := image.c main.c memory_map.c options.c $(ARCH)/machine.c
uefi-test-src := image.c memory_map.c options.c \
	test/image_test.c test/memory_map_test.c test/options_test.c
