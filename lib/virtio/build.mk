lib-virtio-src := virtqueue.c
lib-virtio-test-src := test/virtqueue_test.c
