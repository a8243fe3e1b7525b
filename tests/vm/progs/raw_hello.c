// SPDX-License-Identifier: LGPL-2.1-or-later
/* The thinnest path: one vcpu, one VMCALL, one system call by the return path, one counter. */
#include "raw.h"

extern const char guest_start[], guest_message[], guest_end[];

/* RBX keeps the message's host address, which the host kernel reads. */
__asm__(".pushsection .rodata\n"
	"guest_start:\n"
	"	mov guest_message(%rip), %rsi\n"
	"	mov $1, %eax\n"			/* write */
	"	mov $1, %edi\n"
	"	mov $24, %edx\n"
	"	mov %rsi, %r11\n"
	"	xor %ecx, %ecx\n"
	"	vmcall\n"
	"	cmp $24, %rax\n"
	"	jne 1f\n"
	"	xor %edi, %edi\n"
	"	jmp 2f\n"
	"1:	mov $1, %edi\n"
	"2:	mov $231, %eax\n"		/* exit_group */
	"	xor %ecx, %ecx\n"
	"	vmcall\n"
	"	ud2\n"
	"guest_message:	.quad 0\n"
	"guest_end:\n"
	".popsection\n");

int main(void)
{
	static char code[512];
	static const char text[] = "hello from guest ring 0\n";
	uint64_t address = (uint64_t)text;
	int device = raw_device();

	memcpy(code, guest_start, guest_end - guest_start);
	memcpy(code + (guest_message - guest_start), &address, 8);
	raw_go(raw_setup(device, "raw-hello", code, guest_end - guest_start));
}
