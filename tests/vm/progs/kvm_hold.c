// SPDX-License-Identifier: LGPL-2.1-or-later
/* Makes a KVM VM and keeps it until stdin ends; exits 1 with the reason when KVM refuses. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	char byte;

	if (vm < 0) {
		perror("KVM_CREATE_VM");
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
