lib-virtio-src := virtio_device.c virtio_mapped.c virtio_pci.c virtqueue.c
lib-virtio-test-src := test/virtio_device_test.c test/virtio_mapped_test.c test/virtio_pci_test.c \
	test/virtqueue_test.c
