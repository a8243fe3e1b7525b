// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Guests that misbehave, one per name: raw_guest NAME runs it. Each either is ended by the module with a
 * report or handles the fault itself and exits 0. `raw_guest --report NAME` runs it in a child and prints how
 * its context ended.
 */
#include <signal.h>
#include <sys/wait.h>
#include "raw.h"

#define GUEST(name, body) \
	extern const char guest_##name[], guest_##name##_end[]; \
	__asm__(".pushsection .rodata\n\tguest_" #name ":\n" body "\n\tguest_" #name \
		"_end:\n\t.popsection\n")

/* exit_group(status) */
#define EXIT(status) "mov $" #status ", %edi\n mov $231, %eax\n xor %ecx, %ecx\n vmcall\n"
/* A handler for one vector at the end of the code that exits with 0; loaded by LIDT at RAW_BASE + 0x20000. */
#define HANDLE(vector) \
	"lea 9f(%rip), %rax\n" \
	"mov $0xffffffff80020000, %rdx\n" \
	"mov %ax, " #vector " * 16(%rdx)\n" \
	"movw $8, " #vector " * 16 + 2(%rdx)\n" \
	"movw $0x8e00, " #vector " * 16 + 4(%rdx)\n" \
	"shr $16, %rax\n mov %ax, " #vector " * 16 + 6(%rdx)\n" \
	"shr $16, %rax\n mov %eax, " #vector " * 16 + 8(%rdx)\n" \
	"push %rdx\n pushw $0xfff\n lidt (%rsp)\n" \
	"jmp 8f\n 9:\n" EXIT(0) "8:\n"

GUEST(triple_fault, "ud2");
GUEST(spin, "sti\n 1: pause\n jmp 1b");
GUEST(spin_cli, "cli\n 1: pause\n jmp 1b");
GUEST(unmapped, "mov $0xffffffff80900000, %rax\n mov %cr3, %rdx\n mov $0x83, %ecx\n"
		"movq $0x10000083, 0xffffffff80003020\n mov 0xffffffff80800000, %rax\n" EXIT(1));
GUEST(bad_slot,
      "mov $0xffffffff80000000, %rdx\n movabs $0x1c0000083, %rcx\n mov %rcx, 0x6008(%rdx)\n mov 0x40000000, %al\n" EXIT(
	      1));
GUEST(hlt, HANDLE(13) "hlt\n" EXIT(1));
GUEST(io, HANDLE(13) "mov $0x80, %dx\n out %al, %dx\n" EXIT(1));
GUEST(invd, HANDLE(13) "invd\n" EXIT(1));
GUEST(wbinvd, HANDLE(13) "wbinvd\n" EXIT(1));
GUEST(rdpmc, HANDLE(13) "xor %ecx, %ecx\n rdpmc\n" EXIT(1));
GUEST(mov_dr, HANDLE(13) "mov %rax, %dr7\n" EXIT(1));
GUEST(rdmsr_efer, HANDLE(13) "mov $0xc0000080, %ecx\n rdmsr\n" EXIT(1));
GUEST(wrmsr_apic, HANDLE(13) "mov $0x1b, %ecx\n xor %eax, %eax\n xor %edx, %edx\n wrmsr\n" EXIT(1));
GUEST(wrmsr_lstar_bad,
      HANDLE(13) "mov $0xc0000082, %ecx\n mov $0x80000000, %edx\n xor %eax, %eax\n wrmsr\n" EXIT(1));
GUEST(wrmsr_fmask_bad, HANDLE(13) "mov $0xc0000084, %ecx\n mov $1, %edx\n wrmsr\n" EXIT(1));
GUEST(xsetbv, HANDLE(13) "xor %ecx, %ecx\n mov $7, %eax\n xor %edx, %edx\n xsetbv\n" EXIT(1));
GUEST(cr4_vmxe, HANDLE(13) "mov %cr4, %rax\n or $0x2000, %rax\n mov %rax, %cr4\n" EXIT(1));
GUEST(cr0_pg, HANDLE(13) "mov %cr0, %rax\n btr $31, %rax\n mov %rax, %cr0\n" EXIT(1));
GUEST(cr4_mce, HANDLE(13) "mov %cr4, %rax\n btr $6, %rax\n mov %rax, %cr4\n" EXIT(1));
GUEST(cr8,
      HANDLE(13) "mov %cr8, %rax\n test %rax, %rax\n jnz 1f\n mov %rax, %cr8\n mov $5, %eax\n mov %rax, %cr8\n 1:" EXIT(
	      1));
GUEST(vmxoff, HANDLE(6) "vmxoff\n" EXIT(1));
GUEST(vmread, HANDLE(6) "vmread %rax, %rdx\n" EXIT(1));
GUEST(vmfunc, HANDLE(6) "xor %eax, %eax\n vmfunc\n" EXIT(1));
GUEST(monitor, HANDLE(6) "mov %rsp, %rax\n monitor\n" EXIT(1));
GUEST(bad_hypercall,
      "mov $99, %ecx\n vmcall\n cmp $-38, %rax\n jne 1f\n mov $-1, %rcx\n vmcall\n cmp $-38, %rax\n jne 1f\n" EXIT(
	      0) "1:" EXIT(1));
