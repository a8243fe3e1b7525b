// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A guest of a few bytes under KVM: writes two letters to a port, then halts. Succeeds only when KVM
 * reports exactly these exits, in order: the proof that VT-x works in this machine. Must not depend
 * on anything of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define GUEST_BYTES	0x1000
#define GUEST_ADDR	0x1000
#define PORT		0xe8

/* Real mode: mov $PORT,%dx; mov $'o',%al; out %al,(%dx); mov $'k',%al; out %al,(%dx); hlt */
static const unsigned char guest_code[] = {
	0xba, PORT, 0x00, 0xb0, 'o', 0xee, 0xb0, 'k', 0xee, 0xf4,
};

static const struct {
	unsigned int reason;
	char byte;
} expected[] = {
	{ KVM_EXIT_IO, 'o' },
	{ KVM_EXIT_IO, 'k' },
	{ KVM_EXIT_HLT, 0 },
};

static int check(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "kvm_hello: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return ret;
}

static void *map(size_t bytes, int fd)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	check(memory == MAP_FAILED ? -1 : 0, "mmap");
	return memory;
}

static void add_memory(int vm)
{
	unsigned char *memory = map(GUEST_BYTES, -1);
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = GUEST_ADDR,
		.memory_size = GUEST_BYTES,
		.userspace_addr = (unsigned long)memory,
	};

	memcpy(memory, guest_code, sizeof(guest_code));
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void set_registers(int vcpu)
{
	struct kvm_regs regs = { .rip = GUEST_ADDR, .rflags = 2 };
	struct kvm_sregs sregs;

	check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static int exit_is(const struct kvm_run *run, unsigned int reason, char byte)
{
	if (run->exit_reason != reason)
		return 0;
	if (reason != KVM_EXIT_IO)
		return 1;
	return run->io.direction == KVM_EXIT_IO_OUT && run->io.port == PORT && run->io.size == 1 &&
	       *((const char *)run + run->io.data_offset) == byte;
}

int main(void)
{
	int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	int vcpu, size;
	struct kvm_run *run;

	add_memory(vm);
	vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	size = check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	run = map(size, vcpu);
	set_registers(vcpu);

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
		if (!exit_is(run, expected[i].reason, expected[i].byte)) {
			fprintf(stderr, "kvm_hello: exit %zu has reason %u, not %u\n", i,
				run->exit_reason, expected[i].reason);
			return 1;
		}
	}
	puts("kvm_hello: the guest said ok and halted");
	return 0;
}
