// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kvm_run ROUNDS (0: until SIGTERM): a 64-bit guest under KVM that makes system calls to itself and counts them, and
 * writes to a port after every STEP of them; the count has to be right each time. It lives on what KVM keeps in this
 * CPU while it is preempted: a current VMCS, LSTAR. Prints the rounds that went well. Must not depend on anything of
 * ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define BYTES	      0x10000
#define CODE	      0x1000
#define PML4	      0x2000
#define PDPT	      0x3000
#define PD	      0x4000
#define PRESENT_WRITE 3
#define PAGE_2M	      0x80
#define MSR_STAR      0xc0000081
#define MSR_LSTAR     0xc0000082
#define MSR_FMASK     0xc0000084
#define STEP	      20000

extern const char guest_start[], guest_call[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest_start:\n"
	"	xor %ebx, %ebx\n"
	"1:	mov $20000, %ebp\n"
	"2:	syscall\n"
	"	dec %ebp\n"
	"	jnz 2b\n"
	"	out %al, $0xe8\n"
	"	jmp 1b\n"
	"guest_call:\n"
	"	inc %rbx\n"
	"	jmp *%rcx\n"
	"guest_end:\n"
	"	.popsection\n");

static int vcpu;
static volatile sig_atomic_t stop;

static void on_term(int number)
{
	stop = 1;
}

static int check(int ret, const char *what)
{
	if (ret < 0) {
		fprintf(stderr, "kvm_run: %s: %s\n", what, strerror(errno));
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

/* Code, and page tables for the first 2 MB. */
static void add_memory(int vm)
{
	char *memory = map(BYTES, -1);
	struct kvm_userspace_memory_region region = {
		.memory_size = BYTES,
		.userspace_addr = (uintptr_t)memory,
	};

	memcpy(memory + CODE, guest_start, guest_end - guest_start);
	*(uint64_t *)(memory + PML4) = PDPT | PRESENT_WRITE;
	*(uint64_t *)(memory + PDPT) = PD | PRESENT_WRITE;
	*(uint64_t *)(memory + PD) = PRESENT_WRITE | PAGE_2M;
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void set_msrs(void)
{
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[3];
	} msrs = { .header = { .nmsrs = 3 },
		   .entries = { { .index = MSR_STAR, .data = 8ull << 32 },
				{ .index = MSR_LSTAR, .data = CODE + (guest_call - guest_start) },
				{ .index = MSR_FMASK } } };

	if (check(ioctl(vcpu, KVM_SET_MSRS, &msrs), "KVM_SET_MSRS") != 3)
		check(-1, "KVM_SET_MSRS");
}

static void set_registers(void)
{
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .s = 1,
				    .l = 1,
				    .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff,
				    .selector = 16,
				    .type = 3,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1 };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cr3 = PML4;
	sregs.cr4 = 1 << 5; /* PAE */
	sregs.cr0 = 1ull << 31 | 0x21; /* PG, NE, PE */
	sregs.efer = 0x501; /* LMA, LME, SCE */
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	set_msrs();
}

/* SYSCALL exists for a guest only whose CPUID says so. */
static void set_cpuid(int kvm)
{
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[128];
	} cpuid = { .header = { .nent = 128 } };

	check(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid), "KVM_GET_SUPPORTED_CPUID");
	check(ioctl(vcpu, KVM_SET_CPUID2, &cpuid), "KVM_SET_CPUID2");
}

int main(int argc, char **argv)
{
	int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	unsigned long rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 1, i = 0;
	struct kvm_regs regs;
	struct kvm_run *run;

	add_memory(vm);
	vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = map(check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"), vcpu);
	set_cpuid(kvm);
	set_registers();
	check(signal(SIGTERM, on_term) == SIG_ERR ? -1 : 0, "signal");
	while (!stop && (!rounds || i < rounds)) {
		int ret = ioctl(vcpu, KVM_RUN, 0);

		/* A round that the signal cuts off does not count. */
		if (ret < 0 && stop)
			break;
		check(ret, "KVM_RUN");
		i++;
		check(ioctl(vcpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
		if (run->exit_reason != KVM_EXIT_IO || regs.rbx != i * STEP) {
			printf("round %lu: exit reason %u, count %llu, rip %#llx\n", i,
			       run->exit_reason, regs.rbx, regs.rip);
			return 1;
		}
	}
	printf("kvm_run: %lu rounds\n", i);
	return 0;
}