GUEST(sigreturn,
      "mov $15, %eax\n xor %ecx, %ecx\n mov %rsp, %r11\n vmcall\n cmp $-38, %rax\n jne 1f\n"
      "mov $-1, %eax\n xor %ecx, %ecx\n vmcall\n cmp $-38, %rax\n jne 1f\n" EXIT(0) "1:" EXIT(1));
/* COPY_IN and COPY_OUT with ranges that are not theirs. */
GUEST(copy_bad,
      "mov $1, %ecx\n mov $0x20000000, %edi\n mov $0x10000, %esi\n mov $8, %edx\n vmcall\n cmp $-34, %rax\n jne 1f\n"
      "mov $1, %ecx\n mov $0x20000, %edi\n mov $0x10000, %esi\n mov $0x20000, %edx\n vmcall\n cmp $-22, %rax\n jne 1f\n"
      "mov $1, %ecx\n mov $0x20000, %edi\n mov $0xffffffff81000000, %rsi\n mov $8, %edx\n vmcall\n cmp $-14, %rax\n jne 1f\n"
      "mov $2, %ecx\n mov $0x20000, %edi\n mov $0x20000, %esi\n mov $8, %edx\n vmcall\n cmp $-14, %rax\n jne 1f\n"
      "mov $2, %ecx\n mov $8, %edi\n mov $0x20000, %esi\n mov $8, %edx\n vmcall\n cmp $-14, %rax\n jne 1f\n"
      "mov $3, %ecx\n mov $0x7ffffffff000, %rdi\n vmcall\n cmp $-14, %rax\n jne 1f\n"
      "mov $6, %ecx\n mov $0x100000, %edi\n vmcall\n cmp $-22, %rax\n jne 1f\n"
      "mov $6, %ecx\n mov $4096, %edi\n 2: mov $6, %ecx\n vmcall\n test %rax, %rax\n jns 2b\n cmp $-122, %rax\n jne 1f\n"
      "mov $4, %ecx\n mov $9, %edi\n mov $1, %esi\n vmcall\n cmp $-22, %rax\n jne 1f\n" EXIT(
	      0) "1:" EXIT(1));
/* The host's last page fault is not the guest's to read. */
GUEST(cr2, "mov %cr2, %rdi\n test %rdi, %rdi\n setnz %dil\n movzbl %dil, %edi\n"
	   "mov $231, %eax\n xor %ecx, %ecx\n vmcall\n");
GUEST(panic,
      "mov $5, %ecx\n mov $0x20000, %edi\n mov $14, %esi\n mov $2, %edx\n mov $0x1234, %r8d\n vmcall\n" EXIT(
	      1));

static const struct guest {
	const char *name, *start, *end;
} guests[] = {
#define ROW(name)                                       \
	{                                               \
#name, guest_##name, guest_##name##_end \
	}
	ROW(triple_fault),
	ROW(spin),
	ROW(spin_cli),
	ROW(unmapped),
	ROW(bad_slot),
	ROW(hlt),
	ROW(io),
	ROW(invd),
	ROW(wbinvd),
	ROW(rdpmc),
	ROW(mov_dr),
	ROW(rdmsr_efer),
	ROW(wrmsr_apic),
	ROW(wrmsr_lstar_bad),
	ROW(wrmsr_fmask_bad),
	ROW(xsetbv),
	ROW(cr4_vmxe),
	ROW(cr0_pg),
	ROW(cr4_mce),
	ROW(cr8),
	ROW(vmxoff),
	ROW(vmread),
	ROW(vmfunc),
	ROW(monitor),
	ROW(bad_hypercall),
	ROW(sigreturn),
	ROW(copy_bad),
	ROW(cr2),
	ROW(panic),
};

static const struct guest *find(const char *name)
{
	for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++)
		if (!strcmp(guests[i].name, name))
			return &guests[i];
	raw_die("no guest %s", name);
}

static void report(int device, const struct guest *guest)
{
	struct dune_report report = { .abi = DUNE_ABI_VERSION };
	int fd = raw_create(device, 0, guest->name), status;
	struct dune_stats stats[64];
	struct dune_stats_call call = { .abi = DUNE_ABI_VERSION,
					.buffer = (uint64_t)stats,
					.capacity = 64 };

	if (!fork()) {
		if (raw_attach(fd) || raw_map_area(fd))
			raw_die("attach");
		raw_fill(fd, guest->start, guest->end - guest->start);
		if (raw_lock(fd))
			raw_die("lock");
		raw_go(fd);
	}
	wait(&status);
	ioctl(device, DUNE_STATS, &call);
	report.id = stats[call.ret_count - 1].id;
	if (ioctl(device, DUNE_REPORT, &report))
		raw_die("report: %m");
	printf("%s: status %#x cause %u reason %u rip %#llx vector %u cr2 %#llx gpa %#llx state %u\n",
	       guest->name, status, report.cause, report.exit_reason, report.regs.rip,
	       report.vector, report.cr2, report.guest_physical, stats[call.ret_count - 1].state);
}

int main(int argc, char **argv)
{
	int device = raw_device();
	const struct guest *guest;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++)
			puts(guests[i].name);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "--report")) {
		report(device, find(argv[2]));
		return 0;
	}
	if (argc != 2)
		raw_die("raw_guest [--report] NAME");
	guest = find(argv[1]);
	raw_go(raw_setup(device, guest->name, guest->start, guest->end - guest->start));
}
