/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest runtime's image, as data. */
	.section .rodata
	.balign	4096
	.globl	host_image, host_image_end
	.hidden	host_image, host_image_end
host_image:
	.incbin	"guest/runtime.bin"
host_image_end:
	.section .note.GNU-stack, "", @progbits
