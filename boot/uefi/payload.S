/* SPDX-License-Identifier: MIT */
/* What the stub carries, each in a section of its own, which objcopy can show
 * or replace: the kernel, the boot archive, and the command line that counts
 * when the firmware gives none. */
	.section .kernel, "dr"
	.balign 4096
	.globl payload_kernel, payload_kernel_end
payload_kernel:
	.incbin PAYLOAD_KERNEL
payload_kernel_end:

	.section .archive, "dr"
	.balign 4096
	.globl payload_archive, payload_archive_end
payload_archive:
	.incbin PAYLOAD_ARCHIVE
payload_archive_end:

	.section .cmdline, "dr"
	.globl payload_cmdline, payload_cmdline_end
payload_cmdline:
	.incbin PAYLOAD_CMDLINE
payload_cmdline_end:
