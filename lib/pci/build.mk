lib-pci-src := bar.c capability.c config.c ecam.c msix.c reset.c scan.c space.c
lib-pci-test-src := test/bar_test.c test/capability_test.c test/ecam_test.c test/machine.c \
	test/msix_test.c test/reset_test.c test/scan_test.c
