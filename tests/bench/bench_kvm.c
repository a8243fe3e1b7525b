// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * KVM in the same boot: a hypercall that KVM answers in the kernel, an EPT violation on a page that
 * the host has, and an exit to user space and back. The guest is real-mode code in one page. Must not depend on anything of ours but the
 * measuring.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "tests/bench/bench.h"

#define GUEST_ADDR  0x1000
#define GUEST_BYTES 0x1000
#define DATA_ADDR   0x1000000
#define DATA_BYTES  (BENCH_PAGES * BENCH_PAGE)

/*
 * Says by OUT how many instructions BENCH_OPS hypercalls took, BENCH_REPEATS + 1 times, and what
 * the last one returned; the same for as many first writes to a page; then nothing but OUT. KVM
 * doesn't know the number.
 */
extern const char guest_start[], guest_end[];
__asm__(".pushsection .rodata\n"
	"	.code16\n"
	"guest_start:\n"
	"	mov $16, %cx\n"
	"1:	rdtsc\n"
	"	mov %eax, %esi\n"
	"	.rept 100\n"
	"	mov $99, %eax\n"
	"	vmcall\n"
	"	.endr\n"
	"	mov %eax, %ebp\n"
	"	rdtsc\n"
	"	sub %esi, %eax\n"
	"	mov $0xe8, %dx\n"
	"	out %eax, %dx\n"
	"	dec %cx\n"
	"	jnz 1b\n"
	"	mov %ebp, %eax\n"
	"	out %eax, %dx\n"
	"	mov $16, %cx\n"
	"	mov $0x1000000, %ebx\n"
	"3:	rdtsc\n"
	"	mov %eax, %esi\n"
	"	.rept 100\n"
	"	movb $1, (%ebx)\n"
	"	add $4096, %ebx\n"
	"	.endr\n"
	"	rdtsc\n"
	"	sub %esi, %eax\n"
	"	out %eax, %dx\n"
	"	dec %cx\n"
	"	jnz 3b\n"
	"2:	out %al, %dx\n"
	"	jmp 2b\n"
	"guest_end:\n"
	"	.code64\n"
	"	.popsection\n");
_Static_assert(BENCH_REPEATS + 1 == 16 && BENCH_OPS == 100, "the guest's code says so too");

static int vcpu;
static struct kvm_run *run;

static int check(int ret, const char *what)
{
	if (ret < 0) {
		perror(what);
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

static void set_registers(void)
{
	struct kvm_regs regs = { .rip = GUEST_ADDR, .rflags = 2 };
	struct kvm_sregs sregs;

	check(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	/* All of the address space, also in real mode. */
	sregs.ds.limit = 0xffffffff;
	sregs.ds.g = 1;
	check(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	check(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

/* A piece of guest-physical memory, in pages of 4K that are there. */
static void *add_memory(int vm, unsigned int slot, uint64_t address, size_t bytes)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = address,
		.memory_size = bytes,
		.userspace_addr = (unsigned long)map(bytes, -1),
	};

	memset((void *)region.userspace_addr, 1, bytes);
	check(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	return (void *)region.userspace_addr;
}

static void start(void)
{
	int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	int vm = check(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");

	memcpy(add_memory(vm, 0, GUEST_ADDR, GUEST_BYTES), guest_start, guest_end - guest_start);
	add_memory(vm, 1, DATA_ADDR, DATA_BYTES);
	vcpu = check(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = map(check(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"), vcpu);
	set_registers();
}

/* Runs the guest up to its next OUT of so many bytes; returns what it wrote. */
static uint64_t next_out(unsigned int bytes)
{
	uint64_t value = 0;

	check(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO || run->io.size != bytes) {
		fprintf(stderr, "bench_kvm: exit reason %u\n", run->exit_reason);
		exit(1);
	}
	memcpy(&value, (const char *)run + run->io.data_offset, bytes);
	return value;
}

static void run_user_exit(void)
{
	long result;

	__asm__ volatile(BENCH_REPT "mov %1, %%eax\n\tsyscall" BENCH_ENDR
			 : "=&a"(result)
			 : "i"(SYS_ioctl), "D"((long)vcpu), "S"((long)KVM_RUN), "d"(0l)
			 : "rcx", "r11", "memory");
	bench_expect(result, 0);
}

/* What the guest measured itself; the first one is a warm-up. */
static void print_guest(const struct bench_row *row)
{
	uint64_t instructions[BENCH_REPEATS];

	next_out(4);
	for (int i = 0; i < BENCH_REPEATS; i++)
		instructions[i] = next_out(4);
	bench_print(row, instructions, NULL);
}

int main(void)
{
	static const struct bench_row hypercall = { "kvm_hypercall", "KVM: null hypercall", NULL };
	static const struct bench_row user_exit = { "kvm_user_exit",
						    "KVM: exit to user space and back",
						    run_user_exit };
	static const struct bench_row present = { "kvm_ept",
						  "KVM: EPT violation, host page present", NULL };

	start();
	print_guest(&hypercall);
	bench_expect((int32_t)next_out(4), -KVM_ENOSYS);
	print_guest(&present);
	next_out(1);
	bench_row(&user_exit, NULL);
	next_out(1);
	return 0;
}
