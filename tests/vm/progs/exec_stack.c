// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Linked to have an executable stack, as programs with nested functions do, and runs code on it.
 * Exit status 42.
 */
#include <string.h>

int main(void)
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 }; /* mov $42, %eax; ret */
	unsigned char stack[16];

	memcpy(stack, code, sizeof(code));
	__asm__ volatile("" : : "r"(stack) : "memory");
	return ((int (*)(void))stack)();
}
